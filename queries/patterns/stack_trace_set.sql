-- Pattern: Stack Trace Set (Unique Stacks)
-- Section: B
-- Question: Which stacks are shared by many threads, and which stand alone?
-- Tables: stacks, processes, frames
-- Needs: stacks
-- Scope: lake
-- Weight: context
-- Reading: one row a stack that at least three threads of a dump share (strong: many threads in one place), or, in a dump with
--   at least ten walked stacks, that one thread alone has here while the lake's other dumps do not have it (weak: the odd
--   one). Equal means equal modules and functions in all frames.
-- Limits: guessed frames make equal stacks look different. Idle workers share stacks by design.
WITH whole AS (
    SELECT dump_id, hash, count(*) AS threads, any_value(top_function) AS does, any_value("top") AS first, any_value(frames) AS frames,
           min(ethread) AS ethread, arg_min(process_id, thread_key(ethread, thread_id)) AS process_id,
           arg_min(thread_id, thread_key(ethread, thread_id)) AS thread_id
    FROM stacks WHERE hash IS NOT NULL AND frames > 1 GROUP BY dump_id, hash),
counted AS (
    SELECT *, count(*) OVER (PARTITION BY hash) AS dumps, sum(threads) OVER (PARTITION BY dump_id) AS of_threads FROM whole)
SELECT c.dump_id, 'stack' AS subject_kind, coalesce(c.does, c.first) AS subject, c.ethread AS address,
       json_object('hash', c.hash, 'threads', c.threads, 'of', c.of_threads, 'dumps', c.dumps, 'frames', c.frames, 'example',
                   who(p.name, c.process_id, c.thread_id)) AS evidence,
       CASE WHEN c.threads >= 3 THEN c.threads || ' threads have this stack, in ' || coalesce(c.does, c.first)
            ELSE 'Only ' || who(p.name, c.process_id, c.thread_id) || ' has this stack, in ' || coalesce(c.does, c.first) END || '.' AS reading,
       CASE WHEN c.threads >= 3 THEN 'strong' ELSE 'weak' END AS strength
FROM counted AS c
LEFT JOIN processes AS p ON p.dump_id = c.dump_id AND p.process_id = c.process_id
WHERE c.threads >= 3 OR (c.threads = 1 AND c.of_threads >= 10 AND c.dumps = 1)
