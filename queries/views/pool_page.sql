-- Question: What is on this page of pool?
-- Tables: pool_allocations
-- How to read it: replaces `!pool`; ask it with WHERE page = '0xffffb98e00001000', or with the page of any address:
--   WHERE page = hex_address(ADDRESS & ~4095::UBIGINT). One row a block in the order of the page: the block that an
--   address lies in is the last one whose `header` is not above it. chain_ok is missing where blocks do not know their
--   neighbours.
CREATE VIEW pool_page AS
SELECT dump_id, hex_address(coalesce(va, pa) & ~4095::UBIGINT) AS page, va IS NOT NULL AS mapped,
       hex_address(coalesce(va, pa)) AS header, size, state, tag, kind, allocator, process_id, chain_ok,
       confidence, preview
FROM pool_allocations
ORDER BY dump_id, page, header;
