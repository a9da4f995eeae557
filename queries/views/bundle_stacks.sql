-- Question: How does the kernel stack of a thread go on in the user stack that a minidump of its process has?
-- Tables: dumps, processes, threads, frames
-- How to read it: one row a frame, innermost first (ORDER BY user_dump, thread_id, frame): those of the nearest kernel
--   dump in kernel mode, then those of the minidump. The two were written at different moments (seconds_apart): they
--   are one stack only if the thread stood still between them, as one does that waits. same_thread is true when both
--   state one time of birth for the thread, NULL when one of them states none; an id that was used again is left out.
CREATE VIEW bundle_stacks AS
WITH pairs AS (
    SELECT b.kernel_dump, b.user_dump, b.process_id, b.process, b.seconds_apart, k.thread_id, k.ethread,
           CASE WHEN k.state_name = 'Waiting' THEN k.wait_reason_name END AS wait_reason,
           k.create_time = u.create_time AS same_thread
    FROM fiber_bundles AS b
    JOIN threads AS k ON k.dump_id = b.kernel_dump AND k.process_id = b.process_id
    JOIN threads AS u ON u.dump_id = b.user_dump AND u.process_id = b.process_id AND u.thread_id = k.thread_id
    WHERE b.nearest AND (k.create_time = u.create_time OR k.create_time IS NULL OR u.create_time IS NULL)
), parts AS (
    SELECT p.*, 'kernel' AS part, f."index", f.text, f.confidence, f.sp
    FROM pairs AS p
    JOIN frames AS f ON f.dump_id = p.kernel_dump AND f.ethread = p.ethread AND f.mode = 'kernel'
    UNION ALL
    SELECT p.*, 'user', f."index", f.text, f.confidence, f.sp
    FROM pairs AS p
    JOIN frames AS f ON f.dump_id = p.user_dump AND f.thread_id = p.thread_id AND f.process_id = p.process_id
)
SELECT kernel_dump, user_dump, process_id, process, thread_id, same_thread, seconds_apart, wait_reason,
       row_number() OVER (PARTITION BY kernel_dump, user_dump, thread_id ORDER BY part, "index") - 1 AS frame,
       part, text, confidence AS sure, hex_address(sp) AS sp
FROM parts;
