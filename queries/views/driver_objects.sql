-- Question: Which drivers are there, and where do their dispatch routines lead?
-- Tables: drivers, driver_dispatch
-- How to read it: replaces `!drvobj NAME 7`. One row a driver. elsewhere lists the entries that lead out of the
--   driver's own image and not into the kernel either: a filter that hooked it, or nothing at all (no module).
CREATE VIEW driver_objects AS
SELECT d.dump_id, d.name, hex_address(d.driver) AS driver, d.module, hex_address(d.start) AS start, d.size, d.devices,
       count(e.target) FILTER (e.kind = 'major function') AS major_functions,
       list(e.name || ' -> ' || coalesce(e.target_name, hex_address(e.target)) ORDER BY e.index)
           FILTER (NOT e.in_driver AND coalesce(e.module, '') NOT ILIKE 'nt%') AS elsewhere
FROM drivers AS d
LEFT JOIN driver_dispatch AS e ON e.dump_id = d.dump_id AND e.driver = d.driver
GROUP BY ALL;
