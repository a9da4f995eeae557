-- Pattern: Special Process
-- Section: D
-- Question: Is a process there that says something by its presence, or in the wrong place?
-- Tables: processes
-- Needs: processes
-- Reading: one row a process: a crash handler, a debugger or a writer of dumps (strong: something failed or is being looked
--   at); a second lsass, services or wininit; a system program with another parent than it always has; a process that is
--   being debugged (certain).
-- Limits: names are what the process says; a parent that has ended is not known any more and is not judged.
WITH known(name, what, kind) AS (
    VALUES ('werfault.exe', 'the error reporter: some program crashed or hangs', 'handler'),
           ('werfaultsecure.exe', 'the error reporter of protected programs', 'handler'),
           ('wermgr.exe', 'the error reporter', 'handler'), ('dwwin.exe', 'the error reporter of older systems', 'handler'),
           ('dw20.exe', 'an error reporter', 'handler'), ('drwtsn32.exe', 'Dr. Watson', 'handler'),
           ('procdump.exe', 'a writer of dumps', 'tool'), ('procdump64.exe', 'a writer of dumps', 'tool'),
           ('windbg.exe', 'a debugger', 'tool'), ('cdb.exe', 'a debugger', 'tool'), ('ntsd.exe', 'a debugger', 'tool'),
           ('kd.exe', 'a debugger', 'tool'), ('x64dbg.exe', 'a debugger', 'tool'), ('vsjitdebugger.exe', 'a debugger', 'tool'),
           ('livekd.exe', 'a tool that copies the running kernel', 'tool'), ('livekd64.exe', 'a tool that copies the running kernel', 'tool'),
           ('notmyfault.exe', 'a tool that crashes systems', 'tool'), ('notmyfault64.exe', 'a tool that crashes systems', 'tool'),
           ('mrt.exe', 'the remover of malicious software', 'tool')),
alive AS (SELECT * FROM processes WHERE NOT coalesce(exited, false)),
twice AS (
    SELECT dump_id, lower(name) AS name, count(*) AS n FROM alive
    WHERE lower(name) IN ('lsass.exe', 'services.exe', 'wininit.exe', 'lsm.exe') GROUP BY ALL HAVING count(*) > 1),
parents(name, parent) AS (
    VALUES ('services.exe', 'wininit.exe'), ('lsass.exe', 'wininit.exe'), ('svchost.exe', 'services.exe'), ('smss.exe', 'system')),
found AS (
    SELECT a.dump_id, a.name, a.process_id, a.eprocess, a.create_time, k.what || ' is there' AS what, 'strong' AS strength, a.parent_id
    FROM alive AS a JOIN known AS k ON k.name = lower(a.name)
    UNION ALL
    SELECT a.dump_id, a.name, a.process_id, a.eprocess, a.create_time, 'there are ' || t.n || ' of it, and always is one', 'strong', a.parent_id
    FROM alive AS a JOIN twice AS t ON t.dump_id = a.dump_id AND t.name = lower(a.name)
    UNION ALL
    SELECT a.dump_id, a.name, a.process_id, a.eprocess, a.create_time,
           'its parent is ' || who(p.name, p.process_id, NULL) || ', where ' || r.parent || ' is usual',
           CASE WHEN lower(a.name) = 'svchost.exe' THEN 'weak' ELSE 'strong' END, a.parent_id
    FROM alive AS a
    JOIN parents AS r ON r.name = lower(a.name)
    JOIN alive AS p ON p.dump_id = a.dump_id AND p.process_id = a.parent_id AND p.create_time <= a.create_time
    WHERE lower(p.name) NOT IN (r.parent, 'smss.exe')
    UNION ALL
    SELECT dump_id, name, process_id, eprocess, create_time, 'it is being debugged', 'certain', parent_id
    FROM alive WHERE debug_port <> 0)
SELECT dump_id, 'process' AS subject_kind, who(name, process_id, NULL) AS subject, eprocess AS address,
       json_object('process_id', process_id, 'parent_id', parent_id, 'created', create_time, 'why', what) AS evidence,
       who(name, process_id, NULL) || ': ' || what || '.' AS reading, strength
FROM found
