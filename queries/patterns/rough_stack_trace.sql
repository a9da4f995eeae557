-- Pattern: Rough Stack Trace
-- Section: B
-- Question: Which return addresses does a stack hold whose walk failed?
-- Tables: residue, stacks, processes
-- Needs: residue
-- Weight: context
-- Reading: one row a thread: the return addresses of its stack from the stack pointer up, in address order, of threads whose
--   walk did not reach the start or gave way. Strong where one of them is of high confidence; a question mark stands
--   before the others. The view rough_stack has the words of all stacks.
-- Limits: words of calls that returned long ago stand between those of frames.
WITH word AS (
    SELECT dump_id, ethread, any_value(process_id) AS process_id, any_value(thread_id) AS thread_id, count(*) AS n, min(va) AS va,
           list(CASE WHEN confidence = 'high' THEN '' ELSE '?' END || coalesce(symbol, module) || '+' || printf('0x%x', "offset") ORDER BY va)[1:24] AS words,
           count(*) FILTER (confidence = 'high') AS high
    FROM residue WHERE page_kind = 'kernel stack' AND live AND ethread IS NOT NULL GROUP BY dump_id, ethread)
SELECT w.dump_id, 'thread' AS subject_kind, who(p.name, w.process_id, w.thread_id) AS subject, w.ethread AS address,
       json_object('words', w.n, 'high', w.high, 'frames', s.frames, 'ended', s.end_reason, 'addresses', w.words) AS evidence,
       'Its stack holds ' || w.n || ' return addresses; '
           || coalesce('the walk found ' || s.frames || ' frames and ended: ' || s.end_reason, 'nothing says where a walk would begin')
           || '.' AS reading,
       CASE WHEN w.high > 0 THEN 'strong' ELSE 'weak' END AS strength
FROM word AS w
LEFT JOIN stacks AS s ON s.dump_id = w.dump_id AND s.ethread = w.ethread
LEFT JOIN processes AS p ON p.dump_id = w.dump_id AND p.process_id = w.process_id
WHERE w.n > 1 AND NOT (coalesce(s.end_reason, '') IN ('thread start', 'user mode') AND s.gave_way IS NULL)
