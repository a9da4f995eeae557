-- Question: Which single bits of code are not as in the image file, and is it the same bit in several places or dumps?
-- Tables: code_changes
-- How to read it: one row a place of kernel code where one bit alone differs from the image file; the bits that turned in
--   most places first. Bad memory or a bad processor turns one bit, but so do patches: turns_jump marks what the commonest
--   patch looks like, bit 0 of a byte that may be the opcode of a conditional jump (74 and 75, 0F 84 and 0F 85), which
--   then jumps where it did not; those rows come last. line counts the bits of a 64-bit word from the lowest one (byte of
--   the address modulo 8, times 8, and the bit in it), became is what it turned into; places (a module and an address in
--   it; in several dumps it is one) and dumps count all rows of that line and direction but the marked ones. The same line
--   in places that have nothing to do with each other speaks for one part of the memory, and memory is to be tested; one
--   place alone, in whatever many dumps, may be a patch. Breakpoints are left out. Empty where convert was not told of
--   image files (--images): see code_checks.
CREATE VIEW flipped_bits AS
WITH byte AS (
    SELECT *, TRY_CAST('0x' || expected AS UTINYINT) AS of_file, TRY_CAST('0x' || found AS UTINYINT) AS of_dump
    FROM code_changes WHERE kind = 'code' AND bytes = 1 AND effect <> 'breakpoint'),
turned AS (
    SELECT *, xor(of_file, of_dump) AS mask FROM byte WHERE bit_count(xor(of_file, of_dump)) = 1),
line AS (
    SELECT *, (va % 8 * 8 + log2(mask))::UTINYINT AS line, CASE WHEN of_dump & mask = 0 THEN 0 ELSE 1 END AS became,
           mask = 1 AND of_file BETWEEN 112 AND 143 AS turns_jump
    FROM turned),
same AS (
    SELECT line, became, count(DISTINCT (lower(module), va - base)) AS places, count(DISTINCT dump_id) AS dumps
    FROM line WHERE NOT turns_jump GROUP BY line, became)
SELECT l.dump_id, l.module, hex_address(l.va) AS address, l.function, l.expected, l.found, l.line, l.became, l.turns_jump,
       coalesce(s.places, 0) AS places, coalesce(s.dumps, 0) AS dumps
FROM line AS l
LEFT JOIN same AS s USING (line, became)
ORDER BY turns_jump, places DESC, l.line, l.became, l.dump_id, l.va;
