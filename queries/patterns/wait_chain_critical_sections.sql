-- Pattern: Wait Chain (Critical Sections)
-- Section: D
-- Question: Which critical sections of programs are held while others wait?
-- Tables: critical_sections, processes, threads, stacks
-- Needs: vads
-- Reading: one row a critical section that a thread owns and for which at least one other waits. Strong where the owner
--   itself waits or does not exist any more (an orphaned lock), weak where it runs.
-- Limits: since Windows 8 most critical sections have no debug information and are in no list; who the waiters are is on
--   their stacks only.
SELECT c.dump_id, 'critical section' AS subject_kind, who(p.name, c.process_id, c.owning_thread_id) AS subject,
       c.critical_section AS address,
       json_object('owner_thread_id', c.owning_thread_id, 'waiters', c.waiters, 'recursion', c.recursion_count, 'contention',
                   c.contention_count, 'wow64', c.is_wow64, 'owner_state', t.state_name, 'owner_waits_for',
                   CASE WHEN t.state = 5 THEN t.wait_reason_name END, 'owner_does', s.top_function) AS evidence,
       c.waiters || ' threads wait for the critical section at ' || hex_address(c.critical_section) || '; '
           || CASE WHEN t.thread_id IS NULL THEN 'its owner ' || c.owning_thread_id || ' does not exist'
                   ELSE 'its owner ' || c.owning_thread_id || ' is ' || coalesce(lower(t.state_name), 'in an unknown state') END
           || '.' AS reading,
       CASE WHEN t.thread_id IS NULL OR t.state = 5 OR t.terminated THEN 'strong' ELSE 'weak' END AS strength
FROM critical_sections AS c
LEFT JOIN processes AS p ON p.dump_id = c.dump_id AND p.eprocess = c.eprocess
LEFT JOIN threads AS t ON t.dump_id = c.dump_id AND t.process_id = c.process_id AND t.thread_id = c.owning_thread_id
LEFT JOIN stacks AS s ON s.dump_id = t.dump_id AND thread_key(s.ethread, s.thread_id) = thread_key(t.ethread, t.thread_id)
WHERE c.locked AND c.waiters > 0
