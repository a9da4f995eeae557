-- Pattern: Wait Chain (Executive Resources)
-- Section: D
-- Question: Which resource locks of the kernel are held while others wait?
-- Tables: eresources, eresource_owners, waits, processes, threads
-- Needs: threads
-- Reading: one row a resource lock with waiters: owners and waiting list the threads as process.thread. Strong where an
--   owner waits itself, weak where the owners run.
-- Limits: owners of shared locks may stand for other threads (ExSetResourceOwnerPointer) and are then not known.
WITH owner AS (
    SELECT o.dump_id, o.resource, list_sort(list(DISTINCT coalesce(o.process_id || '.' || o.thread_id, hex_address(o.owner)))) AS owners,
           bool_or(t.state = 5) AS waits, min(who(p.name, o.process_id, o.thread_id)) AS first
    FROM eresource_owners AS o
    LEFT JOIN threads AS t ON t.dump_id = o.dump_id AND t.ethread = o.owner_thread
    LEFT JOIN processes AS p ON p.dump_id = o.dump_id AND p.process_id = o.process_id
    GROUP BY ALL),
waiter AS (
    SELECT dump_id, resource, list_sort(list(DISTINCT process_id || '.' || thread_id)) AS waiting
    FROM waits WHERE resource IS NOT NULL GROUP BY ALL)
SELECT r.dump_id, 'resource' AS subject_kind, coalesce(r.module, hex_address(r.address)) AS subject, r.address,
       json_object('owners', list_sort(o.owners), 'waiting', list_sort(w.waiting), 'exclusive', r.exclusive, 'shared_waiters',
                   r.shared_waiters, 'exclusive_waiters', r.exclusive_waiters, 'contention', r.contention_count) AS evidence,
       (coalesce(r.shared_waiters, 0)::BIGINT + coalesce(r.exclusive_waiters, 0)) || ' threads wait for a resource that '
           || coalesce(o.first, 'somebody') || CASE WHEN len(o.owners) > 1 THEN ' and others hold' ELSE ' holds' END
           || CASE WHEN o.waits THEN ', and an owner waits itself' ELSE '' END || '.' AS reading,
       CASE WHEN o.waits THEN 'strong' ELSE 'weak' END AS strength
FROM eresources AS r
LEFT JOIN owner AS o ON o.dump_id = r.dump_id AND o.resource = r.address
LEFT JOIN waiter AS w ON w.dump_id = r.dump_id AND w.resource = r.address
WHERE (r.shared_waiters > 0 OR r.exclusive_waiters > 0) AND r.active_count > 0
