-- Pattern: NULL Pointer (Data)
-- Section: A
-- Question: Was a field of NULL used?
-- Tables: crashes, contexts
-- Needs: none
-- Reading: one row a crash whose instruction read or wrote an address below 64 KiB. base is the register that held the
--   pointer, where the instruction could be decoded; else zero_registers are those of the crashing thread's context that
--   were zero: one of them is probably the base. The address itself is the field's offset if the base was NULL. Weak where
--   the decoded instruction names another address (see False Effective Address).
-- Limits: an offset above 64 KiB is missed; a small number used as a pointer on purpose looks the same.
WITH registers AS (
    SELECT dump_id, ip,
           any_value(list_filter([CASE WHEN rax = 0 OR eax = 0 THEN 'ax' END, CASE WHEN rbx = 0 OR ebx = 0 THEN 'bx' END,
                        CASE WHEN rcx = 0 OR ecx = 0 THEN 'cx' END, CASE WHEN rdx = 0 OR edx = 0 THEN 'dx' END,
                        CASE WHEN rsi = 0 OR esi = 0 THEN 'si' END, CASE WHEN rdi = 0 OR edi = 0 THEN 'di' END,
                        CASE WHEN r8 = 0 THEN 'r8' END, CASE WHEN r9 = 0 THEN 'r9' END, CASE WHEN x0 = 0 THEN 'x0' END,
                        CASE WHEN x8 = 0 THEN 'x8' END], r -> r IS NOT NULL)) AS zero
    FROM contexts GROUP BY ALL)
SELECT c.dump_id, 'address' AS subject_kind, hex_address(c.fault_address) AS subject, c.fault_address AS address,
       json_object('address', hex_address(c.fault_address), 'access', c.fault_access, 'at', c.fault_text, 'instruction',
                   c.fault_instruction, 'base', c.operand_base, 'base_value', hex_address(c.operand_base_value),
                   'zero_registers', r.zero) AS evidence,
       coalesce(c.fault_text, 'It') || coalesce(CASE c.fault_access WHEN 'write' THEN ' wrote to ' WHEN 'read' THEN ' read ' END,
                ' used ') || hex_address(c.fault_address) || CASE c.fault_address WHEN 0 THEN ': NULL itself.' ELSE ': a field of NULL.' END AS reading,
       CASE WHEN c.operand_address >= 65536 THEN 'weak' ELSE 'certain' END AS strength
FROM crashes AS c
LEFT JOIN registers AS r ON r.dump_id = c.dump_id AND r.ip = c.fault_ip
WHERE c.fault_address < 65536 AND coalesce(c.fault_access, '') <> 'execute'
  AND c.fault_address IS DISTINCT FROM c.fault_ip
  AND (c.exception_code = 3221225477 OR c.bugcheck_code IN (10, 80, 209, 213, 214))
