-- Question: Which I/O requests were under way, and which driver had them?
-- Tables: irps, processes
-- How to read it: replaces `!irpfind` for requests of threads. One row a request that a thread had issued, or that the
--   bug check names (no thread_id), and a driver works on; request is what it was asked for. Requests that no driver has (not sent yet, or completed: current_location
--   is above stack_count) are left out; irps has them too.
CREATE VIEW pending_irps AS
SELECT i.dump_id, hex_address(i.irp) AS irp, i.process_id, p.name AS process, i.thread_id, i.major_name AS request,
       i.driver_name AS driver, i.file_name, i.current_location, i.stack_count, i.pending, i.cancel
FROM irps AS i
LEFT JOIN processes AS p ON p.dump_id = i.dump_id AND p.process_id = i.process_id
WHERE i.current_location <= i.stack_count;
