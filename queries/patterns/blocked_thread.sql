-- Pattern: Blocked Thread, Suspended Thread
-- Section: D
-- Question: Which threads are suspended, or have waited in the kernel for very long?
-- Tables: threads, processes, stacks, dumps
-- Needs: none
-- Reading: one row a thread that was suspended (certain; count says how often), or that has waited for more than an hour
--   inside of the kernel for something that is normally short: a page, a lock, a request (strong).
-- Limits: a debugger and the writer of a user minidump suspend threads themselves; of a user minidump only threads that
--   are suspended more often than most of their process are told.
WITH usual AS (
    SELECT t.dump_id, mode(t.suspend_count) AS times
    FROM threads AS t JOIN dumps AS d USING (dump_id)
    WHERE d.format = 'user minidump' GROUP BY t.dump_id)
SELECT t.dump_id, 'thread' AS subject_kind, who(p.name, t.process_id, t.thread_id) AS subject, coalesce(t.ethread, t.teb) AS address,
       json_object('suspend_count', t.suspend_count, 'state', t.state_name, 'wait_reason', t.wait_reason_name, 'seconds',
                   t.wait_seconds, 'does', s.top_function, 'frozen_with_process', t.freeze_count) AS evidence,
       CASE WHEN t.suspend_count > 0 THEN 'It was suspended ' || t.suspend_count || ' times.'
            ELSE 'It has waited in the kernel for ' || round(t.wait_seconds)::BIGINT || ' s (' || t.wait_reason_name || ').' END AS reading,
       CASE WHEN t.suspend_count > 0 THEN 'certain' ELSE 'strong' END AS strength
FROM threads AS t
LEFT JOIN processes AS p ON p.dump_id = t.dump_id AND p.process_id = t.process_id
LEFT JOIN stacks AS s ON s.dump_id = t.dump_id AND thread_key(s.ethread, s.thread_id) = thread_key(t.ethread, t.thread_id)
LEFT JOIN usual AS u ON u.dump_id = t.dump_id
WHERE NOT coalesce(t.terminated, false)
  AND (t.suspend_count > coalesce(u.times, 0) OR (t.state = 5 AND t.wait_seconds > 3600 AND t.wait_mode = 0
       AND t.wait_reason_name IN ('FreePage', 'PageIn', 'WrFreePage', 'WrPageIn', 'WrResource', 'WrPushLock', 'WrFastMutex',
                                  'WrGuardedMutex', 'WrMutex', 'WrExecutive', 'Executive', 'WrVirtualMemory', 'WrPageOut')))
