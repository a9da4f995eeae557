-- Pattern: Exception Module
-- Section: A
-- Question: Which module raised the exception?
-- Tables: crashes, frames
-- Needs: none
-- Weight: context
-- Reading: one row a crash that has an instruction at fault. Certain where a parameter, a context record or the exception
--   states the instruction and it is not the kernel's; where it is the kernel's, module is that of the nearest frame
--   below it that is not, and the finding is strong or, with guessed frames, weak. What handled the exception (the
--   frames inside of the fault's, or of the outermost one that dispatches exceptions) called nothing that failed.
-- Limits: the module whose instruction failed need not have caused it: see Origin Module and Effect Component.
WITH handled AS (
    SELECT c.dump_id,
           coalesce(min(f."index") FILTER (f.method IN ('trap', 'context') AND (f.ip = c.fault_ip
                        OR c.exception_code = 2147483651 AND f.ip::HUGEINT - c.fault_ip = 1)),
                    max(f."index") FILTER (f.symbol IN ('KiDispatchException', 'KiExceptionDispatch', 'KiBugCheckDispatch',
                        'RtlDispatchException', 'RtlpExecuteHandlerForException', 'PspSystemThreadStartup$filt$0')) + 1,
                    0) AS depth
    FROM crashes AS c
    JOIN frames AS f ON f.dump_id = c.dump_id AND thread_key(f.ethread, f.thread_id) = thread_key(c.ethread, c.thread_id)
    WHERE f.mode = 'kernel'
    GROUP BY c.dump_id),
below AS (
    SELECT c.dump_id, arg_min(f.module, f."index") AS module, arg_min(f.text, f."index") AS text,
           arg_min(f.confidence, f."index") AS confidence, arg_min(f.ip, f."index") AS ip
    FROM crashes AS c
    JOIN frames AS f ON f.dump_id = c.dump_id AND thread_key(f.ethread, f.thread_id) = thread_key(c.ethread, c.thread_id)
    JOIN handled AS h ON h.dump_id = c.dump_id AND f."index" >= h.depth
    WHERE lower(f.module) NOT IN ('ntoskrnl.exe', 'hal.dll', 'nt') AND f.mode = 'kernel'
    GROUP BY ALL)
SELECT c.dump_id, 'module' AS subject_kind, c.fault_module AS subject, c.fault_ip AS address,
       json_object('at', c.fault_text, 'stated_by', c.fault_source, 'exception', c.exception_name) AS evidence,
       c.fault_module || ' holds the instruction at fault, as the ' || c.fault_source || ' states.' AS reading,
       'certain' AS strength
FROM crashes AS c
WHERE c.fault_module IS NOT NULL AND lower(c.fault_module) NOT IN ('ntoskrnl.exe', 'hal.dll')
UNION ALL
SELECT c.dump_id, 'module', b.module, b.ip,
       json_object('fault', c.fault_text, 'caller', b.text, 'sure', b.confidence),
       'The kernel failed at ' || c.fault_text || ', called by way of ' || b.text || '.',
       CASE b.confidence WHEN 'high' THEN 'strong' ELSE 'weak' END
FROM crashes AS c
JOIN below AS b USING (dump_id)
WHERE lower(c.fault_module) IN ('ntoskrnl.exe', 'hal.dll')
