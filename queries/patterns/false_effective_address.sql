-- Pattern: False Effective Address
-- Section: A
-- Question: Does the address that Windows reports disagree with the instruction at fault?
-- Tables: crashes, dumps
-- Needs: none
-- Reading: one row a crash whose instruction, decoded, names another address by the registers at the fault than the one
--   that is reported. Of an address that is not canonical Windows reports none (all bits one), which is no disagreement: the
--   pattern Wild Pointer tells of it. Weak where none is reported and its address is canonical: an operand that is not
--   aligned as it has to be gives the same. Strong elsewhere: registers, code or report are not those of that moment, as with
--   failing hardware, code changed after the fault, or a record that belongs to another fault.
-- Limits: needs the code and every register of the operand; x86 and x64. push, pop, call, ret and enter use the stack
--   besides their operand and are left out.
WITH crash AS (
    SELECT c.*, CASE WHEN d.architecture = 'x86' THEN c.fault_address & 4294967295 ELSE c.fault_address END AS reported,
           d.architecture = 'x64' AND c.operand_address > 140737488355327
               AND c.operand_address < 18446603336221196288 AS uncanonical,
           c.fault_address = 18446744073709551615 AS general
    FROM crashes AS c
    JOIN dumps AS d USING (dump_id)
    WHERE c.operand_address IS NOT NULL AND c.fault_address IS NOT NULL AND c.fault_address IS DISTINCT FROM c.fault_ip
      AND (c.exception_code = 3221225477 OR c.bugcheck_code IN (10, 80, 209, 213, 214))
      AND NOT regexp_matches(c.fault_instruction, '^(push|pop|call|ret|enter|leave|iret)'))
SELECT dump_id, 'address' AS subject_kind, hex_address(reported) AS subject, reported AS address,
       json_object('instruction', fault_instruction, 'operand', hex_address(operand_address), 'bytes', operand_size, 'base',
                   operand_base, 'base_value', hex_address(operand_base_value), 'reported', hex_address(reported),
                   'at', fault_text) AS evidence,
       coalesce(fault_text, 'It') || ' used ' || hex_address(operand_address) || ' by its registers, and Windows reports '
           || hex_address(reported) || CASE WHEN general THEN ', as it does for general protection faults' ELSE '' END
           || '.' AS reading,
       CASE WHEN general THEN 'weak' ELSE 'strong' END AS strength
FROM crash
WHERE NOT (reported >= operand_address AND reported::HUGEINT - operand_address < greatest(operand_size, 1))
  AND NOT (general AND uncanonical)
