-- Pattern: Shared Thread, Input Thread
-- Section: D
-- Question: Which threads serve many, and which read input?
-- Tables: frames, threads, processes, work_items
-- Needs: stacks
-- Weight: context
-- Reading: one row a thread whose stack stands in the reading of messages, of raw input or of a device for input (input), in a
--   pool of workers or a queue (shared): the answer to "which thread would have done it". Certain where the function's
--   name says so, by an unwound frame; weak by a guessed one.
-- Limits: names of user32 and win32k need symbols or exports; without them only threads of a queue are seen.
WITH role(symbol, role) AS (
    VALUES ('NtUserGetMessage', 'reads messages of windows'), ('NtUserPeekMessage', 'reads messages of windows'),
           ('ZwUserGetMessage', 'reads messages of windows'), ('GetMessageW', 'reads messages of windows'),
           ('GetMessageA', 'reads messages of windows'), ('xxxRealInternalGetMessage', 'reads messages of windows'),
           ('RawInputThread', 'reads keyboards and mice'), ('xxxDesktopThread', 'serves a desktop'),
           ('ExpWorkerThread', 'is a worker of the kernel'), ('TppWorkerThread', 'is a worker of a thread pool'),
           ('NtWaitForWorkViaWorkerFactory', 'is a worker of a thread pool'), ('ZwWaitForWorkViaWorkerFactory', 'is a worker of a thread pool'),
           ('NtRemoveIoCompletion', 'serves a completion port'), ('NtRemoveIoCompletionEx', 'serves a completion port')),
found AS (
    SELECT f.dump_id, f.ethread, f.thread_id, arg_min(r.role, f."index") AS role, arg_min(f.text, f."index") AS place,
           arg_min(f.confidence, f."index") AS confidence
    FROM frames AS f JOIN role AS r USING (symbol) GROUP BY ALL
    UNION ALL
    SELECT t.dump_id, t.ethread, t.thread_id, 'serves a queue', 'queue ' || hex_address(t.queue), 'medium'
    FROM threads AS t WHERE t.queue <> 0 AND NOT coalesce(t.terminated, false))
SELECT f.dump_id, 'thread' AS subject_kind, who(any_value(p.name), any_value(t.process_id), any_value(t.thread_id)) AS subject,
       f.ethread AS address,
       json_object('places', list(f.place ORDER BY f.role), 'roles', list(f.role ORDER BY f.role), 'state', any_value(t.state_name)) AS evidence,
       'It ' || string_agg(DISTINCT f.role, ' and ' ORDER BY f.role) || '.' AS reading,
       CASE WHEN bool_or(f.confidence = 'high') THEN 'certain' WHEN bool_or(f.confidence = 'medium') THEN 'strong' ELSE 'weak' END AS strength
FROM found AS f
JOIN threads AS t ON t.dump_id = f.dump_id AND thread_key(t.ethread, t.thread_id) = thread_key(f.ethread, f.thread_id)
LEFT JOIN processes AS p ON p.dump_id = t.dump_id AND p.process_id = t.process_id
GROUP BY f.dump_id, f.ethread, f.thread_id
