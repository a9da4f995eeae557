-- Question: Whose code does the kernel call when something happens?
-- Tables: callbacks
-- How to read it: one row a registered routine. kind says what it is called for; routine_text is module+offset and
--   NULL for a routine in no loaded module, which deserves a look.
CREATE VIEW kernel_callbacks AS
SELECT dump_id, kind, routine_module, routine_text, name, object_type, operations, source, slot,
       hex_address(routine) AS routine, hex_address(entry) AS entry, hex_address(context) AS context
FROM callbacks
ORDER BY dump_id, kind, source, slot;
