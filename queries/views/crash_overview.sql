-- Question: What happened in each dump?
-- Tables: dumps, crashes, exceptions, modules, unloaded_modules, faults
-- How to read it: one row a dump, the newest first. Codes and addresses are hexadecimal text as debuggers show them.
--   thread_id is the thread that crashed. exception_code, exception_name and exception_address are those of the crash
--   (crashes); of a dump without one those of the record that it states, and where it states several, of the one that
--   names a thread, then of the first by source. The record in the header of a bug check does not count: it is that of
--   the breakpoint by which every bug check stops. kernel_modules, third_party_drivers and
--   unloaded_modules are NULL where the dump lists none: a complete dump does not say. missing_bytes is what the
--   file should hold and does not; faults counts what could not be read (SELECT * FROM faults).
CREATE VIEW crash_overview AS
WITH exception AS (
    SELECT dump_id, code, code_name, address, thread_id
    FROM exceptions
    WHERE NOT (source = 'header' AND dump_id IN (SELECT dump_id FROM dumps WHERE bugcheck_code IS NOT NULL))
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
       hex_code(coalesce(c.exception_code, e.code)) AS exception_code,
       CASE WHEN c.exception_code IS NULL THEN e.code_name ELSE c.exception_name END AS exception_name,
       hex_address(CASE WHEN c.exception_code IS NULL THEN e.address ELSE c.fault_ip END) AS exception_address,
       coalesce(c.thread_id, e.thread_id) AS thread_id, d.broken_driver,
       m.kernel_modules, m.third_party_drivers,
       u.unloaded AS unloaded_modules,
       d.bytes_missing AS missing_bytes, coalesce(f.faults, 0) AS faults, d.comment
FROM dumps AS d
LEFT JOIN crashes AS c USING (dump_id)
LEFT JOIN exception AS e USING (dump_id)
LEFT JOIN modules_of AS m USING (dump_id)
LEFT JOIN unloaded AS u USING (dump_id)
LEFT JOIN fault AS f USING (dump_id)
ORDER BY d.system_time DESC NULLS LAST, d.path;
