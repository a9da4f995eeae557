-- Question: What of these dumps cannot be compared, and why?
-- Tables: dumps, faults, pool_tags, pool_allocations, big_pool, handles, processes, threads, modules, drivers, driver_dispatch, syscalls, callbacks, code_pages, memory_counters, firmware
-- How to read it: `FROM diff_not_comparable(['d...', 'd...'])`. One row an area (the name of a comparison), a table and
--   a dump that the comparison has to leave out, or of which it sees a part only. Nothing of it is called gone. The
--   area `dumps` is all of them: dumps of different machines, runs or builds of Windows are compared, but what differs
--   in them need not have changed.
-- Cannot compare: nothing by itself; it says what the others could not.
CREATE MACRO diff_not_comparable(ids) AS TABLE
WITH wanted(area, of_table, structure) AS (
    VALUES ('pool', 'pool_tags', 'PoolTrackTable'), ('pool', 'pool_allocations', NULL),
           ('pool', 'big_pool', 'PoolBigPageTable'), ('handles', 'handles', NULL),
           ('processes', 'processes', 'PsActiveProcessHead'), ('threads', 'threads', 'PsActiveProcessHead'),
           ('modules', 'modules', 'PsLoadedModuleList'), ('drivers', 'drivers', 'ObpRootDirectoryObject'),
           ('drivers', 'driver_dispatch', 'ObpRootDirectoryObject'), ('drivers', 'syscalls', 'KiServiceTable'),
           ('drivers', 'callbacks', 'PspCreateProcessNotifyRoutine'), ('drivers', 'code_pages', NULL), ('memory', 'memory_counters', 'memory_counters')
),
present AS (
    SELECT DISTINCT of_table, dump_id FROM (
        SELECT 'pool_tags' AS of_table, dump_id FROM pool_tags WHERE list_contains(ids, dump_id)
        UNION ALL SELECT 'pool_allocations', dump_id FROM pool_allocations WHERE list_contains(ids, dump_id)
        UNION ALL SELECT 'big_pool', dump_id FROM big_pool WHERE list_contains(ids, dump_id)
        UNION ALL SELECT 'handles', dump_id FROM handles WHERE list_contains(ids, dump_id) AND source <> 'PspCidTable'
        UNION ALL SELECT 'processes', dump_id FROM processes WHERE list_contains(ids, dump_id)
        UNION ALL SELECT 'threads', dump_id FROM threads WHERE list_contains(ids, dump_id)
        UNION ALL SELECT 'modules', dump_id FROM modules WHERE list_contains(ids, dump_id) AND process_id IS NULL
        UNION ALL SELECT 'drivers', dump_id FROM drivers WHERE list_contains(ids, dump_id)
        UNION ALL SELECT 'driver_dispatch', dump_id FROM driver_dispatch WHERE list_contains(ids, dump_id)
        UNION ALL SELECT 'syscalls', dump_id FROM syscalls WHERE list_contains(ids, dump_id)
        UNION ALL SELECT 'callbacks', dump_id FROM callbacks WHERE list_contains(ids, dump_id)
        UNION ALL SELECT 'code_pages', dump_id FROM code_pages WHERE list_contains(ids, dump_id)
        UNION ALL SELECT 'memory_counters', dump_id FROM memory_counters WHERE list_contains(ids, dump_id))
),
reasons AS (
    SELECT dump_id, structure, min(message) AS message
    FROM faults WHERE list_contains(ids, dump_id) GROUP BY dump_id, structure
),
snapshots AS (
    SELECT DISTINCT ON (s.dump_id) s.*, d.options FROM diff_snapshots(ids) AS s
    LEFT JOIN dumps AS d ON d.dump_id = s.dump_id AND list_contains(ids, d.dump_id)
),
tracker AS (
    SELECT p.dump_id
    FROM pool_tags AS p
    JOIN dumps AS d ON d.dump_id = p.dump_id
    WHERE list_contains(ids, p.dump_id) AND list_contains(ids, d.dump_id)
    GROUP BY p.dump_id HAVING max(p.tables) = 1 AND any_value(d.processors) > 1
),
found AS (
    SELECT w.area, w.of_table, s.position, s.dump_id, CASE
        WHEN s.path IS NULL THEN 'no such dump'
        WHEN s.options LIKE '%tables=%'
             AND NOT list_contains(string_split(regexp_extract(s.options, 'tables=([^ ]*)', 1), ','), w.of_table)
             THEN 'converted without this table'
        WHEN s.scope = 'process' THEN 'a user minidump does not hold it'
        WHEN s.scope = 'crash' THEN 'a small dump does not hold it'
        ELSE coalesce(r.message, 'there are no rows, and nothing says why') END AS why
    FROM wanted AS w
    CROSS JOIN snapshots AS s
    LEFT JOIN present AS p ON p.of_table = w.of_table AND p.dump_id = s.dump_id
    LEFT JOIN reasons AS r ON r.dump_id = s.dump_id AND r.structure = w.structure
    WHERE p.dump_id IS NULL
    UNION ALL
    -- There are rows, but not all.
    SELECT w.area, w.of_table, s.position, s.dump_id, CASE s.scope
        WHEN 'process' THEN 'a user minidump is of one process: the others are not compared'
        WHEN 'crash' THEN CASE
            WHEN w.area IN ('processes', 'threads') THEN 'a small dump holds what crashed: the others are not compared'
            WHEN w.of_table IN ('code_pages', 'memory_counters')
                THEN 'a small dump holds a few by chance: the others are not compared'
            ELSE 'a small dump holds a few rows by chance: they are not compared' END
        ELSE 'in part: ' || r.message END
    FROM wanted AS w
    CROSS JOIN snapshots AS s
    JOIN present AS p ON p.of_table = w.of_table AND p.dump_id = s.dump_id
    LEFT JOIN reasons AS r ON r.dump_id = s.dump_id AND r.structure = w.structure
    WHERE s.scope = 'process' AND w.area IN ('processes', 'threads', 'handles')
       OR s.scope = 'crash' AND w.area <> 'modules' -- small dumps have a list of their own
       OR s.scope = 'system' AND r.message IS NOT NULL
    UNION ALL
    SELECT 'pool', 'pool_tags', s.position, s.dump_id,
           'only one of the tables of counters was found: the numbers are those of a part of all processors'
    FROM snapshots AS s SEMI JOIN tracker USING (dump_id)
    UNION ALL
    SELECT 'pool', 'pool_allocations', position, dump_id, CASE WHEN same_boot
        IS NULL THEN 'nothing says whether it is of the same run of Windows as the first: single blocks are not matched'
        ELSE 'of another run of Windows than the first: single blocks are not matched' END
    FROM snapshots
    WHERE NOT coalesce(same_boot, false) AND position > 1 AND scope = 'system'
    UNION ALL
    SELECT 'dumps', NULL, s.position, s.dump_id, unnest(list_filter([
        CASE WHEN NOT s.same_machine THEN 'of another machine than the first: ' || i.machine || ' against ' || first.machine END,
        CASE WHEN i.architecture <> first.architecture OR i.kernel <> first.kernel
             THEN concat('another kernel than the first: ', i.architecture, ' ', i.build, ' against ', first.architecture, ' ',
                         first.build) END,
        CASE WHEN NOT s.same_boot
             THEN 'of another run of Windows than the first: addresses, processes and counters begin anew' END,
        CASE WHEN s.system_time IS NULL THEN 'nothing says when it was taken' END], lambda why: why IS NOT NULL))
    FROM snapshots AS s
    LEFT JOIN diff_identities(ids) AS i ON i.dump_id = s.dump_id
    LEFT JOIN diff_identities(ids) AS first ON first.dump_id = ids[1]
)
SELECT area, of_table AS "table", position, dump_id, why
FROM found
ORDER BY list_position(['dumps', 'pool', 'handles', 'processes', 'threads', 'modules', 'drivers', 'memory'], area), "table", position, why;
