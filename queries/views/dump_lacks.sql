-- Question: What does a dump not hold, so that questions about it cannot be decided?
-- Tables: dumps, crashes, stacks, threads, processes, modules, user_modules, handles, pool_pages, pool_tags, vads,
--   memory_counters, driver_dispatch, syscalls, processors, timers, residue_pages, code_checks, code_pages
-- How to read it: one row a dump and a need that it cannot meet; reason says what is missing and why. Patterns name
--   their needs. A need is met when the dump gave rows: of threads, processes and stacks of a system more than one, of pool
--   more than the few pages of a small dump.
CREATE VIEW dump_lacks AS
WITH need(need, what) AS (
    VALUES ('threads', 'the threads of the system'), ('processes', 'the processes of the system'),
           ('stacks', 'the stacks of all threads'), ('crash_stack', 'the stack of the thread that crashed'),
           ('modules', 'the list of modules'), ('user_modules', 'the modules of processes'),
           ('handles', 'the handle tables'), ('pool_pages', 'the pages of kernel pool'),
           ('pool_tags', 'the kernel''s books of pool tags'), ('vads', 'the address spaces of processes'),
           ('memory_counters', 'the kernel''s counters of memory'), ('drivers', 'the driver objects'),
           ('syscalls', 'the table of system services'), ('processors', 'the processor blocks'), ('timers', 'the timer tables'),
           ('hooks', 'the tables and lists of routines that drivers and the kernel call'),
           ('residue', 'stacks or memory that nothing maps'),
           ('code_pages', 'pages of the code of the kernel''s modules'),
           ('image_files', 'code of the kernel''s modules that was compared with their image files'),
           ('several_dumps', 'another dump of a system to compare with')),
met AS (
    -- A small dump has one thread of many, a process may have no more than one.
    SELECT t.dump_id, 'threads' AS need FROM threads AS t JOIN dumps AS d ON d.dump_id = t.dump_id
    GROUP BY t.dump_id HAVING count(*) > 1 OR any_value(d.format) = 'user minidump'
    UNION ALL SELECT dump_id, 'processes' FROM processes GROUP BY dump_id HAVING count(*) > 1
    UNION ALL SELECT s.dump_id, 'stacks' FROM stacks AS s JOIN dumps AS d ON d.dump_id = s.dump_id
              GROUP BY s.dump_id
              HAVING count(*) FILTER (s.frames > 0) > CASE any_value(d.format) WHEN 'user minidump' THEN 0 ELSE 1 END
    UNION ALL SELECT d.dump_id, 'crash_stack' FROM dumps AS d
              LEFT JOIN crashes AS c ON c.dump_id = d.dump_id
              LEFT JOIN stacks AS s ON s.dump_id = c.dump_id AND thread_key(s.ethread, s.thread_id) = thread_key(c.ethread, c.thread_id)
              WHERE c.dump_id IS NULL OR s.frames > 0
    UNION ALL SELECT DISTINCT dump_id, 'modules' FROM modules
    UNION ALL SELECT DISTINCT dump_id, 'user_modules' FROM user_modules
    UNION ALL SELECT DISTINCT dump_id, 'handles' FROM handles
    UNION ALL SELECT dump_id, 'pool_pages' FROM pool_pages SEMI JOIN (SELECT dump_id FROM dumps WHERE format <> 'kernel triage')
              USING (dump_id) GROUP BY dump_id
    UNION ALL SELECT DISTINCT dump_id, 'pool_tags' FROM pool_tags
    UNION ALL SELECT DISTINCT dump_id, 'vads' FROM vads
    -- What is in use says nothing without how much there is.
    UNION ALL SELECT dump_id, 'memory_counters' FROM memory_counters
              WHERE name IN ('TotalCommittedPages', 'AvailablePages') GROUP BY dump_id
    UNION ALL SELECT dump_id, 'memory_counters' FROM dumps WHERE mm_commit_limit_max > 0
    UNION ALL SELECT DISTINCT dump_id, 'drivers' FROM driver_dispatch
    UNION ALL SELECT DISTINCT dump_id, 'syscalls' FROM syscalls
    UNION ALL SELECT DISTINCT dump_id, 'processors' FROM processors
    UNION ALL SELECT DISTINCT dump_id, 'timers' FROM timers
    UNION ALL SELECT DISTINCT dump_id, 'hooks' FROM driver_dispatch
    UNION ALL SELECT DISTINCT dump_id, 'residue' FROM residue_pages
    UNION ALL SELECT DISTINCT dump_id, 'image_files' FROM code_checks WHERE pages_compared > 0
    UNION ALL SELECT DISTINCT dump_id, 'code_pages' FROM code_pages
    UNION ALL SELECT dump_id, 'several_dumps' FROM dumps WHERE (SELECT count(*) FROM dumps) > 1)
SELECT d.dump_id, n.need,
       n.what || ': ' || CASE WHEN n.need = 'several_dumps' THEN 'the lake has one dump'
            WHEN n.need = 'image_files' AND d.format <> 'user minidump' AND d.bytes_present > 0
                THEN 'no file was given that is of one of them and of which the dump has code (convert --images)'
            WHEN d.bytes_present = 0 THEN 'the file holds headers and no memory'
            WHEN d.format = 'user minidump' THEN 'a dump of one process, without the kernel'
            WHEN d.format = 'kernel triage' THEN 'a small dump holds little memory'
            ELSE 'nothing of that was found in it (see faults)' END AS reason
FROM dumps AS d
CROSS JOIN need AS n
ANTI JOIN met AS m ON m.dump_id = d.dump_id AND m.need = n.need
ORDER BY d.dump_id, n.need;
