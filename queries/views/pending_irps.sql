-- Question: Which I/O requests were under way, and which driver had them?
-- Tables: irps, processes
-- How to read it: replaces `!irpfind` for requests of threads. One row a request that a thread had issued; driver is the
--   one that works on it now, request what it was asked for.
CREATE VIEW pending_irps AS
SELECT i.dump_id, hex_address(i.irp) AS irp, i.process_id, p.name AS process, i.thread_id, i.major_name AS request,
       i.driver_name AS driver, i.file_name, i.current_location, i.stack_count, i.pending, i.cancel
FROM irps AS i
LEFT JOIN processes AS p ON p.dump_id = i.dump_id AND p.process_id = i.process_id;
