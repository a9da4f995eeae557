-- Question: Which devices are attached to which?
-- Tables: devices
-- How to read it: replaces `!devstack`. One row a stack, from its lowest device up. A device stands as driver and
--   name, or its address when it has no name.
CREATE VIEW device_stacks AS
WITH RECURSIVE stack AS (
    SELECT dump_id, device AS lowest, device, attached, 0 AS depth, driver_name, name
    FROM devices WHERE below = 0
    UNION ALL
    SELECT d.dump_id, s.lowest, d.device, d.attached, s.depth + 1, d.driver_name, d.name
    FROM stack AS s
    JOIN devices AS d ON d.dump_id = s.dump_id AND d.device = s.attached
    WHERE s.depth < 64)
SELECT dump_id, hex_address(lowest) AS lowest, count(*) AS devices,
       list(driver_name || ' ' || coalesce(name, hex_address(device)) ORDER BY depth) AS stack
FROM stack
GROUP BY dump_id, lowest;
