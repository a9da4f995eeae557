-- Pattern: Insufficient Memory (Kernel Pool)
-- Section: C
-- Question: Which tag eats the pool?
-- Tables: pool_tags, memory_counters
-- Needs: pool_tags
-- Reading: one row a tag that holds at least a quarter of all bytes of its kind of pool and at least 64 MiB: strong at
--   half or more of the pool, or where its bytes pass three quarters of the limit that the kernel states for nonpaged
--   pool. outstanding is allocations minus frees.
-- Limits: a big tag is not a leak by itself; two dumps tell (Pool Leak). Tags that count memory which is not pool
--   (protected or of big tables) are counted as the kernel counts them.
WITH used AS (
    SELECT dump_id, tag, 'nonpaged' AS kind, nonpaged_bytes AS bytes, nonpaged_allocs AS allocs, nonpaged_frees AS frees
    FROM pool_tags
    UNION ALL
    SELECT dump_id, tag, 'paged', paged_bytes, paged_allocs, paged_frees FROM pool_tags),
limits AS (
    SELECT dump_id, 'nonpaged' AS kind, any_value(bytes) AS most
    FROM memory_counters WHERE name = 'MaximumNonPagedPoolInPages' AND value > 0 GROUP BY ALL),
shared AS (
    SELECT u.*, sum(bytes) OVER (PARTITION BY u.dump_id, u.kind) AS total, l.most
    FROM used AS u LEFT JOIN limits AS l ON l.dump_id = u.dump_id AND l.kind = u.kind)
SELECT dump_id, 'pool tag' AS subject_kind, tag || ' (' || kind || ')' AS subject, NULL::UBIGINT AS address,
       json_object('tag', tag, 'pool', kind, 'bytes', bytes, 'share', round(bytes / total, 3), 'outstanding',
                   TRY_CAST(allocs::HUGEINT - frees AS BIGINT), 'limit', most) AS evidence,
       'Tag ' || tag || ' holds ' || round(100 * bytes / total)::INTEGER || ' % of ' || kind || ' pool: '
           || bytes // 1048576 || ' MiB.' AS reading,
       CASE WHEN bytes >= total / 2 OR bytes >= 0.75 * most THEN 'strong' ELSE 'weak' END AS strength
FROM shared
WHERE bytes >= 67108864 AND bytes >= total / 4
