-- Question: Who started whom?
-- Tables: processes
-- How to read it: one row a process, children below their parent, indented. A parent must be older than its child:
--   an id that was used again is no parent, and such processes stand at the top.
CREATE VIEW process_tree AS
WITH RECURSIVE own AS (
    SELECT dump_id, process_id, any_value(name) AS name, any_value(parent_id) AS parent_id,
           any_value(create_time) AS create_time
    FROM processes GROUP BY dump_id, process_id),
linked AS (
    SELECT c.*, p.process_id IS NOT NULL AS has_parent
    FROM own AS c
    LEFT JOIN own AS p ON p.dump_id = c.dump_id AND p.process_id = c.parent_id AND p.process_id <> c.process_id
                      AND (p.create_time IS NULL OR c.create_time IS NULL OR p.create_time <= c.create_time)),
tree AS (
    SELECT dump_id, process_id, name, parent_id, create_time, 0 AS depth, [process_id] AS lineage
    FROM linked WHERE NOT has_parent
    UNION ALL
    SELECT c.dump_id, c.process_id, c.name, c.parent_id, c.create_time, t.depth + 1, list_append(t.lineage, c.process_id)
    FROM tree AS t
    JOIN linked AS c ON c.dump_id = t.dump_id AND c.parent_id = t.process_id AND c.has_parent
                    AND NOT list_contains(t.lineage, c.process_id)
    WHERE t.depth < 64)
SELECT dump_id, repeat('  ', depth) || coalesce(name, '?') AS process, process_id, parent_id, create_time, depth, lineage
FROM tree
ORDER BY dump_id, lineage;
