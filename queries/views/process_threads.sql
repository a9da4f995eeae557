-- Question: What does each thread of each process do, and for how long?
-- Tables: threads, processes
-- How to read it: replaces `!process 0 17` without the stacks. One row a thread; state and wait_reason are the
--   kernel's names (of a thread that does not wait, `threads` has the reason of its last wait), wait_seconds says how
--   long it has been in that state, start is module+offset where a loaded module holds the
--   address.
CREATE VIEW process_threads AS
SELECT t.dump_id, t.process_id, p.name AS process, t.thread_id, t.name AS thread, t.state_name AS state,
       CASE WHEN t.state IN (5, 8) THEN t.wait_reason_name END AS wait_reason, t.wait_seconds, t.priority, t.kernel_time_seconds, t.user_time_seconds,
       t.context_switches, coalesce(t.win32_start_owner, t.start_owner) AS start, hex_address(t.ethread) AS ethread
FROM threads AS t
LEFT JOIN processes AS p ON p.dump_id = t.dump_id AND p.process_id = t.process_id;
