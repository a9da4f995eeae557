-- Question: Where do the system calls lead?
-- Tables: syscalls
-- How to read it: replaces `dps nt!KiServiceTable`. One row a service; service is the number that user mode states. hooked
--   is true when the target lies in another module than most targets of its table, or in none.
CREATE VIEW service_table AS
WITH home AS (
    SELECT dump_id, table_number, mode(target_module) AS module FROM syscalls GROUP BY ALL)
SELECT s.dump_id, hex_code(s.service) AS service, s.target_text AS target_text, s.target_module,
       coalesce(s.target_module, '') <> h.module AND NOT (s.table_number = 1 AND s.target_module ILIKE 'win32k%') AS hooked,
       s.argument_bytes, hex_address(s.target) AS target, hex_address(s.table_address) AS table_address
FROM syscalls AS s
JOIN home AS h ON h.dump_id = s.dump_id AND h.table_number = s.table_number
ORDER BY s.dump_id, s.table_number, s."index";
