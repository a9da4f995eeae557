-- Question: Is pool damaged, and who may have done it?
-- Tables: pool_pages
-- How to read it: one row for every page whose blocks disagree; broken chains first, then tags and pool indexes that
--   are odd but break nothing. The suspect is the block right before the wrong header: whoever owns its tag may have
--   written past its end. Freed pages that nothing maps may disagree without any harm.
CREATE VIEW pool_corruption AS
SELECT dump_id, hex_address(coalesce(va, pa)) AS page, va IS NOT NULL AS mapped,
       hex_address(coalesce(va, pa) + broken_at) AS wrong_header, wrong,
       hex_address(suspect) AS suspect_block, suspect_tag, suspect_size, blocks, breaks, kind
FROM pool_pages
WHERE wrong IS NOT NULL
ORDER BY chain_ok, mapped DESC, dump_id, coalesce(va, pa);
