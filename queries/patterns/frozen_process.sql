-- Pattern: Frozen Process
-- Section: D
-- Question: Which processes are frozen as a whole?
-- Tables: processes, threads, dumps
-- Needs: processes
-- Reading: one row a process with a freeze count, a deep freeze (a suspended store app), or of which every thread is
--   suspended (at least two). Certain for the first two.
-- Limits: that a suspended app is frozen is its normal state while nobody sees it.
WITH suspended AS (
    SELECT dump_id, process_id, count(*) AS n, count(*) FILTER (suspend_count > 0) AS stopped
    FROM threads SEMI JOIN (SELECT dump_id FROM dumps WHERE format <> 'user minidump') USING (dump_id)
    WHERE NOT coalesce(terminated, false) GROUP BY ALL)
SELECT p.dump_id, 'process' AS subject_kind, who(p.name, p.process_id, NULL) AS subject, p.eprocess AS address,
       json_object('freeze_count', p.freeze_count, 'deep_frozen', p.deep_frozen, 'threads', s.n, 'suspended', s.stopped) AS evidence,
       CASE WHEN p.deep_frozen THEN 'It is deeply frozen, as suspended store apps are.'
            WHEN p.freeze_count > 0 THEN 'It was frozen ' || p.freeze_count || ' times.'
            ELSE 'All of its ' || s.n || ' threads are suspended.' END AS reading,
       CASE WHEN p.deep_frozen OR p.freeze_count > 0 THEN 'certain' ELSE 'strong' END AS strength
FROM processes AS p
LEFT JOIN suspended AS s ON s.dump_id = p.dump_id AND s.process_id = p.process_id
WHERE NOT coalesce(p.exited, false) AND (p.freeze_count > 0 OR p.deep_frozen OR (s.n >= 2 AND s.stopped = s.n))
