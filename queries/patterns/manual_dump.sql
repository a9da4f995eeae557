-- Pattern: Manual Dump (Kernel)
-- Section: A
-- Question: Was the dump asked for, rather than caused by a fault?
-- Tables: dumps, crashes, frames
-- Needs: none
-- Reading: one row for each statement that somebody wanted the dump: a bug-check code that only a person, a tool or a
--   power button raises, a test driver at fault, or the comment of a tool that copies a running system. An NMI may be
--   a person's or broken hardware's and is weak. A test driver that is only on the stack of the thread that crashed is
--   strong, a keyboard driver there right below KeBugCheckEx too.
-- Limits: a crash made by a driver that is not known for it looks like any other; who pressed the key is not recorded.
WITH code(code, why) AS (
    VALUES (226, 'the keyboard or a tool asked for it'), (3735936685, 'a debugger or a service asked for it'),
           (353, 'a live dump of a running system'), (456, 'the power button was held'),
           (128, 'a non-maskable interrupt: a person''s button or hardware'))
SELECT d.dump_id, 'dump' AS subject_kind, coalesce(d.bugcheck_name, hex_code(d.bugcheck_code)) AS subject,
       NULL::UBIGINT AS address,
       json_object('bugcheck', hex_code(d.bugcheck_code), 'parameter1', hex_address(d.bugcheck_param1)) AS evidence,
       'The code says that the dump was asked for: ' || c.why || '.' AS reading,
       CASE WHEN c.code = 128 THEN 'weak' ELSE 'certain' END AS strength
FROM dumps AS d
JOIN code AS c ON c.code = d.bugcheck_code
UNION ALL
SELECT dump_id, 'module', fault_module, fault_ip,
       json_object('bugcheck', hex_code(bugcheck_code), 'at', fault_text, 'culprit', culprit),
       'The fault is in ' || fault_module || ', a driver that crashes systems on demand.', 'certain'
FROM crashes
WHERE lower(fault_module) IN ('myfault.sys', 'notmyfault.sys')
UNION ALL
SELECT c.dump_id, 'module', f.module, f.ip,
       json_object('bugcheck', hex_code(c.bugcheck_code), 'frame', f."index", 'at', f.text, 'below', b.text),
       f.module || ' is on the stack of the thread that crashed' ||
           CASE WHEN lower(f.module) LIKE '%myfault.sys' THEN ': it crashes systems on demand.' ELSE ' and called for it: somebody pressed its keys.' END,
       'strong'
FROM crashes AS c
JOIN frames AS f ON f.dump_id = c.dump_id AND thread_key(f.ethread, f.thread_id) = thread_key(c.ethread, c.thread_id)
LEFT JOIN frames AS b ON b.dump_id = f.dump_id AND thread_key(b.ethread, b.thread_id) = thread_key(f.ethread, f.thread_id) AND b."index" = f."index" - 1
WHERE f.confidence <> 'low' AND lower(f.module) IS DISTINCT FROM lower(c.fault_module)
  AND (lower(f.module) IN ('myfault.sys', 'notmyfault.sys')
       OR (lower(f.module) IN ('i8042prt.sys', 'kbdhid.sys', 'hyperkbd.sys') AND b.symbol IN ('KeBugCheckEx', 'KeBugCheck')))
QUALIFY row_number() OVER (PARTITION BY c.dump_id, lower(f.module) ORDER BY f."index") = 1
UNION ALL
SELECT dump_id, 'dump', 'comment', NULL, json_object('comment', comment),
       'The writer''s comment names a tool that copies a running system.', 'certain'
FROM dumps
WHERE comment ILIKE '%livekd%' OR comment ILIKE '%procdump%' OR comment ILIKE '%task manager%'
