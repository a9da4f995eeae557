-- Question: Which crashes are alike, and how often did each happen?
-- Tables: crashes, dumps
-- How to read it: one row a bucket, the most frequent first: what the code, the module and the function (or its offset)
--   have in common. culprit is a judgement, and rule says how it was made (`crashes.culprit_rule`).
CREATE VIEW crash_buckets AS
SELECT c.bucket, count(*) AS dumps, min(coalesce(c.bugcheck_name, c.exception_name)) AS name,
       min(c.culprit) AS culprit, min(c.culprit_rule) AS rule,
       list_sort(list_distinct(list(c.process_name)))[1:5] AS processes,
       list_sort(list_distinct(list(d.build))) AS builds, min(d.system_time) AS first_seen,
       max(d.system_time) AS last_seen, list_sort(list(c.dump_id))[1:5] AS examples
FROM crashes AS c
JOIN dumps AS d USING (dump_id)
GROUP BY c.bucket
ORDER BY dumps DESC, c.bucket;
