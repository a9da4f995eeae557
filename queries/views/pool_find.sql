-- Question: Where are the allocations of a tag?
-- Tables: pool_allocations, big_pool
-- How to read it: replaces `!poolfind`; ask it with WHERE tag = 'Proc'. Blocks with a header, and allocations with
--   pages of their own that the kernel's table of big pages names: those whose first page is not in the dump have no
--   preview. address is missing where nothing maps the block.
CREATE VIEW pool_find AS
SELECT dump_id, tag, hex_address(va) AS address, hex_address(pa) AS pa, size, state, kind, allocator, process_id,
       confidence, preview
FROM pool_allocations
UNION ALL
SELECT b.dump_id, b.tag, hex_address(b.address), NULL, b.size, CASE WHEN b.free THEN 'freed' ELSE 'allocated' END,
       CASE b.paged WHEN true THEN 'paged' WHEN false THEN 'nonpaged' END, 'big', b.process_id, 'high', NULL
FROM big_pool AS b
ANTI JOIN (SELECT dump_id, va FROM pool_allocations WHERE allocator = 'big') AS seen
  ON seen.dump_id = b.dump_id AND seen.va = b.address
ORDER BY dump_id, tag, address, pa;
