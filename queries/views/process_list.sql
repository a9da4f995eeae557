-- Question: Which processes were there?
-- Tables: processes
-- How to read it: replaces `!process 0 0`. One row a process that any list led to; hidden is true when the active
--   list does not lead to it but another source does. The times are UTC.
CREATE VIEW process_list AS
SELECT p.dump_id, p.process_id, p.name, p.parent_id, p.session_id, p.create_time, p.exit_time, p.thread_count,
       p.handle_count, p.wow64, p.hidden, hex_address(p.eprocess) AS eprocess, hex_address(p.dtb) AS dtb,
       hex_address(p.peb) AS peb
FROM processes AS p
ORDER BY p.dump_id, p.create_time, p.process_id;
