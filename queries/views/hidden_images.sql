-- Question: Which images lie in memory without any list of modules naming them?
-- Tables: found_images, unloaded_modules, user_modules, processes
-- How to read it: an image that is mapped and in no list deserves a look: a driver that was unlinked, a DLL that was
--   loaded by hand. was_unloaded: an unloaded module was there. mapped_as_image: a section of the file system maps it, as
--   files that are only read as data do not. Rows that nothing maps are left of earlier images, or files in the cache.
--   Fragments are PE headers without an MZ in front: wiped on purpose, or part of something else.
CREATE VIEW hidden_images AS
SELECT i.dump_id, i.kind, i.va IS NOT NULL AS mapped, i.process_id, p.name AS process, i.machine_name, i.pdb_name,
       make_timestamp(i.timestamp::BIGINT * 1000000) AS link_time, i.size_of_image, i.characteristics & 8192 <> 0 AS is_dll,
       u.name AS was_unloaded, m.mapped_as_image, m.mapped_path, hex_address(i.va) AS va, hex_address(i.pa) AS pa,
       hex_address(i.image_base) AS image_base
FROM found_images AS i
LEFT JOIN unloaded_modules AS u ON u.dump_id = i.dump_id AND i.va >= u."start" AND i.va < u."end" AND u.process_id IS NOT DISTINCT FROM i.process_id
LEFT JOIN user_modules AS m ON m.dump_id = i.dump_id AND m.eprocess = i.process AND m.base = i.va
LEFT JOIN processes AS p ON p.dump_id = i.dump_id AND p.eprocess = i.process
WHERE i.in_list IS NULL
ORDER BY i.dump_id, i.va IS NULL, i.process_id NULLS FIRST, i.va, i.pa;
