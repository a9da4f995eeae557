-- Pattern: Truncated Stack Trace
-- Section: A
-- Question: Which stacks end too early?
-- Tables: stacks, processes
-- Needs: stacks
-- Weight: context
-- Reading: one row a thread whose stack was walked and whose last frame is neither where threads start nor user mode.
--   ended and detail say why. Stacks that are not in the dump are not truncated but absent, and left out.
-- Limits: strong only where the walk lost its way; a walk that reached the base of the stack without a thread's start
--   may be whole but for a missing name of the start, and is weak, and in a minidump of a process left out.
SELECT s.dump_id, 'thread' AS subject_kind, who(p.name, s.process_id, s.thread_id) AS subject, s.ethread AS address,
       json_object('frames', s.frames, 'ended', s.end_reason, 'detail', s.detail, 'gave_way', s.gave_way, 'top', s."top",
                   'used', s.stack_used) AS evidence,
       CASE WHEN s.end_reason = 'stack base'
            THEN 'The walk lost its way (' || coalesce(s.gave_way, 'why is not known') || '); the rest of the ' || s.frames
                || ' frames are words up to the base of the stack that look like return addresses.'
            ELSE 'After ' || s.frames || ' frames the walk ended: ' || s.end_reason || coalesce(' (' || s.detail || ')', '') || '.'
            END AS reading,
       CASE s.end_reason WHEN 'lost' THEN 'strong' WHEN 'too many frames' THEN 'strong' ELSE 'weak' END AS strength
FROM stacks AS s
LEFT JOIN processes AS p ON p.dump_id = s.dump_id AND p.process_id = s.process_id
WHERE s.frames > 0 AND (s.end_reason IN ('lost', 'too many frames')
    OR s.end_reason = 'stack base' AND s.ethread IS NOT NULL)
