-- Question: Which threads could have run but waited for a processor?
-- Tables: threads, processes
-- How to read it: replaces `!ready`. One row a thread that is ready, standby or deferred ready, highest priority
--   first.
CREATE VIEW ready_threads AS
SELECT t.dump_id, t.priority, t.process_id, p.name AS process, t.thread_id, t.state_name AS state, t.wait_seconds,
       t.start_owner AS start, hex_address(t.ethread) AS ethread
FROM threads AS t
LEFT JOIN processes AS p ON p.dump_id = t.dump_id AND p.process_id = t.process_id
WHERE t.state IN (1, 3, 7)
ORDER BY t.priority DESC, t.dump_id, t.process_id, t.thread_id;
