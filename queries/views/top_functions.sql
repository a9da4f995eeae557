-- Question: In which function do most threads wait or run?
-- Tables: stacks, threads
-- How to read it: one row for every dump, function and state; the function is the innermost one that is not the
--   kernel's own waiting, switching or crashing (`stacks.top_function`), without its
--   offset; where the function is unknown, module and offset.
CREATE VIEW top_functions AS
SELECT s.dump_id, CASE WHEN contains(s.top_function, '!') THEN regexp_replace(s.top_function, '\+0x[0-9a-f]+$', '')
            ELSE s.top_function END AS function, t.state_name AS state,
       t.wait_reason_name AS wait_reason, count(*) AS threads, list_sort(list(s.thread_id))[1:5] AS examples
FROM stacks AS s
LEFT JOIN threads AS t ON t.dump_id = s.dump_id AND thread_key(t.ethread, t.thread_id) = thread_key(s.ethread, s.thread_id)
WHERE s.top_function IS NOT NULL
GROUP BY ALL
ORDER BY threads DESC, function;
