-- Pattern: Hidden Process, Thread, Driver, Module
-- Section: C
-- Question: What was found in memory that the system's lists do not have?
-- Tables: processes, threads, drivers, modules
-- Needs: processes
-- Reading: one row an object that has not ended, that the kernel maps, and that is missing in the list where it belongs;
--   seen_by says who still knows it. Strong where another list or two kinds of search know it, else weak: an object that is
--   being made or taken down right now looks the same.
-- Limits: what was overwritten as well as unlinked is not found. Lists that are damaged decide nothing.
SELECT dump_id, 'process' AS subject_kind, who(name, process_id, NULL) AS subject, coalesce(eprocess, pa) AS address,
       json_object('source', source, 'in_cid_table', in_cid_table, 'in_kernel_list', in_kernel_list, 'is_thread_owner',
                   is_thread_owner, 'found_in_pool', found_in_pool, 'found_by_shape', found_by_shape, 'created', create_time) AS evidence,
       who(name, process_id, NULL) || ' is not in the list of processes; ' || source || ' knows it.' AS reading,
       CASE WHEN in_cid_table OR in_kernel_list OR is_thread_owner OR (found_in_pool AND found_by_shape) THEN 'strong'
            ELSE 'weak' END AS strength
FROM processes WHERE hidden
UNION ALL
SELECT dump_id, 'thread', who(NULL, process_id, thread_id), coalesce(ethread, pa),
       json_object('source', source, 'in_cid_table', in_cid_table, 'found_in_pool', found_in_pool, 'found_by_shape',
                   found_by_shape, 'start', coalesce(start_owner, hex_address(start_address))),
       'Thread ' || thread_id || ' is in no list of a process; ' || source || ' knows it.',
       CASE WHEN in_cid_table OR (found_in_pool AND found_by_shape) THEN 'strong' ELSE 'weak' END
FROM threads WHERE hidden
UNION ALL
SELECT dump_id, 'driver', coalesce(nullif(name, ''), stated_name, 'without a name'), coalesce(driver, pa),
       json_object('module', module, 'start', hex_address("start"), 'found_in_pool', found_in_pool, 'found_by_shape',
                   found_by_shape),
       'The driver object ' || coalesce(nullif(name, ''), stated_name, hex_address(driver)) || ' is in no directory.',
       CASE WHEN found_in_pool AND found_by_shape THEN 'strong' ELSE 'weak' END
FROM drivers WHERE hidden
UNION ALL
SELECT dump_id, 'module', coalesce(name, hex_address(base)), base,
       json_object('path', path, 'size', size, 'source', source, 'header_present', header_present, 'entry', hex_address(entry)),
       coalesce(name, 'A module') || ' at ' || hex_address(base) || ' is in memory and not in the list of modules.',
       CASE WHEN header_present THEN 'strong' ELSE 'weak' END
FROM modules WHERE hidden
