-- Pattern: Coincidental Symbolic Information
-- Section: B
-- Question: How many words look like code addresses and are none that a call left?
-- Tables: residue_pages
-- Needs: residue
-- Weight: context
-- Reading: one row a kind of page: of the words of stacks and unmapped pages that point into code, how many no call
--   precedes. A debugger shows a symbol for each of them; none is evidence that anything ran. Certain where the code is in
--   the dump, so that the missing call was seen.
-- Limits: pointers to functions are meant and yet no residue; they are counted here too.
SELECT dump_id, 'pages' AS subject_kind, page_kind AS subject, arg_max(coalesce(va, pa), candidates - validated - unverified) AS address,
       json_object('words', sum(candidates), 'behind_a_call', sum(validated), 'undecided', sum(unverified), 'in_tables', sum(in_tables),
                   'pages', count(*)) AS evidence,
       sum(candidates - validated - unverified) || ' of ' || sum(candidates) || ' words on pages of kind "' || page_kind
           || '" point into code and follow no call.' AS reading,
       'certain' AS strength
FROM residue_pages
WHERE page_kind IN ('kernel stack', 'user stack', 'unmapped') AND candidates >= validated + unverified
GROUP BY dump_id, page_kind
HAVING sum(candidates - validated - unverified) > 0
