-- Pattern: Encoded Pointer
-- Section: A
-- Question: Which pointers are stored encoded, so that the raw value misleads?
-- Tables: timers
-- Needs: timers
-- Weight: context
-- Reading: one row a dump whose timers store their deferred call encoded; stored is what memory holds, decoded is what it
--   means, of the first timer whose routine is known. Take timers.dpc, never the raw word.
-- Limits: of the timers only; entries of handle tables and the stored return addresses of programs (EncodePointer) are
--   decoded by the walks or not at all, and their raw values are in no table.
SELECT dump_id, 'timers' AS subject_kind, count(*) || CASE count(*) WHEN 1 THEN ' timer' ELSE ' timers' END AS subject, arg_min(timer, sort) AS address,
       json_object('timer', hex_address(arg_min(timer, sort)), 'stored', hex_address(arg_min(dpc_stored, sort)), 'decoded',
                   hex_address(arg_min(dpc, sort)), 'routine', arg_min(routine_text, sort)) AS evidence,
       'Timers hide their deferred call (' || count(*) || '): ' || hex_address(arg_min(dpc_stored, sort)) || ' means '
           || hex_address(arg_min(dpc, sort)) || '.' AS reading,
       'certain' AS strength
FROM (SELECT *, (routine_text IS NULL, timer) AS sort FROM timers WHERE dpc IS NOT NULL AND dpc <> dpc_stored)
GROUP BY dump_id
