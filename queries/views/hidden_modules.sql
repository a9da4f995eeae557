-- Question: Which kernel modules are in memory but not in the list of modules?
-- Tables: modules, unloaded_modules
-- How to read it: one row an entry of a list of modules that only the sweep over memory found and whose image is still
--   there. unloaded names the module that was unloaded from the same address, if one was: then the entry is what is
--   left of it.
CREATE VIEW hidden_modules AS
SELECT m.dump_id, m.name, m.path, hex_address(m.base) AS base, m.size, m.hidden, m.pdb_name, m.found_in_pool,
       m.found_by_shape, hex_address(m.entry) AS entry, hex_address(m.entry_pa) AS entry_pa,
       (SELECT any_value(u.name) FROM unloaded_modules AS u
        WHERE u.dump_id = m.dump_id AND u.process_id IS NULL AND u.start = m.base) AS unloaded
FROM modules AS m
WHERE m.hidden IS NOT NULL AND NOT coalesce(m.source = 'PsLoadedModuleList', false)
ORDER BY m.dump_id, m.base;
