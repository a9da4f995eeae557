-- Question: Which dumps are compared, and in how far can they be?
-- Tables: dumps, firmware
-- How to read it: one row a dump, in the order of the list that is given. scope says how much of the system the dump
--   is of: `system`, `process` (a user minidump), or `crash` (a small kernel dump: what crashed, and the drivers).
--   hours count from the earliest dump; NULL where a dump does not say when it was taken. same_boot is whether it is of
--   the same run of Windows as the first dump, by when Windows began and where its kernel lies; NULL where a dump does
--   not say. same_machine is false where the firmware names another maker or model than that of the first dump, true
--   where the run of Windows is the same, and NULL where nothing tells: two machines may be of one model.
-- Cannot compare: nothing by itself; it is what the other comparisons begin with.

-- The values of a map by dump, in the order of the dumps; `otherwise` where one that is in `known` has none.
CREATE MACRO diff_align(ids, by_dump, known, otherwise) AS
    list_transform(ids, lambda id: coalesce(by_dump[id], CASE WHEN list_contains(known, id) THEN otherwise END));
CREATE MACRO diff_known(series) AS list_filter(series, lambda value: value IS NOT NULL);
-- Differences from each known value to the next.
CREATE MACRO diff_steps(series) AS
    list_transform(range(1, len(diff_known(series))),
                   lambda n: diff_known(series)[n + 1] - diff_known(series)[n]);
CREATE MACRO diff_delta(series) AS diff_known(series)[-1] - diff_known(series)[1];
-- A leak rises, and a cache or a queue comes and goes: `rising` and `falling` never turn and take more than one step,
-- `step up` and `step down` are one step. `mostly` lose less than a tenth of their way to turns. Of two values only
-- `rose` and `fell` can be said.
CREATE MACRO diff_trend(series) AS CASE
    WHEN len(diff_known(series)) < 2 THEN NULL
    WHEN list_min(diff_known(series)) = list_max(diff_known(series)) THEN 'steady'
    WHEN len(diff_known(series)) = 2 THEN CASE WHEN diff_delta(series) > 0 THEN 'rose' ELSE 'fell' END
    WHEN list_min(diff_steps(series)) >= 0 THEN
        CASE WHEN len(list_filter(diff_steps(series), lambda step: step > 0)) = 1 THEN 'step up' ELSE 'rising' END
    WHEN list_max(diff_steps(series)) <= 0 THEN
        CASE WHEN len(list_filter(diff_steps(series), lambda step: step < 0)) = 1 THEN 'step down' ELSE 'falling' END
    WHEN abs(diff_delta(series)) >= 0.8 * list_sum(list_transform(diff_steps(series), lambda step: abs(step))) THEN
        CASE WHEN diff_delta(series) > 0 THEN 'mostly rising' ELSE 'mostly falling' END
    ELSE 'wave' END;
-- Leaks first.
CREATE MACRO diff_rank(trend) AS coalesce(list_position(
    ['rising', 'mostly rising', 'rose', 'step up', 'wave', 'step down', 'fell', 'mostly falling', 'falling'], trend), 99);
-- Slope of the line of least squares through the values that are known, with the hours of their dumps.
CREATE MACRO diff_points(series, hours) AS
    list_filter(list_zip(series, hours), lambda point: point[1] IS NOT NULL AND point[2] IS NOT NULL);
CREATE MACRO diff_slope(points) AS
    (len(points) * list_sum(list_transform(points, lambda point: point[1]::DOUBLE * point[2]))
        - list_sum(list_transform(points, lambda point: point[1]::DOUBLE))
            * list_sum(list_transform(points, lambda point: point[2])))
    / nullif(len(points) * list_sum(list_transform(points, lambda point: point[2] * point[2]))
        - list_sum(list_transform(points, lambda point: point[2])) ** 2, 0);
CREATE MACRO diff_per_hour(series, hours) AS round(diff_slope(diff_points(series, hours)), 3);
-- Of texts, where '' means "not there".
CREATE MACRO diff_change(series) AS CASE
    WHEN len(list_distinct(diff_known(series))) < 2 THEN NULL
    WHEN diff_known(series)[1] = '' THEN CASE diff_known(series)[-1] WHEN '' THEN 'came and went' ELSE 'new' END
    WHEN diff_known(series)[-1] = '' THEN 'gone'
    WHEN list_contains(series, '') THEN CASE
        WHEN diff_known(series)[1] = diff_known(series)[-1] THEN 'went and came' ELSE 'went and came changed' END
    WHEN diff_known(series)[1] = diff_known(series)[-1] THEN 'changed and back'
    ELSE 'changed' END;

-- What tells machines and kernels apart, as text: maker and model, architecture and build.
CREATE MACRO diff_identities(ids) AS TABLE
SELECT d.dump_id, f.machine, d.architecture,
       -- A process does not say which kernel it ran on.
       CASE WHEN d.minidump_flags IS NULL THEN coalesce(d.kernel_pdb, d.build::VARCHAR) END AS kernel,
       concat_ws(' ', 'build', coalesce(d.kernel_version, d.build::VARCHAR)) AS build
FROM dumps AS d
LEFT JOIN (
    SELECT dump_id, min(nullif(concat_ws(', ', system_manufacturer, system_product, board_manufacturer, board_product), ''))
        AS machine
    FROM firmware WHERE list_contains(ids, dump_id) GROUP BY dump_id) AS f ON f.dump_id = d.dump_id
WHERE list_contains(ids, d.dump_id);

-- Dumps that hold memory of the whole system: what is not in them was not there.
CREATE MACRO diff_whole(ids) AS (
    SELECT coalesce(list(dump_id), []) FROM dumps
    WHERE list_contains(ids, dump_id) AND minidump_flags IS NULL AND format <> 'kernel triage');

CREATE MACRO diff_snapshots(ids) AS TABLE
WITH given AS (SELECT unnest(ids) AS dump_id, generate_subscripts(ids, 1) AS position),
timed AS (
    SELECT g.position, g.dump_id, d.path, d.format, d.system_time,
           CASE WHEN d.minidump_flags IS NOT NULL THEN 'process'
                WHEN d.format = 'kernel triage' THEN 'crash' ELSE 'system' END AS scope,
           -- From the earliest, wherever it stands.
           (epoch(d.system_time) - epoch(min(d.system_time) OVER ())) / 3600 AS hours,
           epoch(d.system_time) - d.uptime_seconds AS began, d.kernel_base, i.machine
    FROM given AS g
    LEFT JOIN dumps AS d ON d.dump_id = g.dump_id AND list_contains(ids, d.dump_id)
    LEFT JOIN diff_identities(ids) AS i ON i.dump_id = g.dump_id
),
judged AS (
    SELECT *, abs(began - first_value(began) OVER (ORDER BY position)) < 60
               AND kernel_base = first_value(kernel_base) OVER (ORDER BY position) AS same_boot
    FROM timed
)
SELECT position, dump_id, path, format, scope, system_time, round(hours, 3) AS hours, same_boot,
       CASE WHEN machine <> first_value(machine) OVER (ORDER BY position) THEN false WHEN same_boot THEN true END
           AS same_machine
FROM judged
ORDER BY position;

-- The hours of the dumps for a slope. What grew in another run of Windows, or on another machine, is on no line with the
-- first dump.
CREATE MACRO diff_hours(ids) AS (
    SELECT list(CASE WHEN same_boot IS DISTINCT FROM false THEN hours END ORDER BY position) FROM diff_snapshots(ids));
