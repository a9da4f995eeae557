-- Pattern: Execution Residue (Unmanaged Space, Kernel)
-- Section: B
-- Question: Which modules have left return addresses in memory that no frame accounts for?
-- Tables: residue
-- Needs: residue
-- Weight: context
-- Reading: one row a module that is not the kernel: how many words of stacks below the stack pointer and of unmapped pages
--   are return addresses into it, and how sure. Strong with at least one of high confidence (a call whose target is code
--   stands before it), weak otherwise. It ran earlier; when, nothing tells.
-- Limits: an old value may survive for days. Words that no call precedes are not counted (Coincidental Symbolic Information).
SELECT dump_id, 'module' AS subject_kind, module AS subject, min(coalesce(va, pa)) AS address,
       json_object('words', count(*), 'high', count(*) FILTER (confidence = 'high'), 'medium', count(*) FILTER (confidence = 'medium'),
                   'low', count(*) FILTER (confidence = 'low'), 'threads', count(DISTINCT ethread), 'on_unmapped_pages',
                   count(*) FILTER (page_kind = 'unmapped'), 'functions',
                   list_sort(list(DISTINCT coalesce(symbol, module || '+' || printf('0x%x', "offset"))))[1:8]) AS evidence,
       count(*) || CASE count(*) WHEN 1 THEN ' word that no frame accounts for is a return address into '
           ELSE ' words that no frame accounts for are return addresses into ' END || module || '.' AS reading,
       CASE WHEN count(*) FILTER (confidence = 'high') > 0 THEN 'strong' ELSE 'weak' END AS strength
FROM residue
WHERE (live IS NOT DISTINCT FROM false OR page_kind = 'unmapped') AND lower(module) NOT IN ('ntoskrnl.exe', 'hal.dll')
GROUP BY dump_id, module
