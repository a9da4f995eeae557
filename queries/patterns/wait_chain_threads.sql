-- Pattern: Wait Chain (Thread Objects)
-- Section: D
-- Question: Who waits for the end of a thread?
-- Tables: waits, processes, threads
-- Needs: threads
-- Reading: one row a thread that waits: owner is whom it waits for, chain the view wait_graph's way from it to the end.
--   Strong where the owner waits in turn or the wait is older than a minute, else weak: short waits are normal.
-- Limits: an owner that the system does not record (events, semaphores) is not known.
SELECT w.dump_id, 'thread' AS subject_kind, who(any_value(p.name), w.process_id, w.thread_id) AS subject, w.ethread AS address,
       json_object('object', hex_address(w.object), 'kind', any_value(w.object_kind), 'owner',
                   who(any_value(o.name), any_value(w.owner_process_id), any_value(w.owner_thread_id)), 'owner_thread',
                   hex_address(w.owner_thread), 'seconds', any_value(t.wait_seconds), 'owner_waits', count(n.ethread) > 0,
                   'chain', any_value(g.chain)) AS evidence,
       'It waits for the end of ' || who(any_value(o.name), any_value(w.owner_process_id), any_value(w.owner_thread_id))
           || coalesce(', for ' || round(any_value(t.wait_seconds))::BIGINT || ' s', '') || '.' AS reading,
       CASE WHEN count(n.ethread) > 0 OR any_value(t.wait_seconds) >= 60 THEN 'strong' ELSE 'weak' END AS strength
FROM waits AS w
LEFT JOIN waits AS n ON n.dump_id = w.dump_id AND n.ethread = w.owner_thread
LEFT JOIN threads AS t ON t.dump_id = w.dump_id AND t.ethread = w.ethread
LEFT JOIN processes AS p ON p.dump_id = w.dump_id AND p.process_id = w.process_id
LEFT JOIN processes AS o ON o.dump_id = w.dump_id AND o.process_id = w.owner_process_id
LEFT JOIN wait_graph AS g ON g.dump_id = w.dump_id AND g.process_id = w.process_id AND g.thread_id = w.thread_id
WHERE w.owner_kind = 'thread' AND w.owner_thread <> w.ethread
GROUP BY w.dump_id, w.ethread, w.process_id, w.thread_id, w.object, w.owner_thread
