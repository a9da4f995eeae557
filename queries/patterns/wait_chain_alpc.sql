-- Pattern: Wait Chain (ALPC)
-- Section: D
-- Question: Who waits for a server's answer?
-- Tables: alpc_messages, threads, processes, stacks
-- Needs: threads
-- Reading: one row a message: server is the thread that works on it, or the process whose port has it while no thread took it.
--   Strong where the server's thread waits itself, or where none took the message within a minute.
-- Limits: a message that was forwarded to another process is followed one step only; wait_graph follows on.
SELECT a.dump_id, 'thread' AS subject_kind, who(p.name, a.process_id, a.thread_id) AS subject, a.message AS address,
       json_object('message', hex_address(a.message), 'id', a.message_id, 'server', who(s.name, coalesce(v.process_id, a.server_process_id),
                   a.server_thread_id), 'server_state', v.state_name, 'server_waits_for',
                   CASE WHEN v.state = 5 THEN v.wait_reason_name END, 'server_does', k.top_function, 'seconds', t.wait_seconds,
                   'port', hex_address(a.connection_port)) AS evidence,
       'It waits for an answer of ' || who(s.name, coalesce(v.process_id, a.server_process_id), a.server_thread_id)
           || CASE WHEN a.server_thread IS NULL THEN ', where no thread has taken the message'
                   WHEN v.state = 5 THEN ', which waits itself (' || v.wait_reason_name || ')' ELSE '' END || '.' AS reading,
       CASE WHEN v.state = 5 OR (a.server_thread IS NULL AND t.wait_seconds >= 60) THEN 'strong' ELSE 'weak' END AS strength
FROM alpc_messages AS a
LEFT JOIN threads AS t ON t.dump_id = a.dump_id AND t.ethread = a.ethread
LEFT JOIN threads AS v ON v.dump_id = a.dump_id AND v.ethread = a.server_thread
LEFT JOIN stacks AS k ON k.dump_id = a.dump_id AND k.ethread = a.server_thread
LEFT JOIN processes AS p ON p.dump_id = a.dump_id AND p.process_id = a.process_id
LEFT JOIN processes AS s ON s.dump_id = a.dump_id AND s.process_id = coalesce(v.process_id, a.server_process_id)
WHERE a.server_thread IS DISTINCT FROM a.ethread
