-- Pattern: Stack Trace Collection (Unmanaged Space)
-- Section: B
-- Question: What do all threads do?
-- Tables: stacks, threads
-- Needs: stacks
-- Weight: context
-- Reading: one row a dump: how many threads there are, how many stacks were walked to their end, how many different ones, and
--   the commonest by what they do. Look at the view unique_stacks for the stacks themselves.
-- Limits: stacks that are paged out are counted and not shown.
SELECT s.dump_id, 'dump' AS subject_kind, count(*) || ' threads' AS subject, NULL::UBIGINT AS address,
       json_object('threads', count(*), 'walked', count(*) FILTER (s.frames > 0), 'whole', count(*) FILTER (s.end_reason IN ('thread start', 'user mode')),
                   'different', count(DISTINCT s.hash), 'without', count(*) FILTER (s.frames = 0), 'common',
                   (SELECT list(c.n || ' x ' || coalesce(c.top_function, 'the kernel only') ORDER BY c.n DESC, c.top_function)[1:5]
                    FROM (SELECT count(*) AS n, i.top_function FROM stacks AS i WHERE i.dump_id = s.dump_id AND i.frames > 0 GROUP BY i.top_function) AS c)) AS evidence,
       'Of ' || count(*) || ' threads ' || count(*) FILTER (s.frames > 0) || ' have a stack that was walked; '
           || count(DISTINCT s.hash) || ' are different.' AS reading,
       'certain' AS strength
FROM stacks AS s
GROUP BY s.dump_id
HAVING count(*) FILTER (s.frames > 0) > 1
