-- How many are inside: what entered minus what departed, with corrections in event time. A correction takes effect at
-- the end of the 10 s window that holds its ts; several in one window in the order of (ts, id). A delta adds. An
-- absolute is an anchor: flows up to the end of its window no longer matter. Nothing is clamped: fewer than nobody
-- is drift, and shown.

-- The effect of all corrections of a window. anchored: an absolute among them replaces what was before. change: what
-- they add then; that absolute and the deltas after it, or all deltas if there is no absolute.
CREATE VIEW IF NOT EXISTS gatepulse_store.corrections_10s AS
WITH
    arraySort(groupArray((ts, id, absolute, delta))) AS steps,
    arrayLastIndex(step -> step.3 IS NOT NULL, steps) AS anchor
SELECT
    area,
    kind,
    toDateTime(toStartOfInterval(c.ts, INTERVAL 10 SECOND), 'UTC') AS window_start,
    toUInt8(anchor > 0) AS anchored,
    if(anchor > 0, assumeNotNull(steps[anchor].3), 0)
        + arraySum(step -> ifNull(step.4, 0), arraySlice(steps, anchor + 1)) AS change
FROM gatepulse_store.corrections AS c FINAL
GROUP BY area, kind, window_start;

-- inside is the sum of the changes since the last anchor; anchors counts them up to each window.
CREATE VIEW IF NOT EXISTS gatepulse.occupancy_history SQL SECURITY DEFINER AS
SELECT
    area,
    kind,
    window_start,
    sum(change) OVER (PARTITION BY area, kind, anchors ORDER BY window_start) AS inside
FROM
(
    SELECT
        area,
        kind,
        window_start,
        sum(part.change) + if(max(part.anchored) = 1, 0, sum(part.flow)) AS change,
        sum(max(part.anchored)) OVER (PARTITION BY area, kind ORDER BY window_start) AS anchors
    FROM
    (
        SELECT area, kind, window_start, toInt64(entered) - toInt64(departed) AS flow,
            toInt64(0) AS change, toUInt8(0) AS anchored
        FROM gatepulse_store.area_flows_10s FINAL
        UNION ALL
        SELECT area, kind, window_start, toInt64(0), change, anchored
        FROM gatepulse_store.corrections_10s
    ) AS part
    GROUP BY area, kind, window_start
);

-- The newest value: what corrections changed from the last anchor on, and the flows after its window. Flows are added
-- up by the hour, and by 10 s only in the hour that an anchor divides.
-- as_of: the newest event that moved the value; NULL when nothing was heard.
CREATE VIEW IF NOT EXISTS gatepulse.occupancy SQL SECURITY DEFINER AS
WITH
    -- By kind and area: (area, kind, end of the last anchor's window, change). What it does not hold counts from 1970.
    -- A scalar, so that it is computed once: most of the view's time goes into planning it.
    (
        SELECT mapFromArrays(groupArray(concat(kind, ' ', area)), groupArray((area, kind, flows_from, changed)))
        FROM
        (
            SELECT area, kind, flows_from, sumIf(change, window_end >= flows_from) AS changed
            FROM
            (
                SELECT
                    area,
                    kind,
                    change,
                    window_start + INTERVAL 10 SECOND AS window_end,
                    max(if(anchored = 1, window_end, toDateTime(0, 'UTC'))) OVER (PARTITION BY area, kind) AS flows_from
                FROM gatepulse_store.corrections_10s
            )
            GROUP BY area, kind, flows_from
        )
    ) AS corrected
SELECT
    area,
    kind,
    max(part.as_of) AS as_of,
    sum(part.change) AS inside,
    max(part.capacity) AS capacity
FROM
(
    SELECT area, kind, NULL AS as_of, 0 AS change, capacity
    FROM gatepulse_store.site_areas FINAL
    UNION ALL
    SELECT (arrayJoin(mapValues(corrected)) AS one).1, one.2, NULL, one.4, NULL
    UNION ALL
    SELECT
        area,
        kind,
        max(last_ts),
        sumIf(toInt64(entered) - toInt64(departed), window_start >= corrected[concat(kind, ' ', area)].3),
        NULL
    FROM gatepulse_store.area_flows_1h FINAL
    GROUP BY area, kind
    UNION ALL
    SELECT
        area,
        kind,
        NULL,
        sumIf(
            toInt64(entered) - toInt64(departed),
            toStartOfHour(window_start) < corrected[concat(kind, ' ', area)].3
                AND window_start >= corrected[concat(kind, ' ', area)].3
        ),
        NULL
    FROM gatepulse_store.area_flows_10s FINAL
    WHERE toStartOfHour(window_start) IN (SELECT toStartOfHour(arrayJoin(mapValues(corrected)).3))
    GROUP BY area, kind
) AS part
GROUP BY area, kind;
