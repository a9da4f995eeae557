-- Pattern: Fiber Bundle Memory Dump
-- Section: E
-- Question: Which dumps of processes belong to which kernel dump of the same system?
-- Tables: dumps, processes, threads
-- Needs: several_dumps
-- Scope: lake
-- Weight: context
-- Reading: one row a user minidump that belongs to a kernel dump of the lake: the same process id and name, threads of the same
--   ids, and times at most ten minutes apart. Certain where the time of creation is the same too, strong where only names,
--   threads and time agree. matching_threads can be joined: the kernel stack there, the user stack here.
-- Limits: a process dump without a name or threads is not matched; ids are used again after a process has ended.
WITH user_dump AS (
    SELECT d.dump_id, d.system_time, p.process_id, p.name, p.create_time
    FROM dumps AS d JOIN processes AS p USING (dump_id) WHERE d.format = 'user minidump'),
kernel_dump AS (
    SELECT d.dump_id, d.system_time, p.process_id, p.name, p.create_time, p.eprocess
    FROM dumps AS d JOIN processes AS p USING (dump_id) WHERE d.format <> 'user minidump'),
match AS (
    SELECT u.dump_id, k.dump_id AS kernel_dump, u.process_id, k.name, k.eprocess, abs(epoch(u.system_time) - epoch(k.system_time)) AS apart,
           abs(epoch(u.create_time) - epoch(k.create_time)) < 2 AS same_birth,
           (SELECT count(*) FROM threads AS a JOIN threads AS b ON b.dump_id = k.dump_id AND b.thread_id = a.thread_id
                   AND b.process_id = k.process_id WHERE a.dump_id = u.dump_id) AS threads
    FROM user_dump AS u
    JOIN kernel_dump AS k ON k.process_id = u.process_id
        AND (u.name IS NULL OR lower(left(file_name(u.name), 14)) = lower(left(k.name, 14))))
SELECT dump_id, 'process' AS subject_kind, who(name, process_id, NULL) AS subject, eprocess AS address,
       json_object('kernel_dump', kernel_dump, 'seconds_apart', apart, 'matching_threads', threads, 'created_alike', same_birth) AS evidence,
       'It is the process ' || who(name, process_id, NULL) || ' of kernel dump ' || kernel_dump || ', ' || threads
           || ' threads alike, ' || round(apart)::BIGINT || ' s apart.' AS reading,
       CASE WHEN same_birth THEN 'certain' ELSE 'strong' END AS strength
FROM match
WHERE apart <= 600 AND threads > 0 AND coalesce(same_birth, true)
