-- Question: What is in the address space of each process?
-- Tables: vads, processes
-- How to read it: replaces `!vad`. One row a range of addresses, by address; end is its last byte. protection is the one
--   that the range was made with. Private memory that is executable and writable is what injected code likes.
CREATE VIEW process_memory AS
SELECT v.dump_id, v.process_id, p.name AS process, hex_address(v.start) AS start, hex_address(v."end") AS "end", v.size,
       v.vad_type_name AS type, v.protection_name AS protection, v.private, v.commit_charge, v.file,
       hex_address(v.vad) AS vad
FROM vads AS v
LEFT JOIN processes AS p ON p.dump_id = v.dump_id AND p.eprocess = v.eprocess
ORDER BY v.dump_id, v.process_id, v.start;
