-- Question: What happened in each dump?
-- Tables: dumps, exceptions, modules, unloaded_modules, faults
-- How to read it: one row a dump, the newest first. Codes and addresses are hexadecimal text as debuggers show them.
--   exception_code and exception_address are those of the record that the dump states; where it states several, of
--   the one that names a thread, then of the first by source. kernel_modules, third_party_drivers and
--   unloaded_modules are NULL where the dump lists none: a complete dump does not say. missing_bytes is what the
--   file should hold and does not; faults counts what could not be read (SELECT * FROM faults).
CREATE VIEW crash_overview AS
WITH exception AS (
    SELECT dump_id, code, code_name, address, thread_id
    FROM exceptions
    QUALIFY row_number() OVER (PARTITION BY dump_id ORDER BY thread_id NULLS LAST, source) = 1
), modules_of AS (
    SELECT dump_id,
           count(*) AS kernel_modules,
           coalesce(list_sort(list_distinct(list(file_name) FILTER (third_party))), []) AS third_party_drivers
    FROM kernel_modules GROUP BY ALL
), unloaded AS (
    SELECT dump_id, count(*) AS unloaded FROM unloaded_modules GROUP BY ALL
), fault AS (
    SELECT dump_id, count(*) AS faults FROM faults GROUP BY ALL
)
SELECT d.dump_id, d.path, d.format, d.dump_type_name AS dump_type, d.architecture, d.build, d.processors,
       d.system_time, d.uptime_seconds,
       hex_code(d.bugcheck_code) AS bugcheck, d.bugcheck_name,
       hex_address(d.bugcheck_param1) AS param1, hex_address(d.bugcheck_param2) AS param2,
       hex_address(d.bugcheck_param3) AS param3, hex_address(d.bugcheck_param4) AS param4,
       hex_code(e.code) AS exception_code, e.code_name AS exception_name, hex_address(e.address) AS exception_address,
       e.thread_id AS thread_id, d.broken_driver,
       m.kernel_modules, m.third_party_drivers,
       u.unloaded AS unloaded_modules,
       d.bytes_missing AS missing_bytes, coalesce(f.faults, 0) AS faults, d.comment
FROM dumps AS d
LEFT JOIN exception AS e USING (dump_id)
LEFT JOIN modules_of AS m USING (dump_id)
LEFT JOIN unloaded AS u USING (dump_id)
LEFT JOIN fault AS f USING (dump_id)
ORDER BY d.system_time DESC NULLS LAST, d.path;
