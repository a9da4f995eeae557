-- Question: Which user minidump is of a process that a kernel dump of the same machine has too?
-- Tables: dumps, processes
-- How to read it: one row a user minidump and a kernel dump that have the same process: its id, the second of its
--   birth and its name are equal (the kernel cuts names to 14 or 15 letters), and so is the build of Windows. seconds_apart is how much later the minidump was made;
--   nearest marks, of several kernel dumps, the one closest in time. Take others for the history of the process.
CREATE VIEW fiber_bundles AS
WITH of_user AS (
    SELECT p.dump_id, p.process_id, p.name, p.create_time, d.build, coalesce(d.minidump_time, d.system_time) AS taken
    FROM processes AS p
    JOIN dumps AS d USING (dump_id)
    WHERE d.format = 'user minidump' AND p.create_time IS NOT NULL
), of_kernel AS (
    SELECT p.dump_id, p.process_id, p.eprocess, p.name, p.create_time, d.build, d.system_time AS taken
    FROM processes AS p
    JOIN dumps AS d USING (dump_id)
    WHERE d.format <> 'user minidump' AND p.create_time IS NOT NULL
)
SELECT k.dump_id AS kernel_dump, u.dump_id AS user_dump, u.process_id, coalesce(u.name, k.name) AS process,
       k.create_time, k.taken AS kernel_time, u.taken AS user_time,
       date_diff('second', k.taken, u.taken) AS seconds_apart,
       row_number() OVER (
           PARTITION BY u.dump_id, u.process_id
           ORDER BY abs(date_diff('second', k.taken, u.taken)) NULLS LAST, k.dump_id
       ) = 1 AS nearest,
       hex_address(k.eprocess) AS eprocess
FROM of_user AS u
JOIN of_kernel AS k ON k.process_id = u.process_id
    AND date_trunc('second', k.create_time) = date_trunc('second', u.create_time)
WHERE (k.build = u.build OR k.build IS NULL OR u.build IS NULL)
  AND (k.name IS NULL OR u.name IS NULL OR lower(k.name) = lower(u.name)
       OR (length(k.name) >= 14 AND starts_with(lower(u.name), lower(k.name))));
