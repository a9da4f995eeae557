-- Question: Which bugchecks, how often, on which builds, with which third-party drivers loaded?
-- Tables: dumps, modules
-- How to read it: one row a bugcheck code, most frequent first. third_party_drivers are the names that
--   microsoft_drivers lacks, each with the number of these dumps that had it loaded; empty where only Microsoft's were
--   loaded, NULL where no dump of the row lists a module. Dumps without a crash (code 0) do not count; is_live
--   marks the codes that a dump of a running system gets: nothing crashed.
CREATE VIEW bugchecks AS
WITH loaded AS (
    SELECT d.bugcheck_code, m.file_name, m.third_party, count(DISTINCT d.dump_id) AS dumps
    FROM dumps AS d JOIN kernel_modules AS m USING (dump_id)
    GROUP BY ALL
), named_drivers AS (
    SELECT bugcheck_code,
           coalesce(list(file_name || ' (' || dumps || ')' ORDER BY dumps DESC, file_name) FILTER (third_party), [])
               AS third_party_drivers
    FROM loaded
    GROUP BY ALL
)
SELECT hex_code(d.bugcheck_code) AS bugcheck,
       any_value(d.bugcheck_name) AS name,
       count(*) AS dumps,
       bool_or(d.is_live) AS is_live,
       list_sort(list_distinct(list(d.build))) AS builds,
       list_sort(list_distinct(list(d.architecture))) AS architectures,
       min(d.system_time) AS first_seen,
       max(d.system_time) AS last_seen,
       any_value(named_drivers.third_party_drivers) AS third_party_drivers
FROM dumps AS d
LEFT JOIN named_drivers ON named_drivers.bugcheck_code = d.bugcheck_code
WHERE d.bugcheck_code <> 0
GROUP BY d.bugcheck_code
ORDER BY dumps DESC, bugcheck;
