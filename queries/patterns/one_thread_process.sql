-- Pattern: One-Thread Process
-- Section: D
-- Question: Which process has one thread left where it had more?
-- Tables: processes, threads, stacks, frames
-- Needs: processes
-- Reading: one row a process with exactly one living thread that had at least three at its peak. Strong where it is ending
--   or that thread's stack stands in the end of a process, a loader lock or the rundown of threads; weak otherwise.
-- Limits: without the user part of the stack (or symbols) the path is not seen; some programs fall back to one thread
--   when idle.
WITH ending AS (
    SELECT dump_id, ethread, thread_id, arg_min(text, "index") AS place
    FROM frames
    WHERE symbol IN ('NtTerminateProcess', 'PspExitThread', 'PspTerminateThreadByPointer', 'RtlExitUserProcess', 'LdrShutdownProcess',
                     'ExitProcess', 'LdrpDrainWorkQueue', 'LdrpLoaderLock', 'LdrLockLoaderLock', 'PspExitProcess', 'MmCleanProcessAddressSpace')
    GROUP BY ALL),
alive AS (
    SELECT dump_id, eprocess, count(*) AS n, any_value(ethread) AS ethread, any_value(thread_id) AS thread_id,
           any_value(state_name) AS state, any_value(wait_reason_name) AS reason
    FROM threads WHERE NOT coalesce(terminated, false) AND coalesce(in_kernel_list, in_process_list, false) GROUP BY ALL)
SELECT p.dump_id, 'process' AS subject_kind, who(p.name, p.process_id, NULL) AS subject, p.eprocess AS address,
       json_object('threads', a.n, 'peak', p.peak_thread_count, 'thread', a.thread_id, 'state', a.state, 'wait_reason', a.reason,
                   'place', e.place, 'ending', p.exiting, 'does', s.top_function) AS evidence,
       'One thread of ' || p.peak_thread_count || ' at the peak is left'
           || CASE WHEN e.place IS NOT NULL THEN ', in ' || e.place WHEN p.exiting THEN ', and the process is ending' ELSE '' END || '.' AS reading,
       CASE WHEN e.place IS NOT NULL OR p.exiting THEN 'strong' ELSE 'weak' END AS strength
FROM processes AS p
JOIN alive AS a ON a.dump_id = p.dump_id AND a.eprocess = p.eprocess
LEFT JOIN ending AS e ON e.dump_id = a.dump_id AND thread_key(e.ethread, e.thread_id) = thread_key(a.ethread, a.thread_id)
LEFT JOIN stacks AS s ON s.dump_id = a.dump_id AND thread_key(s.ethread, s.thread_id) = thread_key(a.ethread, a.thread_id)
WHERE a.n = 1 AND p.thread_count = 1 AND p.peak_thread_count >= 3 AND NOT coalesce(p.exited, false) AND p.process_id <> 4
