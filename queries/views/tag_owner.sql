-- Question: Whose pool tag is this?
-- Tables: tag_constants
-- How to read it: one row a tag, the modules whose code names it first, then those whose data does. A tag that one
--   driver only names is its own; one that many name is the system's, or of a shared interface. A module that is not
--   in the dump, or a tag that is computed, is not seen.
CREATE VIEW tag_owner AS
SELECT dump_id, tag, list(module ORDER BY immediates DESC, strings DESC, module) AS modules,
       sum(immediates)::UBIGINT AS immediates, sum(strings)::UBIGINT AS strings
FROM (SELECT dump_id, tag, module, coalesce(sum(count) FILTER (kind = 'immediate'), 0) AS immediates,
             coalesce(sum(count) FILTER (kind = 'string'), 0) AS strings
      FROM tag_constants GROUP BY dump_id, tag, module)
GROUP BY dump_id, tag
ORDER BY dump_id, tag;
