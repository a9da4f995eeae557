-- Pattern: Deadlock
-- Section: D
-- Question: Do threads wait for each other in a ring?
-- Tables: waits, alpc_messages, threads, processes, stacks
-- Needs: threads
-- Reading: one row a thread of a ring: following who waits for whom leads back to it, and chain is the ring. Mutexes, resource
--   locks, thread ends and ALPC answers count. Certain: no member can go on; strong where a member waits for several
--   objects and any one of them would let it go.
-- Limits: rings through events, critical sections without a kernel object's owner, or other machines are not seen.
SELECT g.dump_id, 'thread' AS subject_kind, who(g.process, g.process_id, g.thread_id) AS subject, t.ethread AS address,
       json_object('ring', g.chain, 'waits_for', g.object_kind, 'object', g.object, 'owner',
                   g.owner_process_id || '.' || g.owner_thread_id, 'seconds', t.wait_seconds, 'does', s.top_function) AS evidence,
       'It waits for ' || g.object_kind || ' ' || g.object || ', and following the owners leads back to it: '
           || array_to_string(g.chain, ' -> ') || '.' AS reading,
       CASE WHEN EXISTS (SELECT 1 FROM waits AS o WHERE o.dump_id = g.dump_id AND o.process_id = g.process_id
                         AND o.thread_id = g.thread_id AND o.wait_type = 1 AND o."index" > 0)
            THEN 'strong' ELSE 'certain' END AS strength
FROM wait_graph AS g
LEFT JOIN threads AS t ON t.dump_id = g.dump_id AND t.process_id = g.process_id AND t.thread_id = g.thread_id
LEFT JOIN stacks AS s ON s.dump_id = t.dump_id AND thread_key(s.ethread, s.thread_id) = thread_key(t.ethread, t.thread_id)
WHERE g.deadlock
