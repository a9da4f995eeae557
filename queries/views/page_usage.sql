-- Question: What is physical memory used for?
-- Tables: pages
-- How to read it: replaces the page lists of `!memusage` and `!vm`. One row for every dump, list of the page-frame
--   database (NULL where that is not in the dump), owner and kind of content; mib is what they have together. Owner
--   `nobody` means that no page table that was found leads there: free, or out of its process.
CREATE VIEW page_usage AS
SELECT dump_id, list,
       CASE WHEN va IS NULL THEN 'nobody' WHEN process IS NULL THEN 'kernel' ELSE 'processes' END AS owner, content,
       count(*) AS pages, round(count(*) / 256, 1) AS mib
FROM pages
WHERE pa IS NOT NULL
GROUP BY ALL
ORDER BY dump_id, pages DESC;
