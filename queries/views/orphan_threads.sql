-- Question: Which threads of the kernel run code of no loaded module?
-- Tables: threads, processes
-- How to read it: volatility's "orphan threads". One row a thread that has not ended, starts in the kernel's half, and
--   whose start address lies in no module of the list: the module hides, or was unloaded under its thread. seen is false
--   where no list leads to the thread either. Threads whose start address was overwritten since, which waiting for
--   changes of the registry does, are not here.
CREATE VIEW orphan_threads AS
SELECT t.dump_id, t.process_id, p.name AS process, t.thread_id, hex_address(t.start_address) AS start,
       t.state_name AS state, t.create_time, coalesce(t.in_kernel_list, false) AS seen, t.hidden,
       hex_address(t.ethread) AS ethread
FROM threads AS t
LEFT JOIN processes AS p ON p.dump_id = t.dump_id AND p.eprocess = t.eprocess
WHERE t.start_owner IS NULL AND NOT coalesce(t.terminated, false)
  AND (t.start_address >= 9223372036854775808 OR t.system_thread)
  AND t.start_address <> 0
ORDER BY t.dump_id, t.process_id, t.thread_id;
