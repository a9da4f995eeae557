-- Question: Which threads are in no list of a process?
-- Tables: threads, processes
-- How to read it: one row a thread that neither list of its process leads to. verdict: hidden means that it has not
--   ended and that the kernel maps its object; ended is the normal remainder of one that is gone; unknown that its
--   memory is free. in_cid_table and source say who still knows it; start is module+offset where a loaded module holds
--   the address, and a start without one is worth a look. The lists of small dumps are not in them, so that their
--   threads are not here.
CREATE VIEW hidden_threads AS
SELECT t.dump_id, t.process_id, p.name AS process, t.thread_id,
       CASE WHEN t.hidden THEN 'hidden' WHEN t.terminated THEN 'ended' ELSE 'unknown' END AS verdict,
       t.state_name AS state, t.create_time, t.exit_time,
       coalesce(t.start_owner, hex_address(t.start_address)) AS start, t.in_cid_table, t.found_in_pool,
       t.found_by_shape, hex_address(t.ethread) AS ethread, hex_address(t.pa) AS pa, t.source
FROM threads AS t
LEFT JOIN processes AS p ON p.dump_id = t.dump_id AND p.eprocess = t.eprocess
WHERE t.source <> 'triage copy' AND NOT coalesce(t.in_kernel_list, true) AND NOT coalesce(t.in_process_list, false)
ORDER BY t.dump_id, t.hidden DESC, t.process_id, t.thread_id;
