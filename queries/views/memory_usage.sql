-- Question: How much memory was there, and how much was committed?
-- Tables: memory_counters
-- How to read it: replaces `!vm`. One row a counter, in MiB where it counts memory. Commit that comes close to its
--   limit is what makes allocations fail.
CREATE VIEW memory_usage AS
SELECT dump_id, name, value, unit, round(bytes / 1048576.0, 1) AS mib, source
FROM memory_counters
ORDER BY dump_id, name;
