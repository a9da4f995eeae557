-- Question: Which drivers came and went, and who else answers their requests, the system services and callbacks now?
-- Tables: drivers, driver_dispatch, syscalls, callbacks, code_pages, dumps
-- How to read it: `FROM diff_drivers(['d...', 'd...'])`. Routines are compared as module and offset, so that another
--   place of the module in memory is no change. details says where a routine leads to another *module* than before,
--   which is how hooks look; another offset in the same module is another build of it. Such rows come first. kind
--   `code` is a page of a module's code (what) that is not what it was, of one run of Windows and one build of the module.
-- Cannot compare: pages of code that one dump lacks, or of another run of Windows; small dumps, which hold a few driver
--   objects by chance; dumps whose tables of drivers, services or callbacks were not read, and a driver that one of two
--   dumps lacks (its routines are not called gone, the driver is).
CREATE MACRO diff_drivers(ids) AS TABLE
WITH things AS (
    SELECT dump_id, 'driver' AS kind, name AS subject, NULL::VARCHAR AS what, 'loaded' AS text, 'drivers' AS of_table
    FROM drivers
    WHERE list_contains(ids, dump_id) AND list_contains(diff_whole(ids), dump_id) AND (in_directory OR hidden)
    UNION ALL
    SELECT dump_id, 'dispatch', driver_name, name, coalesce(target_name, hex_address(target)), 'dispatch ' || driver_name
    FROM driver_dispatch
    WHERE list_contains(ids, dump_id) AND list_contains(diff_whole(ids), dump_id)
    UNION ALL
    SELECT dump_id, 'system service', concat('service ', hex_code(service)), NULL, coalesce(target_text, hex_address(target)),
           'syscalls ' || table_number
    FROM syscalls
    WHERE list_contains(ids, dump_id) AND list_contains(diff_whole(ids), dump_id)
    UNION ALL
    SELECT dump_id, 'callback', coalesce(routine_text, hex_address(routine)), concat_ws(' ', kind, object_type),
           'registered', 'callbacks ' || source
    FROM callbacks
    WHERE list_contains(ids, dump_id) AND list_contains(diff_whole(ids), dump_id) AND routine IS NOT NULL
    UNION ALL
    -- With its run of Windows, so that a page is compared with itself only.
    SELECT c.dump_id, 'code', c.module, c.module || '+' || hex_code(c.rva), hex_address(c.hash),
           concat_ws(' ', 'code', c.module, hex_code(c.rva), c.base, c.timestamp, d.kernel_base,
                     round((epoch(d.system_time) - d.uptime_seconds) / 60))
    FROM code_pages AS c JOIN dumps AS d ON d.dump_id = c.dump_id AND list_contains(ids, d.dump_id)
    WHERE list_contains(ids, c.dump_id) AND d.system_time IS NOT NULL AND d.uptime_seconds IS NOT NULL
),
usable AS (
    SELECT of_table, list(DISTINCT dump_id) AS dumps FROM things GROUP BY of_table
),
-- Of the list of callbacks that is empty in one dump it is known that it is empty only if it was read there.
series AS (
    SELECT t.kind, t.subject, t.what,
           diff_align(ids, map_from_entries(list(DISTINCT (t.dump_id, t.text))), any_value(u.dumps), '') AS texts
    FROM (SELECT dump_id, kind, subject, what, of_table, min(text) AS text FROM things GROUP BY ALL) AS t
    JOIN usable AS u USING (of_table)
    GROUP BY t.kind, t.subject, t.what, t.of_table
),
judged AS (
    SELECT *, list_distinct(list_transform(list_filter(diff_known(texts), lambda text: text <> ''),
                                           lambda text: regexp_extract(text, '^([^+]*)', 1))) AS modules
    FROM series
)
SELECT kind, subject, what, diff_change(texts) AS change, diff_known(texts)[1] AS before, diff_known(texts)[-1] AS after,
       NULL::HUGEINT AS delta, NULL::DOUBLE AS per_hour, texts AS history,
       CASE WHEN kind = 'code' THEN 'other code' WHEN len(modules) > 1 THEN 'another module' END AS details
FROM judged
WHERE diff_change(texts) IS NOT NULL
ORDER BY details NULLS LAST, list_position(['driver', 'callback', 'dispatch'], kind) NULLS LAST, subject, what;
