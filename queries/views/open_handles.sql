-- Question: Which handles does each process have?
-- Tables: handles, processes
-- How to read it: replaces `!handle 0 3`. One row an open handle, the process with its name beside it. Handles of
--   PspCidTable are left out: they are process and thread ids.
CREATE VIEW open_handles AS
SELECT h.dump_id, h.process_id, p.name AS process, hex_address(h.handle) AS handle, h.type_name, h.object_name,
       hex_code(h.granted_access) AS granted_access, h.attributes, hex_address(h.object) AS object
FROM handles AS h
LEFT JOIN processes AS p ON p.dump_id = h.dump_id AND p.process_id = h.process_id
WHERE h.source <> 'PspCidTable';
