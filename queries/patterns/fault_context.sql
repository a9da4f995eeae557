-- Pattern: Fault Context
-- Section: A
-- Question: Do crashes of one code share their context: level, process, module, architecture?
-- Tables: crashes, dumps
-- Needs: several_dumps
-- Scope: lake
-- Weight: context
-- Reading: one row a dump whose bug check or exception happened in other dumps of the lake too: how many, and with how
--   many different modules, processes and levels. Strong when at least three share one culprit that is not the kernel, nor one
--   of Microsoft's drivers that only holds the request (rule request): it may wait for a driver below it.
-- Limits: a level that a parameter states is that of the fault, one of the processor what it noted: irql_source tells;
--   few crashes share much by accident; dumps of one machine are no independent witnesses.
WITH each AS (
    SELECT c.dump_id, coalesce(hex_code(c.bugcheck_code), hex_code(c.exception_code)) AS code,
           coalesce(c.bugcheck_name, c.exception_name) AS name, c.culprit, c.process_name, c.irql, c.irql_source, d.build,
           c.culprit_rule <> 'kernel' AND NOT (
               c.culprit_rule = 'request' AND lower(c.culprit) IN (SELECT name FROM microsoft_drivers)) AS blamed
    FROM crashes AS c
    JOIN dumps AS d USING (dump_id)),
alike AS (
    SELECT code, any_value(name) AS name, count(*) AS n, list_sort(list_distinct(list(culprit))) AS culprits,
           list_sort(list_distinct(list(process_name))) AS processes, list_sort(list_distinct(list(irql || ' (' || irql_source || ')'))) AS levels,
           list_sort(list_distinct(list(build))) AS builds, coalesce(bool_and(blamed), false) AS blamed
    FROM each WHERE code IS NOT NULL GROUP BY code HAVING count(*) > 1)
SELECT e.dump_id, 'bug check' AS subject_kind, coalesce(a.name, a.code) AS subject, NULL::UBIGINT AS address,
       json_object('code', a.code, 'dumps', a.n, 'culprits', a.culprits[1:10], 'processes', a.processes[1:10],
                   'irql', a.levels, 'builds', a.builds, 'this', json_object('culprit', e.culprit, 'process',
                   e.process_name, 'irql', e.irql, 'irql_source', e.irql_source, 'build', e.build)) AS evidence,
       a.n || ' dumps have ' || coalesce(a.name, a.code) || ', with ' || len(a.culprits)
           || CASE len(a.culprits) WHEN 1 THEN ' culprit in ' ELSE ' different culprits in ' END || len(a.processes)
           || CASE len(a.processes) WHEN 1 THEN ' process.' ELSE ' different processes.' END AS reading,
       CASE WHEN a.n >= 3 AND a.blamed AND len(a.culprits) = 1 THEN 'strong' ELSE 'weak' END AS strength
FROM each AS e
JOIN alike AS a USING (code)
