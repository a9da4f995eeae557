-- Pattern: Past Stack Trace
-- Section: B
-- Question: Which chains of earlier calls lie below the stack pointer?
-- Tables: residue, processes
-- Needs: residue
-- Weight: context
-- Reading: one row a chain of at least three return addresses below a thread's stack pointer, each of a direct call to the
--   function into which the one below it returns: the calls were made one from the other. Strong; calls is the chain,
--   innermost first.
-- Limits: chains are broken by calls through pointers and by whatever was written over them. The start of a function is
--   known where its name is; without names a distance below 4 KiB from the called address counts, and the chain is weak.
WITH word AS (
    SELECT dump_id, ethread, process_id, thread_id, va, target, called, symbol, "offset", confidence,
           coalesce(symbol, module) || '+' || printf('0x%x', "offset") AS text,
           lag(target) OVER w AS inner_target, lag(symbol) OVER w AS inner_symbol, lag("offset") OVER w AS inner_offset
    FROM residue
    WHERE live IS NOT DISTINCT FROM false AND page_kind = 'kernel stack' AND ethread IS NOT NULL AND confidence <> 'low'
    WINDOW w AS (PARTITION BY dump_id, ethread ORDER BY va)),
linked AS (
    SELECT *, CASE WHEN called IS NULL OR inner_target IS NULL OR called > inner_target THEN 0
                   WHEN inner_symbol IS NOT NULL AND inner_target - called = inner_offset THEN 2
                   WHEN inner_symbol IS NULL AND inner_target - called < 4096 THEN 1 ELSE 0 END AS link
    FROM word),
chained AS (SELECT *, sum((link = 0)::INTEGER) OVER (PARTITION BY dump_id, ethread ORDER BY va) AS chain FROM linked),
found AS (
    SELECT dump_id, ethread, any_value(process_id) AS process_id, any_value(thread_id) AS thread_id, count(*) AS n, min(va) AS va,
           list(text ORDER BY va)[1:16] AS calls, count(*) FILTER (link = 2) AS exact
    FROM chained GROUP BY dump_id, ethread, chain HAVING count(*) >= 3)
SELECT f.dump_id, 'thread' AS subject_kind, who(p.name, f.process_id, f.thread_id) AS subject, f.va AS address,
       json_object('at', hex_address(f.va), 'calls', f.calls, 'links', f.n - 1, 'exact', f.exact) AS evidence,
       'Below its stack pointer a chain of ' || f.n || ' calls is left, from ' || f.calls[-1] || ' to ' || f.calls[1] || '.' AS reading,
       CASE WHEN f.exact = f.n - 1 THEN 'strong' ELSE 'weak' END AS strength
FROM found AS f
LEFT JOIN processes AS p ON p.dump_id = f.dump_id AND p.process_id = f.process_id
