-- Question: Which drivers that are not Microsoft's were loaded, in how many dumps, and next to which bugchecks?
-- Tables: modules, dumps
-- How to read it: one row a file name, most frequent first. Third-party means that the name is missing in
--   microsoft_drivers, nothing more. dumps counts the dumps that had it loaded, of_dumps all dumps that list their
--   modules: a driver that is in every dump is on every machine, not necessarily guilty.
CREATE VIEW third_party_drivers AS
SELECT m.file_name,
       count(DISTINCT m.dump_id) AS dumps,
       (SELECT count(DISTINCT dump_id) FROM kernel_modules) AS of_dumps,
       list_sort(list_distinct(list(hex_code(d.bugcheck_code)))) AS bugchecks,
       list_sort(list_distinct(list(d.build))) AS builds,
       list_sort(list_distinct(list(m.version))) AS versions,
       list_sort(list_distinct(list(m.timestamp))) AS timestamps,
       min(m.path) AS example_path
FROM kernel_modules AS m
JOIN dumps AS d USING (dump_id)
WHERE m.third_party
GROUP BY ALL
ORDER BY dumps DESC, file_name;
