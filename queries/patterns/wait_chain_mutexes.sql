-- Pattern: Wait Chain (Mutex Objects)
-- Section: D
-- Question: Who waits for a mutex, and who holds it?
-- Tables: waits, alpc_messages, threads, processes
-- Needs: threads
-- Reading: one row a thread that waits: owner is whom it waits for, chain the view wait_graph's way from it to the end.
--   Strong where the owner waits in turn or the wait is older than a minute, else weak: short waits are normal.
-- Limits: an owner that the system does not record (events, semaphores) is not known.
SELECT dump_id, 'thread' AS subject_kind, who(process, process_id, thread_id) AS subject, ethread AS address,
       json_object('object', object, 'kind', object_kind, 'owner', who(owner_process, owner_process_id, owner_thread_id),
                   'owner_thread', owner_thread, 'seconds', seconds, 'owner_waits', owner_waits, 'chain', chain) AS evidence,
       'It waits for a mutex of ' || who(owner_process, owner_process_id, owner_thread_id)
           || coalesce(', for ' || round(seconds)::BIGINT || ' s', '') || '.' AS reading,
       CASE WHEN owner_waits OR seconds >= 60 THEN 'strong' ELSE 'weak' END AS strength
FROM waits_for_threads
WHERE owner_kind IN ('mutant', 'fast mutex', 'guarded mutex')
