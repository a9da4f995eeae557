-- Question: Which pool tag leaks?
-- Tables: pool_tags, pool_allocations, big_pool, tag_constants, dumps
-- How to read it: `FROM diff_pool(['d...', 'd...', 'd...'])`. kind `pool tag` is what the kernel's own counters of a tag
--   say, `pool blocks` what the sweep over memory found in use, `big pool blocks` what the kernel's table of them has.
--   what is the measure. With three dumps and more a tag
--   that leaks is `rising` and stands before one that comes and goes (`wave`), however big its swing. details names
--   up to three modules whose code has the tag (else whose data; tag_owner has all), and of blocks how many are new in
--   the last dump and how many are gone, matched by address, tag and size.
-- Cannot compare: small dumps, which hold a few blocks by chance; dumps in which one of the tables was not read; single blocks of another run of Windows, since their
--   addresses mean nothing. Blocks on pages that one of the dumps does not hold look new or gone.
-- Blocks in use, of the dumps of a list. Which blocks are in a small dump is chance, so that it has none here.
CREATE MACRO diff_pool_used(ids) AS TABLE
SELECT dump_id, 'pool blocks' AS part, tag, va AS address, size::UBIGINT AS size, kind, allocator, preview
FROM pool_allocations
WHERE list_contains(ids, dump_id) AND list_contains(diff_whole(ids), dump_id) AND state = 'allocated' AND va IS NOT NULL
UNION ALL
SELECT dump_id, 'big pool blocks', tag, address, coalesce(size, 0),
       CASE paged WHEN true THEN 'paged' WHEN false THEN 'nonpaged' END, 'big', NULL
FROM big_pool
WHERE list_contains(ids, dump_id) AND list_contains(diff_whole(ids), dump_id) AND NOT free;

-- Each block of two dumps of one run of Windows, and which of them has it. Of tables that were read in both only.
CREATE MACRO diff_pool_matched(earlier, later) AS TABLE
SELECT part, tag, address, size, any_value(kind) AS kind, any_value(allocator) AS allocator,
       any_value(preview) AS preview, bool_or(dump_id = earlier) AS in_first, bool_or(dump_id = later) AS in_last
FROM diff_pool_used([earlier, later])
WHERE (SELECT coalesce(bool_and(same_boot), false) FROM diff_snapshots([earlier, later]))
  AND len(diff_whole([earlier, later])) = 2
  AND list_contains(
      (SELECT list(part) FROM (
          SELECT 'pool blocks' AS part, dump_id FROM pool_allocations WHERE list_contains([earlier, later], dump_id)
          UNION SELECT 'big pool blocks', dump_id FROM big_pool WHERE list_contains([earlier, later], dump_id))
       WHERE dump_id <> earlier), part)
  AND list_contains(
      (SELECT list(part) FROM (
          SELECT 'pool blocks' AS part, dump_id FROM pool_allocations WHERE list_contains([earlier, later], dump_id)
          UNION SELECT 'big pool blocks', dump_id FROM big_pool WHERE list_contains([earlier, later], dump_id))
       WHERE dump_id = earlier), part)
GROUP BY part, tag, address, size;

-- The blocks that are new or gone: `FROM diff_pool_blocks('d...', 'd...') WHERE tag = 'Leak'`.
CREATE MACRO diff_pool_blocks(earlier, later) AS TABLE
SELECT CASE WHEN in_last THEN 'new' ELSE 'gone' END AS change, tag, hex_address(address) AS address, size, kind, allocator,
       preview
FROM diff_pool_matched(earlier, later)
WHERE in_first <> in_last
ORDER BY tag, change DESC, address;

CREATE MACRO diff_pool(ids) AS TABLE
WITH counters AS (
    SELECT 'pool tag' AS kind, dump_id, tag, what, value
    FROM (
        UNPIVOT (
            SELECT dump_id, tag, sum(nonpaged_bytes)::HUGEINT AS "nonpaged bytes",
                   sum(paged_bytes)::HUGEINT AS "paged bytes",
                   sum(nonpaged_allocs::HUGEINT - nonpaged_frees)::HUGEINT AS "nonpaged blocks",
                   sum(paged_allocs::HUGEINT - paged_frees)::HUGEINT AS "paged blocks"
            FROM pool_tags
            WHERE list_contains(ids, dump_id) AND list_contains(diff_whole(ids), dump_id)
            GROUP BY dump_id, tag
        ) ON "nonpaged bytes", "paged bytes", "nonpaged blocks", "paged blocks" INTO NAME what VALUE value)
),
swept AS (
    SELECT part AS kind, dump_id, tag, what, value
    FROM (
        UNPIVOT (
            SELECT part, dump_id, tag, sum(size)::HUGEINT AS bytes, count(*)::HUGEINT AS blocks
            FROM diff_pool_used(ids) GROUP BY part, dump_id, tag
        ) ON bytes, blocks INTO NAME what VALUE value)
),
measured AS (FROM counters UNION ALL FROM swept),
read AS (SELECT kind, list(DISTINCT dump_id) AS dumps FROM measured GROUP BY kind),
series AS (
    SELECT kind, tag, what, diff_align(ids, map_from_entries(list((dump_id, value))), any_value(dumps), 0) AS series
    FROM measured JOIN read USING (kind)
    GROUP BY kind, tag, what
),
turnover AS (
    SELECT part AS kind, tag, count(*) FILTER (in_last AND NOT in_first) AS born,
           count(*) FILTER (in_first AND NOT in_last) AS gone
    FROM diff_pool_matched(ids[1], ids[-1])
    GROUP BY part, tag
),
owners AS (
    SELECT tag, list_sort(list(DISTINCT module)) AS modules
    FROM (SELECT tag, module, kind, min(kind) OVER (PARTITION BY tag) AS best
          FROM tag_constants WHERE list_contains(ids, dump_id))
    WHERE kind = best -- `immediate` comes before `string`
    GROUP BY tag
)
SELECT s.kind, s.tag AS subject, s.what, diff_trend(s.series) AS change, diff_known(s.series)[1]::VARCHAR AS before,
       diff_known(s.series)[-1]::VARCHAR AS after, diff_delta(s.series) AS delta,
       diff_per_hour(s.series, diff_hours(ids)) AS per_hour,
       s.series::VARCHAR[] AS history, nullif(concat_ws('; ', t.born || ' new, ' || t.gone || ' gone',
           'tag in ' || array_to_string(o.modules[1:3], ', ')
               || CASE WHEN len(o.modules) > 3 THEN concat(' and ', len(o.modules) - 3, ' more') ELSE '' END), '') AS details
FROM series AS s
LEFT JOIN turnover AS t USING (kind, tag)
LEFT JOIN owners AS o USING (tag)
WHERE diff_trend(s.series) <> 'steady'
ORDER BY diff_rank(change), s.what NOT LIKE '%bytes', abs(delta) DESC, s.kind DESC, s.tag, s.what;
