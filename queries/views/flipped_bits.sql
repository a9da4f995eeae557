-- Question: Which single bits of code are not as in the image file, and is it the same bit in several places or dumps?
-- Tables: code_changes
-- How to read it: one row a place of kernel code where one bit alone differs from the image file; the bits that turned in
--   most places first. No program changes code by one bit: memory or a processor is to be tested. line counts the bits of
--   a 64-bit word from the lowest one (byte of the address modulo 8, times 8, and the bit in it), became is what it turned
--   into; places and dumps count all rows of that line and direction. The same line in places that have nothing to do
--   with each other speaks for one part of the memory. One row alone may be a program's patch; breakpoints are left out.
--   Empty where convert was not told of image files (--images): see code_checks.
CREATE VIEW flipped_bits AS
WITH byte AS (
    SELECT *, TRY_CAST('0x' || expected AS UTINYINT) AS of_file, TRY_CAST('0x' || found AS UTINYINT) AS of_dump
    FROM code_changes WHERE kind = 'code' AND bytes = 1 AND effect <> 'breakpoint'),
turned AS (
    SELECT *, xor(of_file, of_dump) AS mask FROM byte WHERE bit_count(xor(of_file, of_dump)) = 1),
line AS (
    SELECT *, (va % 8 * 8 + log2(mask))::UTINYINT AS line, CASE WHEN of_dump & mask = 0 THEN 0 ELSE 1 END AS became FROM turned)
SELECT dump_id, module, hex_address(va) AS address, function, expected, found, line, became,
       count(*) OVER same AS places, len(list_distinct(list(dump_id) OVER same)) AS dumps
FROM line
WINDOW same AS (PARTITION BY line, became)
ORDER BY places DESC, line, became, dump_id, va;
