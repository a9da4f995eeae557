-- Question: Which threads wait for something that another thread owns, or for its end, and for how long?
-- Tables: waits, alpc_messages, threads, processes
-- How to read it: one row a thread, object and owner. owner_kind says by what the owner is known: mutant, fast mutex,
--   thread (its end is waited for) and so on. owner_waits is true where the owner waits itself; chain is that of wait_graph.
CREATE VIEW waits_for_threads AS
SELECT w.dump_id, w.process_id, any_value(p.name) AS process, w.thread_id, w.ethread, w.owner_kind,
       hex_address(w.object) AS object, any_value(w.object_kind) AS object_kind, any_value(t.wait_seconds) AS seconds,
       any_value(w.owner_process_id) AS owner_process_id, any_value(o.name) AS owner_process,
       any_value(w.owner_thread_id) AS owner_thread_id, hex_address(w.owner_thread) AS owner_thread,
       count(n.ethread) > 0 AS owner_waits, any_value(g.chain) AS chain
FROM waits AS w
LEFT JOIN waits AS n ON n.dump_id = w.dump_id AND n.ethread = w.owner_thread
LEFT JOIN threads AS t ON t.dump_id = w.dump_id AND t.ethread = w.ethread
LEFT JOIN processes AS p ON p.dump_id = w.dump_id AND p.process_id = w.process_id
LEFT JOIN processes AS o ON o.dump_id = w.dump_id AND o.process_id = w.owner_process_id
LEFT JOIN wait_graph AS g ON g.dump_id = w.dump_id AND g.process_id = w.process_id AND g.thread_id = w.thread_id
WHERE w.owner_thread <> w.ethread
GROUP BY w.dump_id, w.ethread, w.process_id, w.thread_id, w.object, w.owner_thread, w.owner_kind;
