-- Question: What is the stack of every thread, as text?
-- Tables: stacks, frames, threads, processes
-- How to read it: replaces `!process 0 3f`, `!stacks` and, with WHERE stack LIKE '%name%', `!findstack`. One row a
--   thread; stack has all frames, innermost first, ` < ` between callee and caller, a ? before those that are no
--   more than a guess. ended says
--   why there are no more frames: `thread start` and `user mode` are whole stacks.
CREATE VIEW thread_stacks AS
WITH text AS (
    SELECT dump_id, ethread, thread_id,
           string_agg(CASE WHEN confidence = 'high' THEN text ELSE '?' || text END, ' < ' ORDER BY "index") AS stack
    FROM frames
    GROUP BY ALL
)
SELECT s.dump_id, s.process_id, p.name AS process, s.thread_id, t.state_name AS state,
       CASE WHEN t.state_name = 'Waiting' THEN t.wait_reason_name END AS wait_reason, s.top_function, s.frames,
       s.end_reason AS ended, s.stack_used, text.stack, s.hash, hex_address(s.ethread) AS ethread
FROM stacks AS s
LEFT JOIN text ON text.dump_id = s.dump_id AND thread_key(text.ethread, text.thread_id) = thread_key(s.ethread, s.thread_id)
LEFT JOIN threads AS t ON t.dump_id = s.dump_id AND thread_key(t.ethread, t.thread_id) = thread_key(s.ethread, s.thread_id)
LEFT JOIN processes AS p ON p.dump_id = s.dump_id AND p.process_id = s.process_id;
