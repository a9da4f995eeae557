-- Question: Which process collects handles, and of which kind?
-- Tables: handles, processes, dumps
-- How to read it: `FROM diff_handles(['d...', 'd...'])`. One row a process and type of object (what) whose number of
--   handles moved; with three dumps and more a leak is `rising`. Processes that were born or are gone in between are
--   in diff_processes.
-- Cannot compare: small dumps, which hold a few handles by chance; a process in a dump that does not hold its table of handles.
CREATE MACRO diff_handles(ids) AS TABLE
WITH alive AS (
    SELECT DISTINCT ON (dump_id, key) * FROM diff_processes_alive(ids) WHERE scope <> 'crash'
),
counted AS (
    SELECT dump_id, process_id, coalesce(type_name, '?') AS what, count(*)::HUGEINT AS value
    FROM handles
    WHERE list_contains(ids, dump_id) AND source <> 'PspCidTable'
    GROUP BY ALL
),
readable AS (
    -- A process whose table was read to its end has as many handles as there are rows, of all types.
    SELECT a.key, list(DISTINCT a.dump_id) AS dumps, any_value(a.subject) AS subject
    FROM alive AS a
    WHERE a.handle_count IS NOT NULL
       OR EXISTS (SELECT 1 FROM counted AS c WHERE c.dump_id = a.dump_id AND c.process_id = a.process_id)
    GROUP BY a.key
),
series AS (
    SELECT r.subject, c.what,
           diff_align(ids, map_from_entries(list((c.dump_id, c.value))), any_value(r.dumps), 0) AS series
    FROM counted AS c
    JOIN alive AS a ON a.dump_id = c.dump_id AND a.process_id = c.process_id
    JOIN readable AS r ON r.key = a.key
    GROUP BY r.key, r.subject, c.what
)
SELECT 'handles' AS kind, subject, what, diff_trend(series) AS change, diff_known(series)[1]::VARCHAR AS before,
       diff_known(series)[-1]::VARCHAR AS after, diff_delta(series) AS delta,
       diff_per_hour(series, diff_hours(ids)) AS per_hour,
       series::VARCHAR[] AS history, NULL::VARCHAR AS details
FROM series
WHERE diff_trend(series) <> 'steady'
ORDER BY diff_rank(change), abs(delta) DESC, subject, what;
