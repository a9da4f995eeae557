-- Pattern: ISA-Specific Code
-- Section: E
-- Question: Which instruction sets does the code of a process have beside the system's own?
-- Tables: user_modules, modules, processes, dumps
-- Needs: none
-- Weight: context
-- Reading: one row a process, or the kernel, that has images of another machine than the system's: machines counts them.
--   32-bit images in a 32-bit program are normal; images of a third kind are not.
--   hybrid counts those that hold code of two machines (ARM64EC, ARM64X, CHPE).
-- Limits: only images whose headers are in the dump say; which of the two codes of a hybrid image runs is not told.
WITH image AS (
    SELECT dump_id, process_id, eprocess, name, machine, hybrid FROM user_modules WHERE machine IS NOT NULL
    UNION ALL
    SELECT dump_id, process_id, NULL, name, machine, NULL FROM modules WHERE machine IS NOT NULL),
named AS (
    SELECT i.*, CASE machine WHEN 34404 THEN 'x64' WHEN 332 THEN 'x86' WHEN 43620 THEN 'ARM64' WHEN 452 THEN 'ARM'
                ELSE hex_code(machine) END AS isa, d.architecture
    FROM image AS i JOIN dumps AS d USING (dump_id))
SELECT n.dump_id, 'process' AS subject_kind, CASE WHEN n.process_id IS NULL THEN 'kernel' ELSE who(any_value(p.name), n.process_id, NULL) END AS subject,
       any_value(n.eprocess) AS address,
       json_object('system', any_value(n.architecture), 'foreign', count(*), 'of', any_value(n.isa), 'hybrid', count(*) FILTER (n.hybrid <> 'none'),
                   'images', list(n.name ORDER BY n.name)[1:8]) AS evidence,
       count(*) || ' of its images hold code for ' || string_agg(DISTINCT n.isa, ' and ' ORDER BY n.isa) || ' on a system of '
           || any_value(n.architecture) || '.' AS reading,
       'certain' AS strength
FROM named AS n
LEFT JOIN processes AS p ON p.dump_id = n.dump_id AND p.process_id = n.process_id
WHERE n.isa <> n.architecture
GROUP BY n.dump_id, n.process_id
