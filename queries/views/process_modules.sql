-- Question: Which images are loaded in each process, and does the loader know of all of them?
-- Tables: user_modules, processes
-- How to read it: replaces `lm` in a process, and `!dlls`. One row an image, by address. hidden is true for one that is
--   mapped as an image and that no loader's list has, though a list could be read; unmapped for one in a list at whose
--   base no image is mapped. Both are worth a look and neither is proof: a program may map an image as data.
CREATE VIEW process_modules AS
WITH known AS (
    SELECT *, CASE WHEN coalesce(in_load, in_memory, in_init) IS NOT NULL
                   THEN coalesce(in_load, false) OR coalesce(in_memory, false) OR coalesce(in_init, false) END AS listed
    FROM user_modules)
SELECT m.dump_id, m.process_id, p.name AS process, hex_address(m.base) AS base,
       hex_address(m.base::HUGEINT + m.size) AS "end", m.size, m.name, coalesce(m.path, m.mapped_path) AS path,
       m.mapped_as_image AND NOT m.listed AS hidden, m.listed AND NOT coalesce(m.mapped_as_image, m.in_vad) AS unmapped,
       m.is_wow64, m.version, hex_code(m.timestamp) AS timestamp, m.load_time, m.pdb_name
FROM known AS m
LEFT JOIN processes AS p ON p.dump_id = m.dump_id AND p.eprocess = m.eprocess
ORDER BY m.dump_id, m.process_id, m.base;
