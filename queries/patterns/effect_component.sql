-- Pattern: Effect Component
-- Section: A
-- Question: Does the code that failed only report what another did?
-- Tables: crashes, pool_pages
-- Needs: none
-- Weight: context
-- Reading: one row a crash whose bug check or fault is the kernel's or a framework's own check while evidence names
--   somebody else: the module that the stack or the dump blames, or the owner of the pool block before a broken one.
-- Limits: it says who else is near, not that they did it; weak where the other one stands on the stack by a guess.
WITH checks AS (
    SELECT *, bugcheck_code IN (19, 24, 25, 26, 49, 78, 80, 193, 194, 196, 197, 202, 208, 265, 313, 314, 340, 454) AS by_check
    FROM crashes)
SELECT c.dump_id, 'module' AS subject_kind, c.culprit AS subject, c.fault_ip AS address,
       json_object('bugcheck', coalesce(c.bugcheck_name, hex_code(c.bugcheck_code)), 'fault', c.fault_text,
                   'other', c.culprit, 'rule', c.culprit_rule) AS evidence,
       coalesce(c.fault_module || ' holds the fault', 'The kernel''s own check raised it') || '; ' || c.culprit
           || ' is the other module involved (' || c.culprit_rule || ').' AS reading,
       CASE c.culprit_rule WHEN 'named by the system' THEN 'strong' WHEN 'stack' THEN 'strong' ELSE 'weak' END AS strength
FROM checks AS c
WHERE c.culprit_rule IN ('named by the system', 'stack', 'stack, unverified')
  AND (c.by_check OR c.fault_module IS NOT NULL) AND lower(c.culprit) <> coalesce(lower(c.fault_module), '')
UNION ALL
SELECT c.dump_id, 'pool block', p.suspect_tag, p.suspect,
       json_object('bugcheck', coalesce(c.bugcheck_name, hex_code(c.bugcheck_code)), 'fault', c.fault_text,
                   'broken_header', hex_address(coalesce(p.va, p.pa) + p.broken_at), 'wrong', p.wrong,
                   'suspect_size', p.suspect_size),
       'A check of the system failed, and pool is broken behind a block of tag ' || p.suspect_tag || '.', 'weak'
FROM checks AS c
JOIN pool_pages AS p USING (dump_id)
WHERE c.by_check AND p.wrong IS NOT NULL AND p.suspect IS NOT NULL AND p.va IS NOT NULL AND NOT p.chain_ok
