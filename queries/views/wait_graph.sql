-- Question: Who waits for whom?
-- Tables: waits, processes
-- How to read it: one row a thread that waits for something whose owner is known. deadlock is true when following
--   the owners leads back to the thread. chain shows the threads on the way as process.thread.
CREATE VIEW wait_graph AS
WITH RECURSIVE edges AS (
    SELECT DISTINCT dump_id, ethread, process_id, thread_id, wait_reason_name, object_kind,
           coalesce(resource, object) AS object, owner_thread, owner_process_id, owner_thread_id
    FROM waits WHERE owner_thread IS NOT NULL AND owner_thread <> ethread),
walk AS (
    SELECT dump_id, ethread AS origin, owner_thread AS reached,
           [process_id || '.' || thread_id, owner_process_id || '.' || owner_thread_id] AS chain, [ethread] AS seen
    FROM edges
    UNION ALL
    SELECT w.dump_id, w.origin, e.owner_thread, list_append(w.chain, e.owner_process_id || '.' || e.owner_thread_id),
           list_append(w.seen, w.reached)
    FROM walk AS w
    JOIN edges AS e ON e.dump_id = w.dump_id AND e.ethread = w.reached
    WHERE w.reached <> w.origin AND NOT list_contains(w.seen, w.reached) AND len(w.seen) < 64),
longest AS (
    SELECT dump_id, origin, arg_max(chain, len(chain)) AS chain, bool_or(reached = origin) AS deadlock
    FROM walk GROUP BY dump_id, origin)
SELECT e.dump_id, e.process_id, p.name AS process, e.thread_id, e.wait_reason_name AS wait_reason, e.object_kind,
       hex_address(e.object) AS object, e.owner_process_id, e.owner_thread_id, l.chain, l.deadlock
FROM edges AS e
JOIN longest AS l ON l.dump_id = e.dump_id AND l.origin = e.ethread
LEFT JOIN processes AS p ON p.dump_id = e.dump_id AND p.process_id = e.process_id;
