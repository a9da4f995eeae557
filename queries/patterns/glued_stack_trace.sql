-- Pattern: Glued Stack Trace
-- Section: A
-- Question: Which broken stacks could be joined again?
-- Tables: stacks, frames, processes
-- Needs: stacks
-- Weight: context
-- Reading: one row a thread whose walk lost its way, found a return address further up by looking at each word, and then
--   unwound on: joins are the frames at which the halves meet. Strong where the second half ends at the thread's start,
--   which a wrong joint hardly does.
-- Limits: frames between the halves are missing, and nothing tells how many.
SELECT s.dump_id, 'thread' AS subject_kind, who(any_value(p.name), any_value(s.process_id), any_value(s.thread_id)) AS subject,
       s.ethread AS address,
       json_object('gave_way', any_value(s.gave_way), 'joins', list(f."index" || ': ' || f.text ORDER BY f."index")[1:8],
                   'frames', any_value(s.frames), 'ended', any_value(s.end_reason)) AS evidence,
       'The walk gave way (' || any_value(s.gave_way) || '), went on at frame ' || min(f."index") || ' and ended at: '
           || any_value(s.end_reason) || '.' AS reading,
       CASE any_value(s.end_reason) WHEN 'thread start' THEN 'strong' ELSE 'weak' END AS strength
FROM stacks AS s
JOIN frames AS f ON f.dump_id = s.dump_id AND thread_key(f.ethread, f.thread_id) = thread_key(s.ethread, s.thread_id) AND f.method = 'scan' AND f."index" > 0
LEFT JOIN processes AS p ON p.dump_id = s.dump_id AND p.process_id = s.process_id
WHERE s.gave_way IS NOT NULL
  AND EXISTS (SELECT 1 FROM frames AS u WHERE u.dump_id = s.dump_id AND thread_key(u.ethread, u.thread_id) = thread_key(s.ethread, s.thread_id)
              AND u.method IN ('unwind', 'frame data', 'frame pointer', 'leaf') AND u."index" > f."index")
GROUP BY s.dump_id, s.ethread, s.thread_id
