-- Question: Where are the allocations of a tag?
-- Tables: pool_allocations, big_pool
-- How to read it: replaces `!poolfind`; ask it with WHERE tag = 'Proc'. Blocks with a header and allocations with
--   pages of their own, which the kernel's table of big pages names. Of what stands in both, the table of big pages
--   has nothing here: blocks with a header are smaller. address is missing where nothing maps the block.
CREATE VIEW pool_find AS
SELECT dump_id, tag, hex_address(va) AS address, hex_address(pa) AS pa, size, state, kind, allocator, process_id,
       confidence, preview
FROM pool_allocations
UNION ALL
SELECT dump_id, tag, hex_address(address), NULL, size, CASE WHEN free THEN 'freed' ELSE 'allocated' END,
       CASE paged WHEN true THEN 'paged' WHEN false THEN 'nonpaged' END, 'big', process_id, 'high', NULL
FROM big_pool
ORDER BY dump_id, tag, address, pa;
