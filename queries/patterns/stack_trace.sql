-- Pattern: Stack Trace
-- Section: A
-- Question: What ran when it stopped?
-- Tables: crashes, stacks, frames
-- Needs: crash_stack
-- Weight: context
-- Reading: one row a crash: the stack of the thread that crashed. functions are its first frames, innermost first; a
--   question mark stands before those that are a guess. Certain when every frame was unwound from registers and the
--   walk reached the thread's start or user mode, weak when one is only a word of the stack that points into code.
-- Limits: a stack with weak frames may name functions that had returned before; the user part is there only where the
--   dump holds it.
SELECT c.dump_id, 'thread' AS subject_kind, who(c.process_name, c.process_id, c.thread_id) AS subject,
       c.ethread AS address,
       json_object('frames', any_value(s.frames), 'ended', any_value(s.end_reason), 'guessed',
                   count(*) FILTER (f.confidence <> 'high'), 'functions',
                   list(CASE WHEN f.confidence = 'high' THEN '' ELSE '?' END || f.text ORDER BY f."index")[1:16]) AS evidence,
       'It stopped in ' || arg_min(f.text, f."index") || ' with ' || any_value(s.frames) || ' frames; '
           || coalesce('what it did: ' || any_value(s.top_function), 'nothing but the kernel is near') || '.' AS reading,
       CASE WHEN bool_and(f.confidence = 'high' AND s.end_reason IN ('thread start', 'user mode')) THEN 'certain' WHEN bool_or(f.confidence = 'low') THEN 'weak'
            ELSE 'strong' END AS strength
FROM crashes AS c
JOIN stacks AS s ON s.dump_id = c.dump_id AND thread_key(s.ethread, s.thread_id) = thread_key(c.ethread, c.thread_id)
JOIN frames AS f ON f.dump_id = s.dump_id AND thread_key(f.ethread, f.thread_id) = thread_key(s.ethread, s.thread_id)
GROUP BY c.dump_id, c.ethread, c.process_name, c.process_id, c.thread_id
