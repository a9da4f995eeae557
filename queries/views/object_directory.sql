-- Question: Which named objects are there?
-- Tables: objects
-- How to read it: replaces `!object \` and WinObj. One row an object of the object manager's tree, in the order of its
--   paths. link_target says where a symbolic link leads.
CREATE VIEW object_directory AS
SELECT dump_id, path, type_name, link_target, handle_count, pointer_count, hex_address(object) AS object,
       hex_code(flags) AS flags
FROM objects
ORDER BY dump_id, path;
