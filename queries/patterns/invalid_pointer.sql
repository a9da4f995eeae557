-- Pattern: Invalid Pointer (General)
-- Section: A
-- Question: Was a pointer used that leads to nothing?
-- Tables: crashes, pages, dumps, memory_regions
-- Needs: none
-- Reading: one row a crash that used an address above 64 KiB which nothing is known to map. Strong for faults that only
--   memory that is not there or not allowed gives; weak for those of a raised interrupt level, where memory that was
--   paged out gives the same. An address whose page the dump holds is left out: it was there.
-- Limits: small dumps hold too few pages to tell that an address was mapped; the state of the page-table entry is not
--   asked. An address that was freed and one that never existed look alike.
WITH region AS (
    SELECT c.dump_id, any_value(g.state_name) AS state
    FROM crashes AS c
    JOIN memory_regions AS g ON g.dump_id = c.dump_id AND c.fault_address >= g.base
        AND c.fault_address::HUGEINT - g.base < g.size
    GROUP BY c.dump_id)
SELECT c.dump_id, 'address' AS subject_kind, hex_address(c.fault_address) AS subject, c.fault_address AS address,
       json_object('address', hex_address(c.fault_address), 'access', c.fault_access, 'at', c.fault_text, 'code',
                   coalesce(c.bugcheck_name, c.exception_name), 'region', g.state) AS evidence,
       coalesce(c.fault_text, 'It') || ' used ' || hex_address(c.fault_address) || ', which nothing maps'
           || CASE WHEN c.fault_address = c.fault_ip THEN ', as code' ELSE '' END || '.' AS reading,
       CASE WHEN c.bugcheck_code IN (10, 209) THEN 'weak' ELSE 'strong' END AS strength
FROM crashes AS c
LEFT JOIN region AS g USING (dump_id)
WHERE c.fault_address >= 65536 AND c.fault_address < 18446744073709551615
  AND (c.exception_code = 3221225477 OR c.bugcheck_code IN (10, 80, 204, 205, 209, 213, 214))
  AND coalesce(g.state, 'free') NOT ILIKE '%commit%'
  AND NOT EXISTS (SELECT 1 FROM pages AS p WHERE p.dump_id = c.dump_id
                  AND p.va = c.fault_address - c.fault_address % 4096)
