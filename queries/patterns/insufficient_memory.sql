-- Pattern: Insufficient Memory (Commit, Nonpaged Pool, Physical)
-- Section: C
-- Question: Which resource of memory is out, or was?
-- Tables: memory_counters, dumps
-- Needs: memory_counters
-- Reading: one row a resource: commit at 90 % of its limit (strong from 95 %) or with a peak there (weak); less than 1 %
--   of physical memory available (strong); nonpaged pool at 80 % of its maximum (strong).
-- Limits: the numbers are those of the moment of the dump. Session pool and system page-table entries are not counted
--   by any table yet.
WITH counter AS (
    SELECT dump_id, max(value) FILTER (name = 'TotalCommittedPages') AS used, max(value) FILTER (name = 'TotalCommitLimit') AS most,
           max(value) FILTER (name = 'PeakCommitment') AS peak, max(value) FILTER (name = 'AvailablePages') AS available,
           max(value) FILTER (name = 'NumberOfPhysicalPages') AS physical,
           max(value) FILTER (name = 'NonPagedPoolCommit') AS pool, max(value) FILTER (name = 'MaximumNonPagedPoolInPages') AS pool_most
    FROM memory_counters WHERE unit = 'pages' GROUP BY dump_id
    UNION ALL
    SELECT dump_id, mm_committed_pages, mm_commit_limit_max, mm_committed_pages_peak, NULL, NULL, NULL, NULL
    FROM dumps WHERE mm_commit_limit_max > 0),
judged AS (
    SELECT dump_id, unnest([
        {'what': 'commit', 'used': used, 'most': most, 'share': used / nullif(most, 0), 'low': 0.9, 'high': 0.95},
        {'what': 'peak of commit', 'used': peak, 'most': most, 'share': CASE WHEN used < 0.9 * most THEN peak / nullif(most, 0) END, 'low': 0.95, 'high': 9.0},
        {'what': 'physical memory', 'used': physical::HUGEINT - available, 'most': physical,
         'share': CASE WHEN available <= physical THEN (physical - available) / nullif(physical, 0) END, 'low': 0.99, 'high': 0.99},
        {'what': 'nonpaged pool', 'used': pool, 'most': pool_most, 'share': pool / nullif(pool_most, 0), 'low': 0.8, 'high': 0.8}]) AS r
    FROM counter)
SELECT dump_id, 'resource' AS subject_kind, r.what AS subject, NULL::UBIGINT AS address,
       json_object('used_pages', r.used, 'limit_pages', r.most, 'share', round(r.share, 4)) AS evidence,
       round(100 * r.share, 1) || ' % of the limit of ' || r.what || ' was used.' AS reading,
       CASE WHEN r.share >= r.high THEN 'strong' ELSE 'weak' END AS strength
FROM judged
WHERE r.share >= r.low
