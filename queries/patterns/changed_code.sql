-- Pattern: Hooked Functions (Code Changed in Place)
-- Section: C
-- Question: Is the code of a kernel module other than that of its image file?
-- Tables: code_changes, code_checks
-- Needs: image_files
-- Reading: one row a place, with the bytes of the file and of the dump and what the latter do. Certain: a jump or call
--   that leads into no loaded module (told only where the instruction is known to begin there). Strong: one into another module, or any other change in a module that is not the
--   kernel or the HAL. Weak: other changes in these two, which patch themselves at start for the processor they meet: whole functions in
--   Windows XP and 2003.
-- Limits: only pages that are in the dump, of modules whose image file convert --images found, by link time and size
--   (a file that was downloaded is not used); code_checks counts both. What Windows patches by itself (imports, indirect calls, switch tables, constants that
--   are random at each boot) is told by the file and is no change, nor is the table of system services
--   of 64-bit kernels, which boot rewrites. A function that a hook enters where no known start of code leads (an
--   entry point, an export, unwind data, a symbol) gives effect "other". A debugger's breakpoints are changes.
SELECT dump_id, 'code' AS subject_kind, module || '+' || hex_address(va - base) AS subject, va AS address,
       json_object('module', module, 'function', function, 'section', section, 'bytes', bytes, 'file', expected, 'dump', found,
                   'effect', effect, 'target', hex_address(target), 'leads_to', target_text) AS evidence,
       coalesce('In ' || function || ' ', '') || bytes || CASE WHEN bytes = 1 THEN ' byte differs' ELSE ' bytes differ' END
           || ' from the image file: ' || CASE effect
           WHEN 'jump' THEN 'a jump to ' || coalesce(target_text, hex_address(target) || ', in no loaded module', 'where a register says')
           WHEN 'call' THEN 'a call of ' || coalesce(target_text, hex_address(target) || ', in no loaded module', 'what a register says')
           WHEN 'return' THEN 'it returns at once' WHEN 'breakpoint' THEN 'a breakpoint'
           WHEN 'nothing' THEN 'instructions without effect' ELSE 'other code or data' END || '.' AS reading,
       CASE WHEN effect IN ('jump', 'call') AND target IS NOT NULL AND target_module IS NULL THEN 'certain'
            WHEN effect IN ('jump', 'call') AND target_module <> module THEN 'strong'
            WHEN lower(module) IN ('ntoskrnl.exe', 'ntkrnlmp.exe', 'ntkrnlpa.exe', 'ntkrpamp.exe', 'ntkrla57.exe', 'hal.dll') THEN 'weak'
            ELSE 'strong' END AS strength
FROM code_changes
WHERE kind = 'code'
