-- Question: Which modules does each dump list, with addresses as debuggers show them?
-- Tables: modules
-- How to read it: one row a module, of the kernel (process_id is NULL) or of a process, by address. The end is the
--   first byte behind it. timestamp is the raw TimeDateStamp of the PE header: with size it is the key under which
--   symbol servers file the image, and no date where the build was a reproducible one.
CREATE VIEW modules_hex AS
SELECT dump_id, process_id, hex_address(base) AS base, hex_address(base::HUGEINT + size) AS "end", size, name, path, version,
       hex_code(timestamp) AS timestamp, hex_code(checksum) AS checksum, pdb_name, pdb_guid, pdb_age, source
FROM modules
ORDER BY dump_id, process_id NULLS FIRST, modules.base;
