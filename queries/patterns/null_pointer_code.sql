-- Pattern: NULL Pointer (Code)
-- Section: A
-- Question: Was code called at an address near zero?
-- Tables: crashes
-- Needs: none
-- Reading: one row a crash whose instruction at fault lies below 64 KiB, where no code ever is.
-- Limits: who called it is on the stack, if anywhere.
SELECT dump_id, 'thread' AS subject_kind, who(process_name, process_id, thread_id) AS subject, fault_ip AS address,
       json_object('ip', hex_address(fault_ip), 'stated_by', fault_source, 'exception',
                   coalesce(exception_name, bugcheck_name)) AS evidence,
       'The processor was sent to ' || hex_address(fault_ip) || ': a pointer to a function was NULL.' AS reading,
       'certain' AS strength
FROM crashes
WHERE fault_ip < 65536
  AND (exception_code IN (3221225477, 3221225501, 3221225622) OR bugcheck_code IN (10, 30, 59, 80, 126, 142, 209))
