-- Question: What did a thread run, even where its stack cannot be walked, and what had it run before?
-- Tables: residue, threads, processes
-- How to read it: add WHERE thread_id = ... ; one row for each address behind a call on the thread's stacks, innermost
--   first; without a thread those of processors' own stacks (interrupts, deferred calls). live says whether it lies above the stack pointer; where it is false a call had returned from there, so it is
--   history; NULL: not known. Rows of low confidence are words that point into code which the dump does not hold.
--   Replaces `dps` over a stack and looking for return addresses by eye.
CREATE VIEW rough_stack AS
SELECT r.dump_id, r.process_id, p.name AS process, r.thread_id, r.page_kind AS stack, hex_address(r.va) AS at, r.depth, r.live,
       CASE WHEN r.symbol IS NULL THEN r.module || '+' ELSE r.module || '!' || r.symbol || '+' END
           || format('0x{:x}', r."offset") AS text,
       r.call, r.confidence, r.unloaded, t.state_name AS state, hex_address(r.ethread) AS ethread
FROM residue AS r
LEFT JOIN threads AS t ON t.dump_id = r.dump_id AND t.ethread = r.ethread
LEFT JOIN processes AS p ON p.dump_id = t.dump_id AND p.eprocess = t.eprocess
WHERE r.page_kind <> 'unmapped'
ORDER BY r.dump_id, r.ethread, r.page_kind, r.va;
