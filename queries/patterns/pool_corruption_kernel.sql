-- Pattern: Dynamic Memory Corruption (Kernel Pool)
-- Section: C
-- Question: Which pool block is broken, and whose is the one before it?
-- Tables: pool_pages, pool_allocations
-- Needs: pool_pages
-- Reading: one row a page that the kernel maps and whose headers disagree; suspect is the block right before the first wrong
--   header: whoever owns its tag may have written past its end. Strong where the chain of sizes is broken, weak where
--   only a tag or a pool index is odd.
-- Limits: the segment heap of newer systems hides sizes behind a key that is not always known; then its pages are not
--   judged. The block before may be a victim itself.
SELECT p.dump_id, 'pool block' AS subject_kind, coalesce(p.suspect_tag, 'page') AS subject,
       p.va + p.broken_at AS address,
       json_object('page', hex_address(p.va), 'wrong_header', hex_address(p.va + p.broken_at), 'wrong', p.wrong, 'suspect',
                   hex_address(p.suspect), 'suspect_tag', p.suspect_tag, 'suspect_size', p.suspect_size, 'preview',
                   a.preview, 'breaks', p.breaks) AS evidence,
       'The pool header at ' || hex_address(p.va + p.broken_at) || ' is wrong (' || p.wrong || ')'
           || coalesce('; before it lies a block of tag ' || p.suspect_tag || ' with ' || p.suspect_size || ' bytes', '')
           || '.' AS reading,
       CASE WHEN p.chain_ok IS NOT DISTINCT FROM false THEN 'strong' ELSE 'weak' END AS strength
FROM pool_pages AS p
LEFT JOIN (SELECT dump_id, va, any_value(preview) AS preview FROM pool_allocations WHERE va IS NOT NULL GROUP BY ALL) AS a
    ON a.dump_id = p.dump_id AND a.va = p.suspect
WHERE p.wrong IS NOT NULL AND p.va IS NOT NULL
