-- Question: Which processes does somebody hide, and which have ended but are still in memory?
-- Tables: processes
-- How to read it: one row a process that is not in the active list. verdict: hidden means that it has not ended and
--   that the kernel maps its object; ended is the normal remainder of one that is gone; unknown that nothing more can be
--   said, as for an object in memory that is free. seen_by lists who still knows it: a process that only memory knows
--   was unlinked from everything, or is a remainder.
CREATE VIEW hidden_processes AS
SELECT p.dump_id, p.process_id, p.name, p.parent_id, p.create_time, p.exit_time,
       CASE WHEN p.hidden THEN 'hidden' WHEN p.exited THEN 'ended' ELSE 'unknown' END AS verdict,
       concat_ws(', ', CASE WHEN p.in_kernel_list THEN 'KiProcessListHead' END,
                 CASE WHEN p.in_session_list THEN 'session' END,
                 CASE WHEN p.in_job_list THEN 'job' END,
                 CASE WHEN p.in_cid_table THEN 'PspCidTable' END,
                 CASE WHEN p.in_csrss_handles THEN 'csrss handles' END,
                 CASE WHEN p.is_thread_owner THEN 'threads' END,
                 CASE WHEN p.found_in_pool THEN 'pool header' END,
                 CASE WHEN p.found_by_shape THEN 'object''s members' END) AS seen_by,
       hex_address(p.eprocess) AS eprocess, hex_address(p.pa) AS pa, p.source
FROM processes AS p
WHERE p.source NOT IN ('PsActiveProcessHead', 'triage copy') AND NOT coalesce(p.in_active_list_backward, true)
ORDER BY p.dump_id, p.hidden DESC, p.process_id;
