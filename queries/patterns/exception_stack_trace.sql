-- Pattern: Exception Stack Trace
-- Section: A
-- Question: Which threads were handling an exception?
-- Tables: frames, processes
-- Needs: stacks
-- Weight: context
-- Reading: one row a thread: in function is the frame that handles the exception. Certain where a function's name says
--   so and its frame was unwound; strong where code of the kernel was interrupted below KeBugCheckEx; weak where the
--   frame is a guess.
-- Limits: names of functions that are not exported need symbols of the kernel (`--symbols`); without them only the
--   crash itself is seen. A handler that has returned is gone.
WITH handled AS (
    SELECT dump_id, ethread, thread_id, arg_min(text, "index") AS handler, arg_min(confidence, "index") AS confidence,
           arg_min(ip, "index") AS ip, arg_min("index", "index") AS depth
    FROM frames
    WHERE symbol IN ('KiDispatchException', 'KiExceptionDispatch', 'RtlDispatchException', 'KiUserExceptionDispatch',
                     'KiUserExceptionDispatcher', 'UnhandledExceptionFilter', 'RtlpExecuteHandlerForException',
                     'KiBugCheckDispatch', 'PspSystemThreadStartup$filt$0')
       OR symbol LIKE 'WerpReportFault%'
    GROUP BY ALL),
stopped AS (
    SELECT t.dump_id, t.ethread, t.thread_id, min(t.text) AS trapped, max(t.confidence) AS confidence, min(t.ip) AS ip,
           min(t."index") AS depth
    FROM frames AS t
    JOIN frames AS b ON b.dump_id = t.dump_id AND thread_key(b.ethread, b.thread_id) = thread_key(t.ethread, t.thread_id) AND b."index" < t."index"
    WHERE t.method = 'trap' AND t.mode = 'kernel' AND b.symbol IN ('KeBugCheckEx', 'KeBugCheck', 'KeBugCheck2')
    GROUP BY ALL),
found AS (
    SELECT dump_id, ethread, thread_id, handler AS place, depth, ip, 'an exception is handled by ' || handler AS what,
           CASE confidence WHEN 'high' THEN 'certain' WHEN 'medium' THEN 'strong' ELSE 'weak' END AS strength
    FROM handled
    UNION ALL
    SELECT dump_id, ethread, thread_id, trapped, depth, ip, 'code was interrupted at ' || trapped || ' and the system stopped for it',
           CASE confidence WHEN 'high' THEN 'strong' ELSE 'weak' END
    FROM stopped
    ANTI JOIN handled AS h ON h.dump_id = stopped.dump_id
        AND thread_key(h.ethread, h.thread_id) = thread_key(stopped.ethread, stopped.thread_id)),
thread AS (SELECT DISTINCT dump_id, ethread, process_id, thread_id FROM frames WHERE "index" = 0)
SELECT f.dump_id, 'thread' AS subject_kind, who(p.name, t.process_id, t.thread_id) AS subject, f.ethread AS address,
       json_object('place', f.place, 'frame', f.depth, 'ip', hex_address(f.ip)) AS evidence,
       'On its stack ' || f.what || ' (frame ' || f.depth || ').' AS reading, f.strength
FROM found AS f
JOIN thread AS t ON t.dump_id = f.dump_id AND thread_key(t.ethread, t.thread_id) = thread_key(f.ethread, f.thread_id)
LEFT JOIN processes AS p ON p.dump_id = t.dump_id AND p.process_id = t.process_id
