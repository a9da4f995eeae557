-- Question: Who waits for whom?
-- Tables: waits, alpc_messages, threads, processes
-- How to read it: one row a thread that waits for something whose owner is known: a lock, a thread's end, or an answer to
--   an ALPC message. deadlock is true when following the owners leads back to the thread. chain shows the threads on
--   the way as process.thread; it ends with a process alone where no thread of a server has taken the message yet.
CREATE VIEW wait_graph AS
WITH RECURSIVE asked AS (
    SELECT a.dump_id, a.ethread, a.process_id, a.thread_id, 'WrLpcReply' AS wait_reason_name,
           'ALPC message' AS object_kind, a.message AS object, a.server_thread AS owner_thread,
           coalesce(t.process_id, a.server_process_id) AS owner_process_id, a.server_thread_id AS owner_thread_id
    FROM alpc_messages AS a
    LEFT JOIN threads AS t ON t.dump_id = a.dump_id AND t.ethread = a.server_thread
    WHERE a.server_thread <> a.ethread OR (a.server_thread IS NULL AND a.server_process_id IS NOT NULL)),
edges AS (
    SELECT DISTINCT *, coalesce(owner_process_id || '.' || owner_thread_id, hex_address(owner_thread),
                                owner_process_id::VARCHAR) AS owner_name
    FROM (SELECT dump_id, ethread, process_id, thread_id, wait_reason_name, object_kind,
                 coalesce(resource, object) AS object, owner_thread, owner_process_id, owner_thread_id
          FROM waits WHERE owner_thread IS NOT NULL AND owner_thread <> ethread
          UNION ALL BY NAME FROM asked)),
walk AS (
    SELECT dump_id, ethread AS origin, owner_thread AS reached, [process_id || '.' || thread_id, owner_name] AS chain,
           [ethread] AS seen
    FROM edges
    UNION ALL
    SELECT w.dump_id, w.origin, e.owner_thread, list_append(w.chain, e.owner_name), list_append(w.seen, w.reached)
    FROM walk AS w
    JOIN edges AS e ON e.dump_id = w.dump_id AND e.ethread = w.reached
    WHERE w.reached <> w.origin AND NOT list_contains(w.seen, w.reached) AND len(w.seen) < 64),
longest AS (
    SELECT dump_id, origin, arg_max(chain, len(chain)) AS chain, coalesce(bool_or(reached = origin), false) AS deadlock
    FROM walk GROUP BY dump_id, origin)
SELECT e.dump_id, e.process_id, p.name AS process, e.thread_id, e.wait_reason_name AS wait_reason, e.object_kind,
       hex_address(e.object) AS object, e.owner_process_id, e.owner_thread_id, l.chain, l.deadlock
FROM edges AS e
JOIN longest AS l ON l.dump_id = e.dump_id AND l.origin = e.ethread
LEFT JOIN processes AS p ON p.dump_id = e.dump_id AND p.process_id = e.process_id;
