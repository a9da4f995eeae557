-- Pattern: Virtualized Process (WOW64)
-- Section: E
-- Question: Which processes run 32-bit code on a 64-bit system?
-- Tables: processes, user_modules, dumps
-- Needs: processes
-- Weight: context
-- Reading: one row a process with a 32-bit half: its 32-bit PEB, and how many modules each loader has. Such a process has
--   two stacks, two heaps and two loaders; look at both.
-- Limits: x64 programs on ARM64 are emulated without this mark: see the pattern arm64ec_process.
SELECT p.dump_id, 'process' AS subject_kind, who(p.name, p.process_id, NULL) AS subject, p.eprocess AS address,
       json_object('peb32', hex_address(p.wow64_peb), 'peb', hex_address(p.peb), 'modules_32', m.n32, 'modules_64', m.n64,
                   'architecture', d.architecture) AS evidence,
       'It is a 32-bit program on ' || coalesce(d.architecture, 'a 64-bit system') || '.' AS reading, 'certain' AS strength
FROM processes AS p
JOIN dumps AS d USING (dump_id)
LEFT JOIN (SELECT dump_id, eprocess, count(*) FILTER (is_wow64) AS n32, count(*) FILTER (NOT is_wow64) AS n64
           FROM user_modules GROUP BY ALL) AS m ON m.dump_id = p.dump_id AND m.eprocess = p.eprocess
WHERE p.wow64 AND NOT coalesce(p.exited, false)
