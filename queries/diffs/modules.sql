-- Question: Which kernel modules were loaded, unloaded or replaced by another build?
-- Tables: modules, faults, dumps
-- How to read it: `FROM diff_modules(['d...', 'd...'])`. One row a file name. `changed` is another file of that name, by
--   link time or size; `moved` is the same one at another address in the same run of Windows: it was unloaded and
--   loaded again.
-- Cannot compare: dumps without a list of kernel modules (user minidumps, damaged lists), and link times or sizes that
--   a dump does not state (small dumps have a link time of 0 for some).
CREATE MACRO diff_modules(ids) AS TABLE
WITH loaded AS (
    SELECT m.dump_id, lower(m.name) AS name, min(m.base) AS base, arg_min(nullif(m.timestamp, 0), m.base) AS timestamp,
           arg_min(m.size, m.base) AS size, arg_min(m.version, m.base) AS version, arg_min(m.path, m.base) AS path,
           count(*) AS images
    FROM modules AS m
    WHERE list_contains(ids, m.dump_id) AND m.process_id IS NULL AND m.name IS NOT NULL
      AND (m.source NOT IN ('pool header', 'object''s members') OR m.hidden)
    GROUP BY m.dump_id, lower(m.name)
),
usable AS (
    SELECT list(DISTINCT dump_id) AS dumps FROM loaded
    WHERE dump_id NOT IN (
        SELECT s.dump_id FROM diff_snapshots(ids) AS s
        LEFT JOIN faults AS f ON f.dump_id = s.dump_id AND list_contains(ids, f.dump_id)
            AND f.structure = 'PsLoadedModuleList'
        -- Small dumps have a list of their own.
        WHERE s.scope = 'process' OR s.scope = 'system' AND f.structure IS NOT NULL)
),
series AS (
    SELECT name,
           diff_align(ids, map_from_entries(list((dump_id, coalesce(version, 'loaded')))), any_value(dumps), '')
               AS texts,
           diff_align(ids, map_from_entries(list((dump_id, hex_code(timestamp)))), NULL::VARCHAR[], NULL) AS times,
           diff_align(ids, map_from_entries(list((dump_id, size::VARCHAR))), NULL::VARCHAR[], NULL) AS sizes,
           diff_align(ids, map_from_entries(list((dump_id, hex_address(base)))), NULL::VARCHAR[], NULL) AS bases,
           any_value(path) AS path
    FROM loaded, usable
    WHERE list_contains(dumps, dump_id)
    GROUP BY name
),
judged AS (
    SELECT *, coalesce(
        diff_change(list_transform(texts, lambda seen: CASE WHEN seen <> '' THEN 'loaded' ELSE seen END)),
        diff_change(times), diff_change(sizes),
        CASE WHEN (SELECT bool_and(same_boot) FROM diff_snapshots(ids)) AND diff_change(bases) IS NOT NULL
             THEN 'moved' END) AS change
    FROM series
)
SELECT 'module' AS kind, name AS subject, NULL::VARCHAR AS what, change,
       diff_known(texts)[1] AS before, diff_known(texts)[-1] AS after, NULL::HUGEINT AS delta,
       NULL::DOUBLE AS per_hour, texts AS history,
       concat_ws(', ', path,
           CASE WHEN diff_change(times) IS NOT NULL
                THEN concat('link time ', diff_known(times)[1], ' to ', diff_known(times)[-1]) END,
           CASE WHEN diff_change(sizes) IS NOT NULL
                THEN concat('size ', diff_known(sizes)[1], ' to ', diff_known(sizes)[-1]) END,
           CASE WHEN change = 'moved' THEN concat('base ', diff_known(bases)[1], ' to ', diff_known(bases)[-1]) END
       ) AS details
FROM judged
WHERE change IS NOT NULL
ORDER BY list_position(['changed', 'moved'], change) NULLS LAST, change, subject;
