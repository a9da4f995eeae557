-- Question: Which pool tag takes the memory?
-- Tables: pool_tags
-- How to read it: replaces `!poolused 2`. One row a tag, most bytes first; live counts are allocations that were
--   not freed.
CREATE VIEW pool_used AS
SELECT dump_id, tag, nonpaged_allocs::HUGEINT - nonpaged_frees AS nonpaged_live, nonpaged_bytes,
       paged_allocs::HUGEINT - paged_frees AS paged_live, paged_bytes,
       nonpaged_bytes::HUGEINT + paged_bytes AS bytes
FROM pool_tags
ORDER BY bytes DESC, tag;
