-- Question: Which processes were born and which are gone, and which of them grow?
-- Tables: processes, faults, dumps
-- How to read it: `FROM diff_processes(['d...', 'd...'])`. kind is `process` for those that came or went, and `memory of
--   a process` for the bytes (what) of those that stayed. A process is the same one if its id and the second of its
--   birth are the same.
-- Cannot compare: a small dump and a user minidump hold one process each, so that no other one is called gone by them, nor
--   by a dump whose list of processes is damaged;
--   a number that one of two dumps does not state is left out.

-- The processes of dumps that live, with a key that is one for all dumps: id and birth, or id and name where a dump
-- does not say when it was born.
CREATE MACRO diff_processes_alive(ids) AS TABLE
WITH alive AS (
    SELECT p.*, s.scope, bool_or(p.create_time IS NULL) OVER (PARTITION BY p.process_id) AS timeless
    FROM processes AS p
    JOIN (SELECT DISTINCT dump_id, scope FROM diff_snapshots(ids)) AS s USING (dump_id)
    WHERE list_contains(ids, p.dump_id) AND NOT coalesce(p.exited, false)
)
SELECT *, concat(coalesce(arg_max(name, length(name)) OVER (PARTITION BY key), '?'), ' (', process_id, ')') AS subject
FROM (
    -- A kernel keeps the first 14 characters of a name.
    SELECT dump_id, process_id, name, scope,
           concat(process_id, ' ', CASE WHEN timeless THEN left(lower(coalesce(name, '')), 14)
                                        ELSE date_trunc('second', create_time)::VARCHAR END) AS key,
           create_time, parent_id, private_usage, pagefile_usage, working_set, quota_paged_pool, quota_nonpaged_pool,
           handle_count
    FROM alive);

CREATE MACRO diff_processes(ids) AS TABLE
WITH whole AS (SELECT list(DISTINCT dump_id) AS dumps FROM diff_processes_alive(ids)
    WHERE scope = 'system' AND dump_id NOT IN (
        SELECT dump_id FROM faults WHERE list_contains(ids, dump_id) AND structure = 'PsActiveProcessHead')),
presence AS (
    SELECT 'process' AS kind, any_value(subject) AS subject, NULL::VARCHAR AS what,
           diff_align(ids, map_from_entries(list((dump_id, 'running'))), any_value(dumps), '') AS texts,
           concat('created ', any_value(create_time), ', parent ', any_value(parent_id)) AS details
    FROM (SELECT DISTINCT ON (dump_id, key) * FROM diff_processes_alive(ids)), whole
    GROUP BY key
),
numbers AS (
    SELECT key, any_value(subject) AS subject, what,
           diff_align(ids, map_from_entries(list((dump_id, value))), NULL::VARCHAR[], NULL) AS series
    FROM (
        UNPIVOT (
            SELECT DISTINCT ON (dump_id, key) dump_id, key, subject, private_usage::HUGEINT AS "private bytes",
                   pagefile_usage::HUGEINT AS "committed bytes", working_set::HUGEINT AS "bytes of working set",
                   quota_paged_pool::HUGEINT AS "bytes of paged pool",
                   quota_nonpaged_pool::HUGEINT AS "bytes of nonpaged pool"
            FROM diff_processes_alive(ids)
        ) ON "private bytes", "committed bytes", "bytes of working set", "bytes of paged pool", "bytes of nonpaged pool"
        INTO NAME what VALUE value)
    GROUP BY key, what
)
SELECT * FROM (
SELECT kind, subject, what, diff_change(texts) AS change, diff_known(texts)[1] AS before, diff_known(texts)[-1] AS after,
       NULL::HUGEINT AS delta, NULL::DOUBLE AS per_hour, texts AS history, details
FROM presence
WHERE diff_change(texts) IS NOT NULL
UNION ALL
SELECT 'memory of a process', subject, what, diff_trend(series), diff_known(series)[1]::VARCHAR,
       diff_known(series)[-1]::VARCHAR, diff_delta(series),
       diff_per_hour(series, diff_hours(ids)), series::VARCHAR[], NULL
FROM numbers
WHERE diff_trend(series) <> 'steady'
)
ORDER BY kind DESC, diff_rank(change), abs(delta) DESC, change, subject, what;
