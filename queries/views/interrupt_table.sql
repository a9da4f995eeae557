-- Question: Who handles each interrupt?
-- Tables: interrupts
-- How to read it: replaces `!idt -a`. One row a gate of a processor, or an interrupt object of its chain. routine is the
--   driver's where there is one (of a message-signaled interrupt the message routine), else the handler of the gate.
CREATE VIEW interrupt_table AS
SELECT dump_id, processor, hex_code(vector) AS vector, coalesce(chain_position, 0) AS chain_position,
       coalesce(message_routine_text, service_routine_text, handler_text) AS routine_text, irql,
       coalesce(service_routine_module, handler_module) AS module, hex_address(handler) AS handler,
       hex_address(coalesce(message_routine, service_routine)) AS routine, hex_address(interrupt_object) AS interrupt_object
FROM interrupts
ORDER BY dump_id, processor, interrupts.vector, chain_position;
