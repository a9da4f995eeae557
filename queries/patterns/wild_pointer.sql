-- Pattern: Wild Pointer
-- Section: A
-- Question: Was a value used as a pointer that cannot be one?
-- Tables: crashes, dumps, contexts
-- Needs: none
-- Reading: one row a crash. Certain where the address itself is text or is no address of the architecture. An x64
--   processor reports no address (all bits one) for one that is not canonical: then the address is that of the decoded
--   instruction; where it could not be decoded, strong if a register holds such a value; odd_registers are those. Strong
--   where code was to run at an address in no module.
-- Limits: a random value that happens to look like an address is an invalid pointer. On x86 every number is an address,
--   so only text tells.
WITH register AS (
    SELECT dump_id, ip, unnest(['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13',
                                'r14', 'r15']) AS name,
           unnest([rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15]) AS value
    FROM contexts WHERE architecture = 'x64'),
odd AS (
    SELECT dump_id, ip, list(name || '=' || hex_address(value) ORDER BY name) AS registers
    FROM register
    WHERE value > 140737488355327 AND value < 18446603336221196288
    GROUP BY ALL),
used AS (
    SELECT c.* REPLACE (CASE WHEN c.fault_address = 18446744073709551615 THEN coalesce(c.operand_address, c.fault_address)
                             ELSE c.fault_address END AS fault_address), d.architecture
    FROM crashes AS c
    JOIN dumps AS d USING (dump_id)),
crash AS (
    SELECT c.*, o.registers, list_transform(range(8), i -> (c.fault_address >> (8 * i::UBIGINT)) & 255) AS bytes
    FROM used AS c
    LEFT JOIN odd AS o ON o.dump_id = c.dump_id AND o.ip = c.fault_ip
    WHERE c.exception_code = 3221225477 OR c.bugcheck_code IN (10, 80, 209)),
judged AS (
    SELECT *,
           CASE WHEN architecture <> 'x86' AND len(list_filter(bytes, b -> b BETWEEN 32 AND 126)) = 8
                    THEN 'it is the text "' || array_to_string(list_transform(bytes, b -> chr(b::INTEGER)), '') || '"'
                WHEN architecture = 'x64' AND fault_address > 140737488355327 AND fault_address < 18446603336221196288
                    THEN 'it is no canonical address'
                WHEN architecture = 'x86' AND len(list_filter(bytes[1:4], b -> b BETWEEN 48 AND 122)) = 4
                    THEN 'its four bytes are text'
                WHEN architecture = 'x64' AND fault_address = 18446744073709551615 AND registers IS NOT NULL
                    THEN 'the processor reported no address, and a register holds a value that is no address'
                WHEN fault_ip >= 65536 AND fault_module IS NULL AND fault_address = fault_ip
                    THEN 'code was to run there, in no module' END AS why
    FROM crash)
SELECT dump_id, 'address' AS subject_kind, hex_address(fault_address) AS subject, fault_address AS address,
       json_object('address', hex_address(fault_address), 'access', fault_access, 'at', fault_text, 'instruction',
                   fault_instruction, 'odd_registers', registers) AS evidence,
       'The address ' || hex_address(fault_address) || ' was used at ' || coalesce(fault_text, 'an unknown place') || ': '
           || why || '.' AS reading,
       CASE WHEN why LIKE 'it is %' THEN 'certain' WHEN why LIKE 'its four%' THEN 'weak' ELSE 'strong' END AS strength
FROM judged
WHERE why IS NOT NULL
