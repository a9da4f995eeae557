-- Question: Which deferred procedure calls were queued?
-- Tables: dpcs
-- How to read it: replaces `!dpcs`. One row a queued DPC of a processor, in the order in which they would run.
CREATE VIEW pending_dpcs AS
SELECT dump_id, processor, queue, position, routine_text, routine_module, hex_address(dpc) AS dpc,
       hex_address(routine) AS routine, hex_address(context) AS context
FROM dpcs
ORDER BY dump_id, processor, queue, position;
