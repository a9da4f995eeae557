-- Pattern: Multiple Exceptions
-- Section: A
-- Question: Is there more than one exception?
-- Tables: frames, exceptions
-- Needs: stacks
-- Reading: one row a dump with exceptions of different threads, or several on one stack: places says where. An exception
--   is a frame of the kernel's or ntdll's exception dispatch, code interrupted below KeBugCheckEx, or a record of the
--   dump's own (of a kernel dump the header's record only repeats the bug check and is not counted).
-- Limits: nested exceptions are told apart by the frames that dispatch them, so names of functions are needed
--   (`--symbols`). Exceptions that were handled have left nothing on a stack.
WITH place AS (
    SELECT dump_id, thread_id, thread_key(ethread, thread_id) AS of, "index" AS depth, text
    FROM frames
    WHERE symbol IN ('KiDispatchException', 'RtlDispatchException', 'KiBugCheckDispatch', 'UnhandledExceptionFilter')
    UNION ALL
    SELECT t.dump_id, t.thread_id, thread_key(t.ethread, t.thread_id), t."index", t.text
    FROM frames AS t
    JOIN frames AS b ON b.dump_id = t.dump_id AND thread_key(b.ethread, b.thread_id) = thread_key(t.ethread, t.thread_id) AND b."index" < t."index"
    WHERE t.method = 'trap' AND t.mode = 'kernel' AND b.symbol = 'KeBugCheckEx'
    UNION ALL
    SELECT dump_id, thread_id, NULL, row_number() OVER (PARTITION BY dump_id ORDER BY source, address),
           coalesce(code_name, hex_code(code)) || ' at ' || hex_address(address)
    FROM exceptions WHERE source <> 'header'),
-- The frame that dispatches and the code that was interrupted are one exception.
first AS (
    SELECT *, row_number() OVER (PARTITION BY dump_id, of ORDER BY depth) AS number,
           coalesce(depth - lag(depth) OVER (PARTITION BY dump_id, of ORDER BY depth) > 4, true) AS starts
    FROM place)
SELECT dump_id, 'dump' AS subject_kind, count(*) || ' exceptions' AS subject, NULL::UBIGINT AS address,
       json_object('exceptions', count(*), 'threads', count(DISTINCT coalesce(of, thread_id)),
                   'places', list(text ORDER BY of, depth)[1:8]) AS evidence,
       'There are ' || count(*) || ' exceptions on the stacks of ' || count(DISTINCT coalesce(of, thread_id))
           || ' threads.' AS reading,
       'strong' AS strength
FROM first
WHERE starts
GROUP BY dump_id
HAVING count(*) > 1
