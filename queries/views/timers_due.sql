-- Question: Which timers are set, and whose code runs when they are due?
-- Tables: timers, dumps
-- How to read it: replaces `!timer`. One row a timer, the next one first. due_at is UTC; where the dump does not hold the
--   kernel's clock (KUSER_SHARED_DATA) it is counted from the header's system time and uptime, which may be some
--   milliseconds apart. A routine without a module is worth a look, though Windows' own integrity check has such timers.
CREATE VIEW timers_due AS
SELECT t.dump_id, t.processor,
       coalesce(t.due_at, TRY(d.system_time +
           to_microseconds(TRY_CAST(t.due_time / 10.0 - d.uptime_seconds * 1000000.0 AS BIGINT)))) AS due_at,
       t.due_time, t.period_ms, t.timer_type, t.signaled, t.routine_text, t.routine_module,
       hex_address(t.timer) AS timer, hex_address(t.routine) AS routine
FROM timers AS t
LEFT JOIN dumps AS d USING (dump_id)
ORDER BY t.dump_id, t.due_time;
