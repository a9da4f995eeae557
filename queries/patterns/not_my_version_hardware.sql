-- Pattern: Not My Version (Hardware)
-- Section: E
-- Question: Do processors differ where they should be alike?
-- Tables: processors
-- Needs: processors
-- Scope: lake
-- Reading: one row a dump whose processors differ among themselves in model, stepping or microcode (certain), or whose
--   processors have another microcode than the same model in other dumps of the lake (weak: updates do that).
-- Limits: hybrid processors have cores of one model and one microcode, so they do not show; firmware data is not read.
WITH cpu AS (
    SELECT dump_id, number, kprcb, vendor, family, model, stepping, update_signature,
           concat_ws(' ', vendor, 'family', family, 'model', model, 'stepping', stepping) AS kind
    FROM processors WHERE family <> 0 AND family IS NOT NULL),
of_dump AS (
    SELECT dump_id, count(*) AS processors, count(DISTINCT kind) AS kinds, count(DISTINCT update_signature) AS codes,
           list_sort(list(DISTINCT kind)) AS names, list_sort(list(DISTINCT hex_address(update_signature))) AS signatures
    FROM cpu GROUP BY dump_id),
of_kind AS (
    SELECT kind, count(DISTINCT dump_id) AS dumps, count(DISTINCT update_signature) AS codes,
           list_sort(list(DISTINCT hex_address(update_signature))) AS signatures
    FROM cpu WHERE update_signature <> 0 GROUP BY kind)
SELECT dump_id, 'processor' AS subject_kind, names[1] AS subject, NULL::UBIGINT AS address,
       json_object('processors', processors, 'kinds', names, 'microcode', signatures) AS evidence,
       'The ' || processors || ' processors of one system differ in ' || CASE WHEN kinds > 1 THEN 'kind' ELSE 'microcode' END || '.' AS reading,
       'certain' AS strength
FROM of_dump WHERE kinds > 1 OR codes > 1
UNION ALL
SELECT DISTINCT c.dump_id, 'processor', c.kind, NULL::UBIGINT,
       json_object('microcode', hex_address(c.update_signature), 'others', k.signatures, 'dumps', k.dumps),
       c.kind || ' has microcode ' || hex_address(c.update_signature) || '; the lake has ' || k.codes || ' revisions for it.', 'weak'
FROM cpu AS c JOIN of_kind AS k USING (kind)
WHERE k.dumps > 1 AND k.codes > 1 AND c.update_signature <> 0
