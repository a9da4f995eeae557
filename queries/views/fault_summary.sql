-- Question: What could not be read, and in how many dumps?
-- Tables: faults
-- How to read it: one row for each kind of fault at a structure, the most frequent first. example is one of the
--   messages; SELECT * FROM faults has them all, with offsets and addresses.
CREATE VIEW fault_summary AS
SELECT stage, structure, field, kind,
       count(*) AS faults,
       count(DISTINCT dump_id) AS dumps,
       min(message) AS example
FROM faults
GROUP BY ALL
ORDER BY faults DESC, stage, structure, field, kind;
