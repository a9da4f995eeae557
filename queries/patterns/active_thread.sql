-- Pattern: Active Thread
-- Section: B
-- Question: Which threads were running, on which processors?
-- Tables: processors, stacks, processes, threads
-- Needs: processors
-- Weight: context
-- Reading: one row a processor that was not idle: its thread, what it does, and the level. Processors that ran their idle
--   thread are left out.
-- Limits: a kernel that freezes the other processors for a dump shows where each was then, not where it was at the crash.
SELECT c.dump_id, 'thread' AS subject_kind, w.ran AS subject, c.current_thread AS address,
       json_object('processor', c.number, 'does', s.top_function, 'top', s."top", 'irql', c.irql, 'frames', s.frames, 'priority', t.priority,
                   'next_thread', hex_address(c.next_thread)) AS evidence,
       'Processor ' || c.number || ' ran ' || w.ran
           || coalesce(' in ' || coalesce(s.top_function, s."top"), '') || '.' AS reading,
       'certain' AS strength
FROM processors AS c
LEFT JOIN stacks AS s ON s.dump_id = c.dump_id AND s.ethread = c.current_thread
LEFT JOIN threads AS t ON t.dump_id = c.dump_id AND t.ethread = c.current_thread
JOIN (SELECT i.dump_id, i.number, any_value(CASE WHEN i.current_thread_id IS NULL THEN 'thread ' || hex_address(i.current_thread)
                                                 ELSE who(p.name, i.current_process_id, i.current_thread_id) END) AS ran
      FROM processors AS i
      LEFT JOIN processes AS p ON p.dump_id = i.dump_id AND p.process_id = i.current_process_id
      GROUP BY i.dump_id, i.number) AS w ON w.dump_id = c.dump_id AND w.number = c.number
WHERE c.current_thread IS NOT NULL AND NOT coalesce(c.idle, c.current_thread = c.idle_thread, false)
  AND coalesce(c.current_thread_id, 1) <> 0
