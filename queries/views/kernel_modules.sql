-- Question: What was loaded into the kernel when the dump was taken, and is it Microsoft's?
-- Tables: modules, dumps
-- How to read it: one row a kernel module of a dump. file_name is the last part of the path in small letters, without
--   the dump_ or hiber_ that Windows puts before its copies of disk drivers for writing crash dumps and hibernation
--   files. third_party is true if microsoft_drivers lacks that name. Modules of user minidumps are not here: they
--   belong to a process.
CREATE VIEW kernel_modules AS
SELECT m.dump_id,
       regexp_replace(file_name(coalesce(m.path, m.name)), '^(dump|hiber)_', '') AS file_name,
       file_name NOT IN (SELECT name FROM microsoft_drivers) AS third_party,
       m.path,
       hex_address(m.base) AS base,
       hex_address(m.base::HUGEINT + m.size) AS "end",
       m.size,
       hex_code(m.timestamp) AS timestamp,
       m.version,
       m.pdb_name
FROM modules AS m
SEMI JOIN (SELECT dump_id FROM dumps WHERE minidump_flags IS NULL) USING (dump_id)
WHERE m.process_id IS NULL;
