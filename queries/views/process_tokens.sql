-- Question: As whom does each process and thread act, and what may it do?
-- Tables: tokens, token_privileges, processes
-- How to read it: replaces `!token`. One row a token of a process, or of a thread that acts as somebody else (thread_id is
--   not NULL). privileges are those in force; disabled_privileges it has and could turn on. NULL where the dump does
--   not hold them.
CREATE VIEW process_tokens AS
WITH privileges AS (
    SELECT dump_id, token,
           coalesce(list_sort(list(DISTINCT coalesce(name, privilege::VARCHAR)) FILTER (enabled)), []) AS enabled,
           coalesce(list_sort(list(DISTINCT coalesce(name, privilege::VARCHAR)) FILTER (NOT enabled)), []) AS disabled
    FROM token_privileges GROUP BY ALL)
SELECT t.dump_id, t.process_id, p.name AS process, t.thread_id, coalesce(t.user_name, t.user_sid) AS user_name, t.user_sid,
       CASE t.integrity_level WHEN 0 THEN 'untrusted' WHEN 4096 THEN 'low' WHEN 8192 THEN 'medium' WHEN 8448 THEN 'medium plus'
           WHEN 12288 THEN 'high' WHEN 16384 THEN 'system' WHEN 20480 THEN 'protected' ELSE hex_code(t.integrity_level) END
           AS integrity, t.session_id, hex_code(t.authentication_id) AS authentication_id,
       v.enabled AS privileges, v.disabled AS disabled_privileges, t.source, hex_address(t.token) AS token
FROM tokens AS t
LEFT JOIN privileges AS v ON v.dump_id = t.dump_id AND v.token = t.token
LEFT JOIN (SELECT dump_id, process_id, any_value(name) AS name FROM processes GROUP BY ALL) AS p
       ON p.dump_id = t.dump_id AND p.process_id = t.process_id;
