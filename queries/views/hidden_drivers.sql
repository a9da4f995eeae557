-- Question: Which driver objects are in memory but not in the directory tree?
-- Tables: drivers, driver_dispatch
-- How to read it: one row a driver object that only the sweep over memory found. hidden is true while the kernel maps
--   it and its block of pool was not freed. name is what the object states itself. module is missing where no module of
--   the list holds its image: then the module is hidden too, or gone.
CREATE VIEW hidden_drivers AS
SELECT d.dump_id, d.name, d.hidden, d.module, hex_address(d.start) AS start, d.size, d.devices, d.found_in_pool,
       d.found_by_shape, hex_address(d.driver) AS driver, hex_address(d.pa) AS pa
FROM drivers AS d
WHERE NOT d.in_directory AND (d.found_in_pool OR d.found_by_shape)
ORDER BY d.dump_id, d.hidden DESC, d.name;
