-- Pattern: Origin Module
-- Section: A
-- Question: Which module started the path that failed?
-- Tables: crashes, frames
-- Needs: crash_stack
-- Weight: context
-- Reading: one row a crash: the outermost frame of the crashing stack whose module is not Microsoft's (by its name, see
--   the view microsoft_drivers). caller_of is the frame that it called. Frames inside of
--   the fault's (or of the outermost one that dispatches exceptions) handle it and did not lead to it.
-- Limits: a name is no signature. Work that a driver hands to a worker thread or a DPC does not have the driver's
--   earlier code on its stack. With guessed frames the finding is weak.
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
own AS (
    SELECT c.dump_id, c.ethread, f."index" AS depth, f.module, f.text, f.ip, f.confidence,
           lag(f.text) OVER (PARTITION BY c.dump_id ORDER BY f."index") AS calls,
           lower(f.module) NOT IN (SELECT name FROM microsoft_drivers) AS third_party, c.culprit
    FROM crashes AS c
    JOIN frames AS f ON f.dump_id = c.dump_id AND thread_key(f.ethread, f.thread_id) = thread_key(c.ethread, c.thread_id)
    JOIN handled AS h ON h.dump_id = c.dump_id AND f."index" >= h.depth
    WHERE f.mode = 'kernel')
SELECT dump_id, 'module' AS subject_kind, module AS subject, ip AS address,
       json_object('frame', depth, 'at', text, 'caller_of', calls, 'sure', confidence, 'culprit', culprit) AS evidence,
       text || ' is the outermost code on the stack that is not Microsoft''s by its name.' AS reading,
       CASE confidence WHEN 'high' THEN 'strong' ELSE 'weak' END AS strength
FROM own
WHERE third_party AND module IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY dump_id ORDER BY depth DESC) = 1
