-- Pattern: Not My Version (Software)
-- Section: E
-- Question: Is a module another version than the same module in the other dumps?
-- Tables: modules, dumps
-- Needs: modules, several_dumps
-- Scope: lake
-- Weight: context
-- Reading: one row a kernel module whose link time or version differs from what most dumps of the same build and architecture
--   have of that name. Strong where at least three dumps have the module, most agree, and it is not Microsoft's; weak for
--   Microsoft's own, and with two dumps, where nobody is the majority. version is NULL where the dump does not hold the resource; then timestamp tells.
-- Limits: updates make differences every month: it is a question, not an accusation. A driver whose copies for writing dumps
--   (dump_*.sys, hiber_*.sys) bear another name is not counted under that.
WITH module AS (
    SELECT m.dump_id, lower(m.name) AS name, m.base, m.version, m.timestamp, d.build, d.architecture
    FROM modules AS m JOIN dumps AS d USING (dump_id)
    WHERE m.process_id IS NULL AND m.timestamp IS NOT NULL AND m.timestamp <> 0 AND m.name IS NOT NULL
      AND NOT regexp_matches(lower(m.name), '^(dump|hiber)_')),
counted AS (SELECT name, build, architecture, timestamp, count(DISTINCT dump_id) AS n, min(version) AS version FROM module GROUP BY name, build, architecture, timestamp),
usual AS (
    SELECT name, build, architecture, arg_max(timestamp, n) AS timestamp, arg_max(version, n) AS version, max(n) AS most, sum(n) AS of_dumps, count(*) AS kinds
    FROM counted GROUP BY name, build, architecture HAVING count(*) > 1)
SELECT m.dump_id, 'module' AS subject_kind, m.name AS subject, m.base AS address,
       json_object('timestamp', hex_code(m.timestamp), 'version', m.version, 'usual_timestamp', hex_code(u.timestamp), 'usual_version',
                   u.version, 'dumps_with_usual', u.most, 'dumps', u.of_dumps, 'kinds', u.kinds) AS evidence,
       m.name || ' is another build than in ' || u.most || ' of ' || u.of_dumps || ' dumps of the same Windows.' AS reading,
       CASE WHEN u.of_dumps >= 3 AND m.name NOT IN (SELECT name FROM microsoft_drivers) THEN 'strong' ELSE 'weak' END AS strength
FROM module AS m
JOIN usual AS u ON u.name = m.name AND u.build IS NOT DISTINCT FROM m.build AND u.architecture IS NOT DISTINCT FROM m.architecture
WHERE m.timestamp <> u.timestamp
  AND (u.most * 2 > u.of_dumps OR (u.of_dumps = 2 AND m.name NOT IN (SELECT name FROM microsoft_drivers)))
