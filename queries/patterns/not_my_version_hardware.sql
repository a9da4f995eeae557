-- Pattern: Not My Version (Hardware)
-- Section: E
-- Question: Do processors or firmware differ where they should be alike?
-- Tables: processors, firmware
-- Needs: processors
-- Scope: lake
-- Reading: one row a dump whose processors differ among themselves in model, stepping or microcode (certain), or whose
--   processors have another microcode than the same model in other dumps of the lake (weak: updates do that), or whose
--   machine has another version of firmware than machines of its model in other dumps (weak for the same reason).
-- Limits: hybrid processors have cores of one model and one microcode, so they do not show. Firmware is told by the
--   SMBIOS table that Windows 10 and later leave in most dumps (`firmware`); a machine without a model is not compared.
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
    FROM cpu WHERE update_signature <> 0 GROUP BY kind),
-- What makers of boards leave where makers of machines write a name.
blank(text) AS (VALUES ('system product name'), ('system manufacturer'), ('to be filled by o.e.m.'), ('default string'), ('not applicable'), ('o.e.m.'),
                       ('system name'), ('product name'), ('none'), ('not specified'), ('base board product name'), ('base board manufacturer')),
named AS (
    SELECT * REPLACE (CASE WHEN lower(system_manufacturer) NOT IN (SELECT text FROM blank) THEN system_manufacturer END AS system_manufacturer,
                      CASE WHEN lower(system_product) NOT IN (SELECT text FROM blank) THEN system_product END AS system_product,
                      CASE WHEN lower(board_manufacturer) NOT IN (SELECT text FROM blank) THEN board_manufacturer END AS board_manufacturer,
                      CASE WHEN lower(board_product) NOT IN (SELECT text FROM blank) THEN board_product END AS board_product)
    FROM firmware),
machine AS (
    SELECT dump_id, concat_ws(' ', coalesce(system_manufacturer, board_manufacturer), system_product, board_product) AS model,
           bios_version, concat_ws(' ', bios_version, 'of', bios_date) AS bios, bios_vendor
    FROM named WHERE bios_version IS NOT NULL AND coalesce(system_product, board_product) IS NOT NULL),
of_model AS (
    SELECT model, count(DISTINCT dump_id) AS dumps, count(DISTINCT bios_version) AS versions, list_sort(list(DISTINCT bios)) AS all_bios
    FROM machine GROUP BY model)
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
UNION ALL
SELECT m.dump_id, 'firmware', m.model, NULL::UBIGINT,
       json_object('firmware', m.bios, 'vendor', m.bios_vendor, 'others', o.all_bios, 'dumps', o.dumps),
       m.model || ' has firmware ' || m.bios || '; the lake has ' || o.versions || ' versions for that model.', 'weak'
FROM machine AS m JOIN of_model AS o USING (model)
WHERE o.versions > 1
