-- Pattern: Hooked Functions (Kernel Space)
-- Section: C
-- Question: Do tables of routines, imports or the first instructions of functions lead elsewhere than they should?
-- Tables: syscalls, driver_dispatch, interrupts, processors, callbacks, drivers, code_changes, dumps, modules
-- Needs: hooks
-- Reading: one row an entry. Certain: a system service of the kernel that leads out of the kernel. Strong: an
--   interrupt, a driver's dispatch routine, a callback or the entry of system calls in no loaded module. Weak: a driver's dispatch routine in another driver that is not the kernel (port drivers and filters do that).
--   Certain too: an import, or an exported function that begins with a jump, that leads into no loaded module; strong:
--   into another module than the one that exports the function (weak: into the kernel or verifierext.sys, where Driver
--   Verifier leads imports of the drivers that it watches; the reading says so where the dump says that it is on).
-- Limits: code changed in place is the pattern changed_code. code_checks says how many imports of a module could be
--   compared: of most drivers only with image files (convert --images), because Windows discards their names. Services
--   of the graphics subsystem are judged only where its modules are loaded. A module that hides makes its own routines
--   look like nobody's.
SELECT dump_id, 'system service' AS subject_kind, hex_code(service) AS subject, target AS address,
       json_object('service', service, 'target', hex_address(target), 'leads_to', target_text, 'table', hex_address(table_address)) AS evidence,
       'Service ' || hex_code(service) || ' leads to ' || coalesce(target_text, hex_address(target)) || ', not into the kernel.' AS reading,
       'certain' AS strength
FROM syscalls
WHERE table_number = 0 AND coalesce(lower(target_module), '') NOT IN ('ntoskrnl.exe', 'ntkrnlmp.exe', 'ntkrnlpa.exe', 'ntkrpamp.exe')
  AND dump_id IN (SELECT dump_id FROM syscalls GROUP BY dump_id HAVING mode(target_module) IS NOT NULL)
UNION ALL
SELECT dump_id, 'driver routine', driver_name || ' ' || name, target,
       json_object('driver', driver_name, 'table', kind, 'entry', name, 'target', hex_address(target), 'leads_to', target_name),
       name || ' of ' || driver_name || ' leads to ' || coalesce(target_name, hex_address(target) || ', in no loaded module') || '.',
       CASE WHEN module IS NULL THEN 'strong' ELSE 'weak' END
FROM driver_dispatch
WHERE NOT in_driver AND coalesce(lower(module), '') NOT IN ('ntoskrnl.exe', 'hal.dll')
UNION ALL
SELECT dump_id, 'interrupt', 'vector ' || hex_code(vector) || ' of processor ' || processor, handler,
       json_object('vector', vector, 'handler', hex_address(handler), 'object', hex_address(interrupt_object)),
       'The handler of interrupt ' || hex_code(vector) || ' lies in no loaded module.', 'strong'
FROM interrupts
WHERE handler_module IS NULL AND interrupt_object IS NULL AND handler <> 0
UNION ALL
SELECT dump_id, 'callback', kind || ' callback', routine,
       json_object('kind', kind, 'routine', hex_address(routine), 'entry', hex_address(entry), 'source', source),
       'A routine that is called for ' || kind || ' lies in no loaded module.', 'strong'
FROM callbacks
WHERE routine_module IS NULL AND routine <> 0
UNION ALL
SELECT dump_id, 'system call entry', 'processor ' || number, lstar, json_object('lstar', hex_address(lstar)),
       'System calls enter at ' || hex_address(lstar) || ', in no loaded module.', 'strong'
FROM processors
WHERE lstar <> 0 AND lstar_owner IS NULL
UNION ALL
SELECT dump_id, 'import', module || ' imports ' || function, va,
       json_object('module', module, 'import', function, 'entry', hex_address(va), 'target', hex_address(target), 'leads_to', target_text,
                   'expected', hex_address(expected_target)),
       module || ' reaches ' || coalesce(target_text, hex_address(target) || ', in no loaded module,') || ' where it imports ' || function || '.'
           || CASE WHEN by_verifier AND verified THEN ' Driver Verifier is on and leads imports there.' ELSE '' END,
       CASE WHEN target_module IS NULL THEN 'certain' WHEN by_verifier THEN 'weak' ELSE 'strong' END
FROM (
  SELECT *,
         coalesce(lower(target_module) IN ('verifierext.sys', 'ntoskrnl.exe', 'ntkrnlmp.exe', 'ntkrnlpa.exe', 'ntkrpamp.exe', 'ntkrla57.exe'), false) AS by_verifier,
         -- Bit 25 of the loader's flags: a driver that is verified (LDRP_IMAGE_VERIFYING in ldrtypes.h of ReactOS).
         (dump_id IN (SELECT dump_id FROM dumps WHERE mm_verify_driver_level <> 0)
          OR (dump_id, base) IN (SELECT (dump_id, base) FROM modules WHERE flags & 33554432 <> 0)) AS verified
  FROM code_changes
  WHERE kind = 'import')
UNION ALL
SELECT dump_id, 'function', module || '!' || coalesce(function, hex_address(va)), va,
       json_object('module', module, 'function', function, 'bytes', found, 'target', hex_address(target), 'leads_to', target_text),
       'It begins with a jump to ' || coalesce(target_text || ', which exports nothing there', hex_address(target) || ', in no loaded module') || '.',
       CASE WHEN target_module IS NULL THEN 'certain' ELSE 'strong' END
FROM code_changes
WHERE kind = 'entry'
