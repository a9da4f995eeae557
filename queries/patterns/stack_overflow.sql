-- Pattern: Double Fault, Stack Overflow (Kernel Mode)
-- Section: A
-- Question: Did a stack run out, and what filled it?
-- Tables: crashes, stacks, processes, dumps
-- Needs: none
-- Reading: one row a crash by a stack that ran out, and one a thread whose kernel stack has less than a page left.
--   repeats is how often a cycle of frames repeats, period its length: recursion; without, few large frames filled it.
-- Limits: the stack of a thread that was switched to another stack is not judged; a double fault can have other causes
--   (then the thread's stack is not full). Stacks of small dumps are measured where their limits were captured. The
--   stack of a program that ran out is another matter: its exception is STATUS_STACK_OVERFLOW (`crashes`).
WITH full_stack AS (
    SELECT s.*, p.name AS process, s.stack_base - s.stack_limit AS size
    FROM stacks AS s
    LEFT JOIN processes AS p ON p.dump_id = s.dump_id AND p.process_id = s.process_id
    WHERE s.ethread IS NOT NULL AND s.stack_base > s.stack_limit AND s.stack_used <= s.stack_base - s.stack_limit
      AND s.stack_used + 4096 > s.stack_base - s.stack_limit)
SELECT dump_id, 'thread' AS subject_kind, who(process, process_id, thread_id) AS subject, ethread AS address,
       json_object('used', stack_used, 'size', size, 'frames', frames, 'period', recursion_period, 'repeats',
                   recursion_count, 'top', "top") AS evidence,
       'Its kernel stack of ' || size || ' bytes has ' || (size - stack_used) || ' left'
           || coalesce('; a cycle of ' || recursion_period || ' frames repeats ' || recursion_count || ' times', '') || '.' AS reading,
       'certain' AS strength
FROM full_stack
UNION ALL
SELECT c.dump_id, 'thread', who(c.process_name, c.process_id, c.thread_id), coalesce(c.ethread, c.fault_ip),
       json_object('code', coalesce(c.bugcheck_name, c.exception_name), 'parameter1', hex_address(c.parameter1), 'at',
                   c.fault_text, 'period', s.recursion_period, 'repeats', s.recursion_count, 'used', s.stack_used),
       CASE WHEN c.bugcheck_code IN (127, 268435583) THEN 'A double fault: the usual cause is a kernel stack that ran out'
            ELSE 'The system stopped because a stack ran out' END
           || coalesce('; frames repeat ' || s.recursion_count || ' times', '') || '.',
       CASE WHEN c.bugcheck_code IN (127, 268435583) AND s.recursion_count IS NULL THEN 'strong' ELSE 'certain' END
FROM crashes AS c
LEFT JOIN stacks AS s ON s.dump_id = c.dump_id AND thread_key(s.ethread, s.thread_id) = thread_key(c.ethread, c.thread_id)
WHERE (c.bugcheck_code IN (127, 268435583) AND c.parameter1 = 8) OR c.bugcheck_code = 43
   OR (c.bugcheck_code IS NOT NULL AND c.exception_code = 3221225725)
