-- Pattern: Blocking File
-- Section: D
-- Question: Which I/O is stuck, in which driver, on which file?
-- Tables: irps, threads, processes, crashes
-- Needs: threads
-- Reading: one row a request that a driver has and has not finished: seconds is how long its thread has waited. Strong
--   from ten seconds on, weak below; reads of pipes, keyboards and notifications wait for ever by design. Certain for the
--   power request that bug check 0x9F (kind 3) names itself: a driver kept it too long.
-- Limits: requests that no thread's list holds (paging, those that a driver made itself) are not seen, and when a request
--   was issued is not recorded.
SELECT i.dump_id, 'request' AS subject_kind, coalesce(i.file_name, i.driver_name, hex_address(i.irp)) AS subject, i.irp AS address,
       json_object('request', i.major_name, 'driver', i.driver_name, 'file', i.file_name, 'thread',
                   who(p.name, i.process_id, i.thread_id), 'seconds', t.wait_seconds, 'wait_reason',
                   CASE WHEN t.state = 5 THEN t.wait_reason_name END, 'location', i.current_location, 'of', i.stack_count,
                   'being_cancelled', i.cancel) AS evidence,
       who(p.name, i.process_id, i.thread_id) || ' asked for ' || coalesce(i.major_name, 'a request')
           || coalesce(' on ' || i.file_name, '') || ', which ' || coalesce(i.driver_name, 'a driver') || ' has'
           || coalesce('; the thread waits since ' || round(CASE WHEN t.state = 5 THEN t.wait_seconds END)::BIGINT || ' s', '') || '.' AS reading,
       CASE WHEN t.state = 5 AND t.wait_seconds >= 10 THEN 'strong' ELSE 'weak' END AS strength
FROM irps AS i
LEFT JOIN threads AS t ON t.dump_id = i.dump_id AND t.ethread = i.ethread
LEFT JOIN processes AS p ON p.dump_id = i.dump_id AND p.process_id = i.process_id
WHERE i.pending AND i.current_location <= i.stack_count AND i.ethread IS NOT NULL
UNION ALL
SELECT c.dump_id, 'request', 'power request', c.parameter4,
       json_object('irp', hex_address(c.parameter4), 'device', hex_address(c.parameter2), 'triage_block', hex_address(c.parameter3), 'culprit',
                   c.culprit, 'rule', c.culprit_rule, 'request', i.minor_name, 'driver', i.driver_name),
       'The system stopped because power request ' || hex_address(c.parameter4) || ' to device ' || hex_address(c.parameter2)
           || ' was not finished in time' || coalesce('; ' || i.driver_name || ' has it', '') || coalesce(CASE WHEN c.culprit_rule LIKE 'stack%' THEN '; ' || c.culprit || ' is on the stack' END, '') || '.', 'certain'
FROM crashes AS c
LEFT JOIN irps AS i ON i.dump_id = c.dump_id AND i.irp = c.parameter4
WHERE c.bugcheck_code = 159 AND c.parameter1 = 3
