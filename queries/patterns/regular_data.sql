-- Pattern: Regular Data
-- Section: C
-- Question: Is what lies over a broken pool header recognisable?
-- Tables: pool_pages
-- Needs: pool_pages
-- Reading: one row a page that the kernel maps, whose first wrong header is no header at all but text, a repeated value,
--   pointers or zeros: whoever writes such data wrote too far, mostly the owner of the block before. Strong for text and
--   repeated values, weak for pointers and zeros, which lie everywhere.
-- Limits: only the first wrong header of a page is looked at, and only its first bytes.
SELECT dump_id, 'pool block' AS subject_kind, coalesce(suspect_tag, 'page') AS subject, va + broken_at AS address,
       json_object('wrong_header', hex_address(va + broken_at), 'content', wrong_content, 'bytes', wrong_bytes, 'wrong', wrong,
                   'suspect', hex_address(suspect), 'suspect_tag', suspect_tag) AS evidence,
       'Over the pool header at ' || hex_address(va + broken_at) || ' lies '
           || CASE wrong_content WHEN 'repeating' THEN 'a repeated value' ELSE wrong_content END
           || coalesce('; before it a block of tag ' || suspect_tag, '') || '.' AS reading,
       CASE WHEN wrong_content IN ('pointers', 'zeros') THEN 'weak' ELSE 'strong' END AS strength
FROM pool_pages
WHERE wrong IS NOT NULL AND wrong_content IS NOT NULL AND va IS NOT NULL
