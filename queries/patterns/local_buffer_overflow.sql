-- Pattern: Local Buffer Overflow (Kernel)
-- Section: A
-- Question: Was a buffer on the stack overrun?
-- Tables: crashes, exceptions
-- Needs: none
-- Reading: one row a crash by a check of a stack cookie: bug check 0xF7, fast fail (0x139, or STATUS_STACK_BUFFER_OVERRUN
--   of a process) of kind 0 or 2. Other kinds of fast fail use the same codes and are no overrun.
-- Limits: an overrun that no check saw shows as an incorrect or truncated stack trace.
WITH fast_fail AS (
    SELECT dump_id, any_value(parameter0) AS kind
    FROM exceptions WHERE code = 3221226505 AND parameters >= 1 GROUP BY dump_id)
SELECT c.dump_id, 'thread' AS subject_kind, who(c.process_name, c.process_id, c.thread_id) AS subject,
       coalesce(c.fault_ip, c.ethread) AS address,
       json_object('code', coalesce(c.bugcheck_name, c.exception_name), 'parameter1', hex_address(c.parameter1), 'kind',
                   coalesce(e.kind, CASE WHEN c.bugcheck_code = 313 THEN c.parameter1 END), 'at', c.fault_text, 'culprit', c.culprit) AS evidence,
       'The cookie before a return address was overwritten' || coalesce(' in ' || c.culprit, '') || '.' AS reading,
       'certain' AS strength
FROM crashes AS c
LEFT JOIN fast_fail AS e USING (dump_id)
WHERE c.bugcheck_code = 247 OR (c.bugcheck_code = 313 AND c.parameter1 IN (0, 2))
   OR (c.exception_code = 3221226505 AND c.bugcheck_code IS NULL AND e.kind IN (0, 2))
