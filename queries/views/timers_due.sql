-- Question: Which timers are set, and whose code runs when they are due?
-- Tables: timers
-- How to read it: replaces `!timer`. One row a timer, the next one first. A routine without a module is worth a
--   look, though Windows' own integrity check has such timers.
CREATE VIEW timers_due AS
SELECT dump_id, processor, due_at, due_time, period_ms, timer_type, signaled, routine_text, routine_module,
       hex_address(timer) AS timer, hex_address(routine) AS routine
FROM timers
ORDER BY dump_id, due_time;
