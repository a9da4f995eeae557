-- Question: Which executive resources are held, and who waits for them?
-- Tables: eresources, eresource_owners, threads
-- How to read it: replaces `!locks`. One row a resource that is held or waited for. owners lists threads with how
--   often they hold it.
CREATE VIEW locks AS
SELECT r.dump_id, hex_address(r.address) AS resource, r.module, r.exclusive, r.active_count, r.contention_count,
       r.shared_waiters, r.exclusive_waiters,
       list(coalesce(t.process_id || '.' || t.thread_id, hex_address(o.owner)) || ' x' || o.count ORDER BY o.index)
           FILTER (o.owner IS NOT NULL) AS owners
FROM eresources AS r
LEFT JOIN eresource_owners AS o ON o.dump_id = r.dump_id AND o.resource = r.address
LEFT JOIN threads AS t ON t.dump_id = o.dump_id AND t.ethread = o.owner_thread
WHERE r.active_count > 0 OR r.shared_waiters > 0 OR r.exclusive_waiters > 0
GROUP BY ALL;
