-- Pattern: Message Box, Dialog Box
-- Section: D
-- Question: Does a dialog wait for somebody?
-- Tables: frames, processes, threads
-- Needs: stacks
-- Reading: one row a thread whose stack stands in a message box or a modal dialog. Certain by an unwound frame, weak by a
--   guessed one.
-- Limits: needs the user part of the stack and the exports of its modules; the dialog's text is not read.
SELECT f.dump_id, 'thread' AS subject_kind, who(any_value(p.name), any_value(f.process_id), any_value(f.thread_id)) AS subject,
       f.ethread AS address,
       json_object('place', arg_min(f.text, f."index"), 'caller', arg_max(f.text, f."index"), 'session', any_value(p.session_id),
                   'seconds', any_value(t.wait_seconds)) AS evidence,
       'It shows ' || arg_max(f.text, f."index") || ' and waits for an answer.' AS reading,
       CASE WHEN bool_or(f.confidence = 'high') THEN 'certain' WHEN bool_or(f.confidence = 'medium') THEN 'strong' ELSE 'weak' END AS strength
FROM frames AS f
LEFT JOIN processes AS p ON p.dump_id = f.dump_id AND p.process_id = f.process_id
LEFT JOIN threads AS t ON t.dump_id = f.dump_id AND thread_key(t.ethread, t.thread_id) = thread_key(f.ethread, f.thread_id)
WHERE f.symbol LIKE 'MessageBox%' OR f.symbol LIKE 'SoftModalMessageBox%' OR f.symbol LIKE 'DialogBox%Param%'
   OR f.symbol IN ('InternalDialogBox', 'NtRaiseHardError', 'ZwRaiseHardError', 'ExpRaiseHardError', 'TaskDialogIndirect', 'TaskDialog')
GROUP BY f.dump_id, f.ethread, f.thread_id
