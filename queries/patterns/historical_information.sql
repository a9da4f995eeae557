-- Pattern: Historical Information
-- Section: B
-- Question: What does memory remember of the past?
-- Tables: unloaded_modules, processes, threads, found_objects
-- Needs: none
-- Weight: context
-- Reading: one row a process that has ended and is still in memory, one for all threads that have ended, one for the list of
--   unloaded modules, with counts and the newest names.
-- Limits: an ended process that somebody still refers to is kept by that reference; others are remains in free memory, of
--   which only some are left.
SELECT dump_id, 'process' AS subject_kind, who(name, process_id, NULL) AS subject, coalesce(eprocess, pa) AS address,
       json_object('created', create_time, 'ended', exit_time, 'exit_status', hex_code(exit_status), 'parent_id', parent_id, 'source', source) AS evidence,
       'It ended' || coalesce(' at ' || strftime(exit_time, '%Y-%m-%d %H:%M:%S'), '') || ' and is still in memory.' AS reading,
       'certain' AS strength
FROM processes WHERE exited
UNION ALL
SELECT dump_id, 'threads', count(*) || ' threads that have ended', NULL,
       json_object('threads', count(*), 'newest', max(exit_time), 'of_processes', count(DISTINCT process_id)),
       count(*) || ' threads have ended and are still in memory.', 'certain'
FROM threads WHERE terminated GROUP BY dump_id
UNION ALL
SELECT dump_id, 'modules', count(*) || ' unloaded modules', NULL,
       json_object('modules', count(*), 'names', list(name ORDER BY unload_time DESC NULLS LAST, slot DESC, name)[1:10], 'newest', max(unload_time)),
       count(*) || ' modules were unloaded before the dump was taken.', 'certain'
FROM unloaded_modules GROUP BY dump_id
