-- Pattern: Dual Stack Trace
-- Section: B
-- Question: Which threads have both halves of their stack: kernel and user?
-- Tables: stacks, frames, processes
-- Needs: stacks
-- Weight: context
-- Reading: one row a thread whose kernel frames are joined to user frames over the trap frame of its system call or fault.
--   caller is the innermost user frame. Certain where the walk ended at the thread's start.
-- Limits: only dumps with user memory have the second half. The 32-bit half of a 32-bit program is not joined.
SELECT s.dump_id, 'thread' AS subject_kind, who(p.name, s.process_id, s.thread_id) AS subject, s.ethread AS address,
       json_object('kernel_frames', s.frames - s.user_frames, 'user_frames', s.user_frames, 'does', s.top_function, 'caller', u.caller,
                   'outermost', u.outermost, 'ended', s.end_reason) AS evidence,
       (s.frames - s.user_frames) || ' kernel frames and ' || s.user_frames || ' user frames, which meet at ' || u.caller || '.' AS reading,
       CASE WHEN s.end_reason = 'thread start' THEN 'certain' ELSE 'strong' END AS strength
FROM stacks AS s
JOIN (SELECT dump_id, ethread, thread_id, arg_min(text, "index") AS caller, arg_max(text, "index") AS outermost
      FROM frames WHERE mode = 'user' GROUP BY ALL) AS u ON u.dump_id = s.dump_id AND thread_key(u.ethread, u.thread_id) = thread_key(s.ethread, s.thread_id)
LEFT JOIN processes AS p ON p.dump_id = s.dump_id AND p.process_id = s.process_id
WHERE s.user_frames > 0 AND s.frames > s.user_frames
