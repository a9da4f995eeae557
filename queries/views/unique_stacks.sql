-- Question: Which stacks do many threads share, in one dump or in all of the lake?
-- Tables: stacks, frames, threads, processes
-- How to read it: replaces `!uniqstack`. One row for every different stack, the most frequent first; threads counts the
--   threads that have it, dumps the dumps in which they are, processes names some of their processes.
CREATE VIEW unique_stacks AS
SELECT count(*) AS threads, count(DISTINCT dump_id) AS dumps,
       list_sort(list_distinct(list(process)))[1:5] AS processes,
       -- Those of one and the same thread, whichever threads read the lake first.
       first(top_function ORDER BY dump_id, ethread, thread_id) AS top_function,
       first(frames ORDER BY dump_id, ethread, thread_id) AS frames,
       first(stack ORDER BY dump_id, ethread, thread_id) AS stack, hash
FROM thread_stacks
WHERE hash IS NOT NULL
GROUP BY hash
ORDER BY threads DESC, hash;
