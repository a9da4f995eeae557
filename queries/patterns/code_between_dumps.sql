-- Pattern: Hooked Functions (Code That Differs Between Dumps)
-- Section: C
-- Question: Is a page of code of a kernel module other than in an earlier dump of the same run of Windows?
-- Tables: code_pages, dumps
-- Needs: code_pages, several_dumps
-- Scope: lake
-- Reading: one row a module of a dump and the dump before it of the same boot (same kernel at the same address, same time
--   of boot, another time since) of which pages of code differ, while the module is the same: same place, same link time.
--   Reading names both dumps. Addresses in the code are the same in all dumps of a boot. Windows writes to
--   code while it starts; later only who hooks or patches does, so the finding is strong. Where the image file is at
--   hand, changed_code says which bytes. Dumps of one moment that disagree are of several machines: left out.
-- Limits: pages that one of the dumps lacks are not compared, nor dumps of different boots: addresses in code differ there.
WITH of_boot AS (
    SELECT dump_id, uptime_seconds AS up, kernel_base,
           round((epoch(system_time) - uptime_seconds) / 60) AS boot
    FROM dumps WHERE kernel_base IS NOT NULL AND uptime_seconds IS NOT NULL AND system_time IS NOT NULL),
-- Dumps of one moment of which one page disagrees are not of one machine, and nothing of them is compared; of those that
-- agree one is enough.
at_once AS (
    SELECT b.dump_id, b.kernel_base, b.boot, b.up, c.module, c.base, c.timestamp, c.rva, c.section, c.hash,
           min(c.hash) OVER moment = max(c.hash) OVER moment AS agreed, min(b.dump_id) OVER moment = b.dump_id AS is_first
    FROM of_boot AS b JOIN code_pages AS c USING (dump_id)
    WINDOW moment AS (PARTITION BY b.kernel_base, b.boot, b.up, c.module, c.base, c.timestamp, c.rva)),
of_one AS (SELECT *, bool_and(agreed) OVER (PARTITION BY kernel_base, boot, up) AS is_one FROM at_once),
page AS (
    SELECT *, lag(hash) OVER w AS before, lag(dump_id) OVER w AS earlier, up - lag(up) OVER w AS seconds
    FROM of_one WHERE is_one AND is_first
    WINDOW w AS (PARTITION BY kernel_base, boot, module, base, timestamp, rva ORDER BY up))
SELECT dump_id, 'module' AS subject_kind, module AS subject, min(base + rva) AS address,
       json_object('module', module, 'earlier_dump', earlier, 'pages', count(*), 'sections', list_sort(list(DISTINCT section)),
                   'addresses', list(hex_address(base + rva) ORDER BY rva)[1:8]) AS evidence,
       count(*) || CASE WHEN count(*) = 1 THEN ' page' ELSE ' pages' END || ' of its code changed between dump ' || earlier || ' and dump ' || dump_id || ', '
           || seconds::BIGINT || ' s later in the same run of Windows.' AS reading,
       'strong' AS strength
FROM page
WHERE hash <> before
GROUP BY dump_id, module, base, earlier, seconds
