-- Question: Which traps, interrupts and system calls have left their trap frames on the kernel stacks?
-- Tables: trap_frames, processes
-- How to read it: replaces looking for what to give to `.trap`. One row a trap frame, of each thread the innermost
--   first; interrupted is what ran when the trap came, error and fault_address say of a page fault what it wanted (x86
--   notes no address, ARM64 has no error code). found
--   says how: `walk` is certain as far as the walk is, `scan` are words with the shape of a trap frame, and where live
--   is false they are left from something that has returned. Where the parameters of the crash state one, see
--   `crashes.trap_frame`.
CREATE VIEW trap_frame_list AS
SELECT t.dump_id, t.process_id, p.name AS process, t.thread_id, hex_address(t.trap_frame) AS trap_frame, t.mode,
       t.text AS interrupted, hex_address(t.ip) AS ip, hex_address(t.sp) AS sp,
       CASE WHEN t.fault_address IS NULL OR t.error_code IS NULL THEN hex_code(t.error_code)
            ELSE CASE WHEN t.error_code & 16 <> 0 THEN 'execute' WHEN t.error_code & 2 <> 0 THEN 'write' ELSE 'read' END
                || CASE WHEN t.error_code & 1 = 0 THEN ', not present' ELSE ', not allowed' END END AS error,
       hex_address(t.fault_address) AS fault_address, t.source AS found, t.confidence AS sure, t.live,
       hex_address(t.ethread) AS ethread
FROM trap_frames AS t
LEFT JOIN processes AS p ON p.dump_id = t.dump_id AND p.process_id = t.process_id
ORDER BY t.dump_id, t.process_id, t.thread_id, coalesce(t.machine_frame, t.trap_frame);
