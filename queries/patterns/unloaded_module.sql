-- Pattern: Unloaded Module
-- Section: E
-- Question: Did code run in a module that is gone, or will it?
-- Tables: unloaded_modules, modules, crashes, frames, timers, dpcs, work_items, callbacks, threads, residue
-- Needs: modules
-- Reading: one row an address in the range of an unloaded module where no module is loaded now. Certain where the
--   instruction at fault lies there; strong where a frame, a timer, a DPC, a work item, a callback or the start of a
--   living thread does; weak for a guessed frame and for a return address that is left on a stack.
-- Limits: the list of unloaded modules has 50 places; what was unloaded earlier is forgotten. Another module may have
--   lain at the same place before.
WITH place AS (
    SELECT dump_id, 'the instruction at fault' AS what, fault_ip AS va, 'certain' AS strength FROM crashes WHERE fault_ip <> 0
    UNION ALL
    SELECT dump_id, 'frame ' || "index" || ' of thread ' || thread_id, ip, CASE WHEN confidence = 'low' THEN 'weak' ELSE 'strong' END
    FROM frames WHERE module IS NULL
    UNION ALL SELECT dump_id, 'a return address on the stack of thread ' || thread_id, target, 'weak' FROM residue WHERE unloaded
    UNION ALL SELECT dump_id, 'the routine of timer ' || hex_address(timer), routine, 'strong' FROM timers WHERE routine_module IS NULL
    UNION ALL SELECT dump_id, 'the routine of DPC ' || hex_address(dpc), routine, 'strong' FROM dpcs WHERE routine_module IS NULL
    UNION ALL SELECT dump_id, 'the routine of work item ' || hex_address(work_item), routine, 'strong' FROM work_items WHERE routine_module IS NULL
    UNION ALL SELECT dump_id, 'a routine called for ' || kind, routine, 'strong' FROM callbacks WHERE routine_module IS NULL
    UNION ALL SELECT dump_id, 'the start of thread ' || thread_id, start_address, 'strong' FROM threads
              WHERE start_owner IS NULL AND NOT coalesce(terminated, false))
SELECT p.dump_id, 'module' AS subject_kind, coalesce(u.name, 'a module') AS subject, p.va AS address,
       json_object('what', p.what, 'offset', hex_address(p.va - u."start"), 'module', u.name, 'start', hex_address(u."start"),
                   'end', hex_address(u."end"), 'unloaded', u.unload_time) AS evidence,
       upper(p.what[1]) || p.what[2:] || ' lies in ' || coalesce(u.name, 'a module') || ', which was unloaded.' AS reading, p.strength
FROM place AS p
JOIN unloaded_modules AS u ON u.dump_id = p.dump_id AND p.va >= u."start" AND p.va < u."end"
WHERE NOT EXISTS (SELECT 1 FROM modules AS m WHERE m.dump_id = p.dump_id AND p.va >= m.base AND p.va::HUGEINT - m.base < m.size)
