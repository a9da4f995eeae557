-- Question: Which frames does the stack of a thread have?
-- Tables: frames, processes, modules
-- How to read it: replaces `k` and `kv`. One row a frame, innermost first (ORDER BY frame). text is
--   module!function+offset; source and inlined are known where --symbols has the PDB of the module with its lines. how
--   says where the frame comes from, sure how far it can be believed. A frame found by `scan` stands for a word of the
--   stack that looks like a return address: it may be left from an earlier call. parameters are the first four where
--   the function stored them (x64) or where they would be (x86); a ? is one that is not home.
CREATE VIEW stack_frames AS
SELECT f.dump_id, f.process_id, p.name AS process, f.thread_id, f."index" AS frame, hex_address(f.sp) AS sp,
       hex_address(f.return_address) AS return_address, f.text,
       f.source_file || ':' || f.source_line AS source, f.inlined, f.method AS how, f.confidence AS sure,
       nullif(concat_ws(' ', coalesce(hex_address(f.parameter1), '?'), coalesce(hex_address(f.parameter2), '?'),
                        coalesce(hex_address(f.parameter3), '?'), coalesce(hex_address(f.parameter4), '?')), '? ? ? ?') AS parameters,
       f.mode,
       f.stack AS on_stack, f.instruction_set, hex_address(f.ethread) AS ethread
FROM frames AS f
LEFT JOIN processes AS p ON p.dump_id = f.dump_id AND p.process_id = f.process_id;
