-- Pattern: Injected Executable Memory
-- Section: C
-- Question: Which processes have memory that is private, executable, and no image?
-- Tables: vads, processes, threads, found_images
-- Needs: vads
-- Reading: one row a range of addresses. Strong where a thread of the process started in it, or the header of an
--   image that no loader knows lies in it; weak otherwise: compilers that work at run time (.NET, Java, browsers) make such
--   memory all day.
-- Limits: the protection is that with which the range was made; pages may have been made executable later, which the
--   range does not show.
SELECT v.dump_id, 'memory' AS subject_kind, who(p.name, v.process_id, NULL) AS subject, v."start" AS address,
       json_object('start', hex_address(v."start"), 'end', hex_address(v."end"), 'size', v.size, 'protection', v.protection_name,
                   'committed_pages', v.commit_charge, 'threads', t.n, 'images', i.n, 'vad', hex_address(v.vad)) AS evidence,
       v.size // 1024 || ' KiB of private memory with ' || v.protection_name || ' and no file'
           || coalesce('; ' || t.n || ' of its threads started there', '')
           || coalesce('; ' || i.n || ' images lie there that no loader knows', '') || '.' AS reading,
       CASE WHEN t.n > 0 OR i.n > 0 THEN 'strong' ELSE 'weak' END AS strength
FROM vads AS v
LEFT JOIN processes AS p ON p.dump_id = v.dump_id AND p.eprocess = v.eprocess
LEFT JOIN (SELECT r.dump_id, r.vad, count(*) AS n
           FROM vads AS r
           JOIN threads AS h ON h.dump_id = r.dump_id AND h.process_id = r.process_id
                             AND h.win32_start_address BETWEEN r."start" AND r."end"
           WHERE r.private AND r.protection_name LIKE 'PAGE_EXECUTE%'
           GROUP BY ALL) AS t ON t.dump_id = v.dump_id AND t.vad = v.vad
LEFT JOIN (SELECT r.dump_id, r.vad, count(*) AS n
           FROM vads AS r
           JOIN found_images AS g ON g.dump_id = r.dump_id AND g.process_id = r.process_id AND g.va BETWEEN r."start" AND r."end"
           WHERE r.private AND r.protection_name LIKE 'PAGE_EXECUTE%' AND g.in_list IS NULL
           GROUP BY ALL) AS i ON i.dump_id = v.dump_id AND i.vad = v.vad
WHERE v.private AND v.protection_name LIKE 'PAGE_EXECUTE%' AND v.file IS NULL AND NOT coalesce(v.is_image, false)
