-- Question: What ran on each processor?
-- Tables: processors, threads, processes
-- How to read it: replaces `!running`. One row a processor with its current thread; idle is true when that is the
--   idle thread.
CREATE VIEW running_threads AS
SELECT c.dump_id, c.number AS processor, c.idle, c.irql, c.current_process_id AS process_id, p.name AS process,
       c.current_thread_id AS thread_id, t.priority, t.start_owner AS start, hex_address(c.current_thread) AS thread,
       hex_address(c.kprcb) AS kprcb
FROM processors AS c
LEFT JOIN threads AS t ON t.dump_id = c.dump_id AND t.ethread = c.current_thread
LEFT JOIN processes AS p ON p.dump_id = c.dump_id AND p.process_id = c.current_process_id;
