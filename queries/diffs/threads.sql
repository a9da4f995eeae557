-- Question: Which process collects threads, and which threads were born and are gone?
-- Tables: threads, processes, dumps
-- How to read it: `FROM diff_threads(['d...', 'd...'])`. kind is `threads` for the number of threads of a process that
--   stayed, and `thread` for each that came or went in it, with where it began (details).
-- Cannot compare: processes of which a dump holds one thread only, as small dumps do.
CREATE MACRO diff_threads(ids) AS TABLE
WITH alive AS (
    SELECT DISTINCT ON (dump_id, key) * FROM diff_processes_alive(ids) WHERE scope <> 'crash'
),
running AS (
    SELECT DISTINCT a.dump_id, a.key AS process, a.subject, t.thread_id, date_trunc('second', t.create_time) AS born,
           t.name, coalesce(t.win32_start_owner, t.start_owner, hex_address(t.start_address)) AS start
    FROM threads AS t
    JOIN alive AS a ON a.dump_id = t.dump_id AND a.process_id = t.process_id
    WHERE list_contains(ids, t.dump_id) AND t.exit_time IS NULL AND NOT coalesce(t.terminated, false)
),
stayed AS (
    SELECT process, list(DISTINCT dump_id) AS dumps FROM running GROUP BY process HAVING count(DISTINCT dump_id) > 1
),
numbers AS (
    SELECT any_value(subject) AS subject,
           diff_align(ids, map_from_entries(list((dump_id, value))), NULL::VARCHAR[], NULL) AS series
    FROM (SELECT dump_id, process, any_value(subject) AS subject, count(DISTINCT thread_id)::HUGEINT AS value
          FROM running GROUP BY dump_id, process)
    GROUP BY process
),
presence AS (
    SELECT any_value(r.subject) AS subject, concat('thread ', r.thread_id) AS what,
           diff_align(ids, map_from_entries(list(DISTINCT (r.dump_id, 'running'))), any_value(s.dumps), '') AS texts,
           concat_ws(', ', any_value(r.name), 'began at ' || any_value(r.start)) AS details
    FROM running AS r
    JOIN stayed AS s USING (process)
    GROUP BY r.process, r.thread_id, r.born
)
SELECT * FROM (
SELECT 'threads' AS kind, subject, 'threads' AS what, diff_trend(series) AS change,
       diff_known(series)[1]::VARCHAR AS before, diff_known(series)[-1]::VARCHAR AS after, diff_delta(series) AS delta,
       diff_per_hour(series, diff_hours(ids)) AS per_hour,
       series::VARCHAR[] AS history, NULL::VARCHAR AS details
FROM numbers
WHERE diff_trend(series) <> 'steady'
UNION ALL
SELECT 'thread', subject, what, diff_change(texts), diff_known(texts)[1], diff_known(texts)[-1], NULL, NULL, texts,
       nullif(details, '')
FROM presence
WHERE diff_change(texts) IS NOT NULL
)
ORDER BY kind DESC, diff_rank(change), abs(delta) DESC, subject, what;
