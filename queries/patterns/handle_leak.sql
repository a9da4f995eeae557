-- Pattern: Insufficient Memory (Handle Leak)
-- Section: C
-- Question: Who hoards handles?
-- Tables: processes, handles, dumps
-- Needs: handles
-- Scope: lake
-- Reading: one row a process with 10,000 handles or more (strong), or with at least 1,000 and ten times the median of its
--   dump (weak); and one a process whose handles grew by at least 100 and by half from its first to its last dump in the
--   lake and never fell (strong with three dumps). type is the commonest type of the last dump. A process is the same in
--   two dumps where id, name and time of creation are.
-- Limits: what a server keeps on purpose looks the same; growth tells more than size.
WITH counted AS (
    SELECT p.dump_id, p.process_id, p.name, p.create_time, p.eprocess, d.system_time,
           coalesce(p.handle_count, h.n) AS n
    FROM processes AS p
    JOIN dumps AS d USING (dump_id)
    LEFT JOIN (SELECT dump_id, process_id, count(*) AS n FROM handles GROUP BY ALL) AS h
        ON h.dump_id = p.dump_id AND h.process_id = p.process_id
    WHERE coalesce(p.handle_count, h.n) > 0),
kinds AS (
    SELECT dump_id, process_id, type_name, count(*) AS n FROM handles GROUP BY dump_id, process_id, type_name
    QUALIFY row_number() OVER (PARTITION BY dump_id, process_id ORDER BY count(*) DESC, type_name) = 1),
big AS (
    SELECT *, median(n) OVER (PARTITION BY dump_id) AS middle, count(*) OVER (PARTITION BY dump_id) AS of_processes
    FROM counted),
step AS (
    SELECT *, lag(n) OVER (PARTITION BY process_id, name, create_time, eprocess ORDER BY system_time) AS before FROM counted),
trend AS (
    SELECT process_id, name, eprocess, arg_max(dump_id, system_time) AS dump_id, count(*) AS dumps,
           arg_min(n, system_time) AS first_n, arg_max(n, system_time) AS last_n,
           bool_and(coalesce(n >= before, true)) AS never_fell
    FROM step WHERE system_time IS NOT NULL
    GROUP BY process_id, name, create_time, eprocess)
SELECT b.dump_id, 'process' AS subject_kind, who(b.name, b.process_id, NULL) AS subject, b.eprocess AS address,
       json_object('handles', b.n, 'median', b.middle, 'type', k.type_name, 'of_type', k.n) AS evidence,
       who(b.name, b.process_id, NULL) || ' has ' || b.n || ' handles; the median of the dump is '
           || round(b.middle)::BIGINT || '.' AS reading,
       CASE WHEN b.n >= 10000 THEN 'strong' ELSE 'weak' END AS strength
FROM big AS b LEFT JOIN kinds AS k ON k.dump_id = b.dump_id AND k.process_id = b.process_id
WHERE b.n >= 10000 OR (b.n >= 1000 AND b.of_processes > 2 AND b.n >= 10 * b.middle)
UNION ALL
SELECT t.dump_id, 'process', who(t.name, t.process_id, NULL), t.eprocess,
       json_object('first', t.first_n, 'last', t.last_n, 'dumps', t.dumps, 'type', k.type_name, 'of_type', k.n),
       who(t.name, t.process_id, NULL) || ' went from ' || t.first_n || ' to ' || t.last_n || ' handles over ' || t.dumps
           || ' dumps and never gave any back.',
       CASE WHEN t.dumps >= 3 THEN 'strong' ELSE 'weak' END
FROM trend AS t LEFT JOIN kinds AS k ON k.dump_id = t.dump_id AND k.process_id = t.process_id
WHERE t.dumps >= 2 AND t.never_fell AND t.last_n >= t.first_n + 100 AND t.last_n >= 1.5 * t.first_n
