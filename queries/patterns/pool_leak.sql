-- Pattern: Pool Leak between Snapshots
-- Section: C
-- Question: Which pool tag grew from dump to dump?
-- Tables: pool_tags, dumps, tag_constants
-- Needs: pool_tags, several_dumps
-- Scope: lake
-- Reading: one row a tag and the last dump of a boot, where the lake has two or more dumps of that boot (same kernel at the
--   same address, same time of boot): the tag's bytes never fell and grew by at least half in all. Strong where that is
--   1 MiB or more over three dumps or more; weak with two dumps, where a wave looks the same, and for less than 1 MiB that
--   rose from each of three dumps to the next.
-- Limits: caches grow too, until they are full. owners are the modules whose code holds the tag as a
--   constant: who is near, not who forgot to free.
WITH of_boot AS (
    SELECT dump_id, uptime_seconds AS up, kernel_base,
           round((epoch(system_time) - uptime_seconds) / 60) AS boot
    FROM dumps WHERE kernel_base IS NOT NULL AND uptime_seconds IS NOT NULL AND system_time IS NOT NULL),
used AS (
    SELECT b.*, t.tag, t."key", t.nonpaged_bytes::HUGEINT + t.paged_bytes AS bytes,
           t.nonpaged_allocs::HUGEINT + t.paged_allocs - t.nonpaged_frees - t.paged_frees AS blocks,
           lag(t.nonpaged_bytes::HUGEINT + t.paged_bytes) OVER w AS before
    FROM of_boot AS b JOIN pool_tags AS t USING (dump_id)
    WINDOW w AS (PARTITION BY b.kernel_base, b.boot, t."key" ORDER BY b.up)),
trend AS (
    SELECT kernel_base, boot, any_value(tag) AS tag, count(*) AS dumps, arg_max(dump_id, up) AS dump_id,
           arg_min(bytes, up) AS first_bytes, arg_max(bytes, up) AS last_bytes, arg_min(blocks, up) AS first_blocks,
           arg_max(blocks, up) AS last_blocks, max(up) - min(up) AS seconds, bool_and(coalesce(bytes >= before, true)) AS never_fell,
           bool_and(coalesce(bytes > before, true)) AS always_rose
    FROM used GROUP BY kernel_base, boot, "key")
SELECT t.dump_id, 'pool tag' AS subject_kind, t.tag AS subject, NULL::UBIGINT AS address,
       json_object('tag', t.tag, 'owners', o.modules, 'dumps', dumps, 'first_bytes', first_bytes, 'last_bytes', last_bytes, 'first_blocks',
                   first_blocks, 'last_blocks', last_blocks, 'seconds', seconds, 'bytes_per_hour',
                   round((last_bytes - first_bytes) * 3600 / nullif(seconds, 0))) AS evidence,
       'Tag ' || t.tag || coalesce(' (' || array_to_string(o.modules[1:3], ', ') || ')', '') || ' grew from ' || first_bytes // 1024 || ' to ' || last_bytes // 1024 || ' KiB over ' || dumps
           || ' dumps and never fell.' AS reading,
       CASE WHEN dumps >= 3 AND last_bytes - first_bytes >= 1048576 THEN 'strong' ELSE 'weak' END AS strength
FROM trend AS t
LEFT JOIN (SELECT dump_id, tag, list(module ORDER BY module) AS modules
           FROM (SELECT DISTINCT dump_id, tag, module FROM tag_constants WHERE kind = 'immediate') GROUP BY ALL) AS o
    ON o.dump_id = t.dump_id AND o.tag = t.tag
WHERE dumps >= 2 AND never_fell AND (last_bytes - first_bytes >= 1048576 OR (dumps >= 3 AND always_rose AND last_bytes - first_bytes >= 4096))
  AND last_bytes >= first_bytes + first_bytes / 2
