-- Pattern: Virtualized Process (ARM64EC)
-- Section: E
-- Question: Which processes of an ARM64 system are x64 programs?
-- Tables: user_modules, processes, dumps
-- Needs: user_modules
-- Weight: context
-- Reading: one row a process whose program is an x64 image: how many of its images are x64 code that is emulated, how
--   many are x64 by their header and hold ARM64 code as well (arm64_code), how many say ARM64 and hold both (arm64x). The
--   former are ARM64EC or ARM64X files: in an x64 process Windows makes the header of ARM64X x64, so memory does not
--   tell which. Frames in emulated code are on a stack of the emulator.
-- Limits: certain where the header of the program itself is in the dump. Strong where only other images are x64, which
--   none of an ARM64 program is. Which part of an image runs is not told; 32-bit programs are the pattern wow64_process.
WITH image AS (
    SELECT m.dump_id, m.eprocess, m.process_id, m.name, m.machine, m.hybrid, coalesce(m.load_order = 0 AND NOT m.is_wow64, false) AS program
    FROM user_modules AS m JOIN dumps AS d USING (dump_id)
    WHERE d.architecture = 'ARM64' AND m.machine IS NOT NULL),
counted AS (
    SELECT dump_id, eprocess, any_value(process_id) AS process_id, any_value(machine) FILTER (program) AS program_machine,
           any_value(name) FILTER (program) AS program_name, any_value(hybrid) FILTER (program) AS program_hybrid,
           count(*) FILTER (machine = 34404) AS x64, count(*) FILTER (hybrid = 'ARM64EC or ARM64X') AS arm64_code,
           count(*) FILTER (hybrid = 'ARM64X') AS arm64x, count(*) FILTER (machine = 34404 AND hybrid = 'none') AS emulated,
           count(*) AS images
    FROM image GROUP BY dump_id, eprocess)
SELECT c.dump_id, 'process' AS subject_kind, who(p.name, c.process_id, NULL) AS subject, c.eprocess AS address,
       json_object('program', c.program_name, 'hybrid', c.program_hybrid, 'images', c.images, 'x64', c.x64, 'arm64_code', c.arm64_code,
                   'arm64x', c.arm64x, 'emulated', c.emulated) AS evidence,
       'It is an x64 program on ARM64: ' || c.emulated || ' of ' || c.images || ' images are x64 code that is emulated, '
           || c.arm64_code || ' hold ARM64 code as well (ARM64EC or ARM64X).' AS reading,
       CASE WHEN c.program_machine IS NOT NULL THEN 'certain' ELSE 'strong' END AS strength
FROM counted AS c
LEFT JOIN processes AS p ON p.dump_id = c.dump_id AND p.eprocess = c.eprocess
WHERE coalesce(c.program_machine = 34404, c.x64 > 0) AND NOT coalesce(p.exited, false)
