-- Question: Which counters of memory management moved: commit, free pages, pools?
-- Tables: memory_counters, dumps
-- How to read it: `FROM diff_memory(['d...', 'd...'])`. One row a counter that moved, in its own unit (what). With
--   three dumps and more change tells a leak (`rising`) from a wave.
-- Cannot compare: a counter that one of two dumps does not have; it is left out.
CREATE MACRO diff_memory(ids) AS TABLE
WITH series AS (
    SELECT name AS subject, unit AS what,
           diff_align(ids, map_from_entries(list((dump_id, value))), NULL::VARCHAR[], NULL) AS series
    FROM (SELECT dump_id, name, unit, any_value(value)::HUGEINT AS value
          FROM memory_counters WHERE list_contains(ids, dump_id) GROUP BY ALL)
    GROUP BY ALL
)
SELECT 'counter' AS kind, subject, what, diff_trend(series) AS change,
       diff_known(series)[1]::VARCHAR AS before, diff_known(series)[-1]::VARCHAR AS after,
       diff_delta(series) AS delta,
       diff_per_hour(series, diff_hours(ids)) AS per_hour,
       series::VARCHAR[] AS history, NULL::VARCHAR AS details
FROM series
WHERE diff_trend(series) <> 'steady'
ORDER BY diff_rank(change), abs(delta) DESC, subject;
