-- Pattern: DPC Stack Collection, Interrupt Stack
-- Section: B
-- Question: What ran on the DPC and interrupt stacks of each processor?
-- Tables: processors, frames, dpcs
-- Needs: processors
-- Weight: context
-- Reading: one row a processor that was running a DPC, or of whose running thread frames lie on the DPC or interrupt stack
--   (within 24 KiB below its top). active_dpc is the DPC that runs; waiting those in its queue; functions the frames on
--   that stack, innermost first. Certain where the processor says so.
-- Limits: what an earlier DPC left on the stack is not read (Execution Residue).
WITH on_stack AS (
    SELECT p.dump_id, p.number, list(f.text ORDER BY f."index")[1:10] AS functions, min(f.sp) AS sp
    FROM processors AS p
    JOIN frames AS f ON f.dump_id = p.dump_id AND f.ethread = p.current_thread
        AND ((f.sp <= p.dpc_stack AND p.dpc_stack::HUGEINT - f.sp < 24576) OR (f.sp <= p.isr_stack AND p.isr_stack::HUGEINT - f.sp < 24576))
    GROUP BY ALL),
queue AS (SELECT dump_id, processor, list(routine_text ORDER BY queue, position)[1:8] AS routines, count(*) AS n FROM dpcs GROUP BY ALL)
SELECT p.dump_id, 'processor' AS subject_kind, 'processor ' || p.number AS subject, coalesce(p.dpc_stack, p.kprcb) AS address,
       json_object('dpc_active', p.dpc_active, 'active_dpc', hex_address(p.active_dpc), 'functions', s.functions, 'sp', hex_address(s.sp),
                   'waiting', q.n, 'routines', q.routines, 'thread', p.current_process_id || '.' || p.current_thread_id) AS evidence,
       'Processor ' || p.number || CASE WHEN p.dpc_active THEN ' was running a DPC' ELSE ' ran on its DPC or interrupt stack' END
           || coalesce(' in ' || s.functions[1], '') || coalesce('; ' || q.n || ' wait', '') || '.' AS reading,
       CASE WHEN p.dpc_active THEN 'certain' ELSE 'strong' END AS strength
FROM processors AS p
LEFT JOIN on_stack AS s ON s.dump_id = p.dump_id AND s.number = p.number
LEFT JOIN queue AS q ON q.dump_id = p.dump_id AND q.processor = p.number
WHERE p.dpc_active OR s.functions IS NOT NULL
