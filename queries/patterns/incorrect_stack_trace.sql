-- Pattern: Incorrect Stack Trace
-- Section: A
-- Question: Which stacks should be doubted?
-- Tables: frames, processes
-- Needs: stacks
-- Weight: context
-- Reading: one row a thread with frames that are guesses (low: words that point to code and nothing more), or whose stack
--   pointer falls from one kernel frame to the next outer one without a trap between. Certain for the latter; strong where
--   at least half of five or more frames of a kernel dump are low.
-- Limits: a small dump holds no code, so every frame but the first is a guess there: its stacks are doubtful, not wrong.
WITH step AS (
    SELECT *, lead(sp) OVER w AS outer_sp, lead(mode) OVER w AS outer_mode, lead(method) OVER w AS outer_method,
           lead(stack) OVER w AS outer_stack
    FROM frames WINDOW w AS (PARTITION BY dump_id, ethread, thread_id ORDER BY "index")),
judged AS (
    SELECT dump_id, ethread, any_value(process_id) AS process_id, thread_id, count(*) AS frames,
           count(*) FILTER (confidence = 'low') AS low,
           count(*) FILTER (mode = outer_mode AND stack IS NOT DISTINCT FROM outer_stack AND outer_sp < sp
                            AND outer_method <> 'trap') AS falls
    FROM step GROUP BY ALL)
SELECT j.dump_id, 'thread' AS subject_kind, who(p.name, j.process_id, j.thread_id) AS subject, j.ethread AS address,
       json_object('frames', j.frames, 'low', j.low, 'falling', j.falls) AS evidence,
       CASE WHEN j.falls > 0 THEN 'The stack pointer falls ' || j.falls || ' times on the way out'
            ELSE j.low || ' of ' || j.frames || ' frames are words that point to code and nothing more' END || '.' AS reading,
       CASE WHEN j.falls > 0 THEN 'certain' WHEN j.ethread IS NOT NULL AND j.frames >= 5 AND j.low * 2 >= j.frames THEN 'strong' ELSE 'weak' END AS strength
FROM judged AS j
LEFT JOIN processes AS p ON p.dump_id = j.dump_id AND p.process_id = j.process_id
WHERE j.falls > 0 OR (j.frames > 1 AND j.low > 0)
