-- Question: Who hoards handles, and of which kind?
-- Tables: handles, processes
-- How to read it: one row a process and type of object, most handles first. objects counts what the handles lead to; NULL
--   where the dump does not say that, as user minidumps do not.
CREATE VIEW handle_counts AS
SELECT h.dump_id, h.process_id, p.name AS process, h.type_name, count(*) AS handles,
       CASE WHEN count(h.object) = count(*) THEN count(DISTINCT h.object) END AS objects
FROM handles AS h
LEFT JOIN processes AS p ON p.dump_id = h.dump_id AND p.process_id = h.process_id
WHERE h.source <> 'PspCidTable'
GROUP BY ALL
ORDER BY handles DESC, h.dump_id, h.process_id, h.type_name;
