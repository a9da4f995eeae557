-- Pattern: Dump Context (Stack of Dump Facts, Black Box)
-- Section: E
-- Question: What kind of dump is this, is it whole, and what did recorders leave in it?
-- Tables: dumps, tagged_blobs, faults, memory_runs
-- Needs: none
-- Weight: context
-- Reading: one row a dump: what it is, how much memory it has, what is missing, how many tagged blobs drivers left (the
--   black box), whether the symbols were exact. Certain; strong where the file is not whole.
-- Limits: what a recorder's blob says is not decoded.
SELECT d.dump_id, 'dump' AS subject_kind, coalesce(d.dump_type_name, d.format) AS subject, NULL::UBIGINT AS address,
       json_object('format', d.format, 'type', d.dump_type_name, 'architecture', d.architecture, 'build', d.build, 'time',
                   d.system_time, 'bytes_present', d.bytes_present, 'bytes_missing', d.bytes_missing, 'is_live', d.is_live,
                   'complete', d.triage_complete, 'writer_status', d.writer_status, 'blobs', b.n, 'blob_bytes', b.bytes, 'faults',
                   d.faults, 'symbols_exact', d.symbols_exact, 'symbol_source', d.symbol_source) AS evidence,
       coalesce(d.dump_type_name || ', ', '') || d.format || ' of ' || coalesce(d.architecture || ' ', '')
           || coalesce('build ' || d.build, 'an unknown build') || ' with ' || d.bytes_present // 1024 || ' KiB of memory'
           || CASE WHEN d.bytes_missing > 0 THEN '; ' || d.bytes_missing // 1024 || ' KiB are missing' ELSE '' END
           || coalesce('; ' || b.n || ' tagged blobs', '') || '.' AS reading,
       CASE WHEN d.bytes_missing > 0 OR d.triage_complete IS NOT DISTINCT FROM false OR d.writer_status > 0 THEN 'strong'
            ELSE 'certain' END AS strength
FROM dumps AS d
LEFT JOIN (SELECT dump_id, count(*) AS n, sum(size) AS bytes FROM tagged_blobs GROUP BY dump_id) AS b USING (dump_id)
