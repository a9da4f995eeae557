-- Pattern: Spiking Thread
-- Section: D
-- Question: Which thread burns processor time?
-- Tables: threads, processes, dumps, stacks
-- Needs: none
-- Reading: one row a thread that used at least ten seconds and a tenth of the time since it was created (or since boot).
--   Strong from one half on, or where it runs at the moment of the dump; idle threads are left out.
-- Limits: time used long ago counts like time used now; two dumps of one boot tell the rest.
WITH timed AS (
    SELECT t.*, coalesce(t.kernel_time_seconds, 0) + coalesce(t.user_time_seconds, 0) AS used,
           least(d.uptime_seconds, greatest(epoch(d.system_time) - epoch(t.create_time), 1)) AS age
    FROM threads AS t JOIN dumps AS d USING (dump_id)
    WHERE t.thread_id <> 0 AND coalesce(t.process_id, 1) <> 0)
SELECT t.dump_id, 'thread' AS subject_kind, who(p.name, t.process_id, t.thread_id) AS subject, coalesce(t.ethread, t.teb) AS address,
       json_object('kernel_seconds', t.kernel_time_seconds, 'user_seconds', t.user_time_seconds, 'age_seconds', t.age, 'share',
                   round(t.used / t.age, 3), 'state', t.state_name, 'does', s.top_function) AS evidence,
       'It used ' || round(t.used, 1) || ' s of processor time in ' || round(t.age)::BIGINT || ' s.' AS reading,
       CASE WHEN t.used >= 0.5 * t.age OR t.state = 2 THEN 'strong' ELSE 'weak' END AS strength
FROM timed AS t
LEFT JOIN processes AS p ON p.dump_id = t.dump_id AND p.process_id = t.process_id
LEFT JOIN stacks AS s ON s.dump_id = t.dump_id AND thread_key(s.ethread, s.thread_id) = thread_key(t.ethread, t.thread_id)
WHERE t.used >= 10 AND t.used >= 0.1 * t.age
