-- Pattern: Wait Chain (Process Objects)
-- Section: D
-- Question: Who waits for the end of a process?
-- Tables: waits, processes, threads
-- Needs: threads
-- Reading: one row a thread that waits for a process object; strong where that process has not ended and the wait is older
--   than a minute, weak otherwise: shells and service managers wait for their children all the time.
-- Limits: a thread that waits for many objects at once waits for any one of them, mostly.
SELECT w.dump_id, 'thread' AS subject_kind, who(p.name, w.process_id, w.thread_id) AS subject, w.ethread AS address,
       json_object('process', who(o.name, w.object_process_id, NULL), 'object', hex_address(w.object), 'exited', o.exited,
                   'seconds', t.wait_seconds, 'of_objects', t.wait_objects) AS evidence,
       'It waits for the end of ' || who(o.name, w.object_process_id, NULL)
           || coalesce(', for ' || round(t.wait_seconds)::BIGINT || ' s', '') || '.' AS reading,
       CASE WHEN o.exited IS NOT DISTINCT FROM false AND t.wait_seconds >= 60 THEN 'strong' ELSE 'weak' END AS strength
FROM waits AS w
LEFT JOIN threads AS t ON t.dump_id = w.dump_id AND t.ethread = w.ethread
LEFT JOIN processes AS p ON p.dump_id = w.dump_id AND p.process_id = w.process_id
LEFT JOIN processes AS o ON o.dump_id = w.dump_id AND o.process_id = w.object_process_id
WHERE w.object_process_id IS NOT NULL
