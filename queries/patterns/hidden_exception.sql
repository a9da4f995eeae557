-- Pattern: Hidden Exception
-- Section: A
-- Question: Is there a trap on a stack that the stack trace does not show?
-- Tables: trap_frames, processes, crashes
-- Needs: stacks
-- Reading: one row a trap frame that was found by its shape and that no walk went over: give its address to `.trap`. Strong
--   where it lies above the stack pointer and the dump shows that it points to code: the stack trace then leads past it.
--   Weak where it is left below the stack pointer, or nothing shows that it points to code.
-- Limits: an interrupt leaves the same frame as an exception, and both mostly end well: read what was interrupted. Records
--   of exceptions (EXCEPTION_RECORD, CONTEXT) are not looked for. On x86 and ARM64 a kernel whose layouts lack trap frames
--   shows none (`faults`).
SELECT t.dump_id, 'thread' AS subject_kind, who(p.name, t.process_id, t.thread_id) AS subject,
       coalesce(t.trap_frame, t.machine_frame) AS address,
       json_object('trap_frame', hex_address(coalesce(t.trap_frame, t.machine_frame)), 'interrupted', t.text, 'ip',
                   hex_address(t.ip), 'sp', hex_address(t.sp), 'mode', t.mode, 'live', t.live, 'confidence', t.confidence) AS evidence,
       'Something interrupted ' || t.text || CASE WHEN t.live THEN ', and the stack trace does not show it.'
           WHEN NOT t.live THEN ', and has returned since.' ELSE '; whether it has returned is not known.' END AS reading,
       CASE WHEN t.live AND t.confidence <> 'low' THEN 'strong' ELSE 'weak' END AS strength
FROM trap_frames AS t
LEFT JOIN processes AS p ON p.dump_id = t.dump_id AND p.process_id = t.process_id
-- What was interrupted at the fault is the crash itself, which is told elsewhere.
ANTI JOIN crashes AS c ON c.dump_id = t.dump_id AND c.fault_ip = t.ip
    AND thread_key(c.ethread, c.thread_id) = thread_key(t.ethread, t.thread_id)
WHERE t.source = 'scan' AND t.mode = 'kernel'
