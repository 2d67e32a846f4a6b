-- What is lost still. A broker that is killed soon after records were deleted may have them again: a log that is begun
-- then counts what an operator had given up.

-- records: what is lost still. recovered: what was counted after all. Offsets refer to a log without its "+first".
-- Those of an offset gap never have a record: the log that passes over them covers them, and recovers nothing.
CREATE OR REPLACE VIEW gatepulse.losses SQL SECURITY DEFINER AS
SELECT
    l.id AS id,
    l.topic AS topic,
    l.partition AS partition,
    l.log AS log,
    l.problem AS problem,
    l.first AS first,
    l.after AS after,
    toUInt64(l.records - r.recovered) AS records,
    l.from_ts AS from_ts,
    l.to_ts AS to_ts,
    l.accepted_at AS accepted_at,
    l.actor AS actor,
    l.reason AS reason,
    l.cluster AS cluster,
    l.kind AS kind,
    l.site_from AS site_from,
    l.site_to AS site_to,
    l.from_day AS from_day,
    l.to_day AS to_day,
    r.recovered AS recovered
FROM gatepulse_store.losses AS l FINAL
LEFT JOIN
(
    SELECT
        l.id AS id,
        least(
            any(l.records),
            max(toUInt64(greatest(
                toInt64(least(p.next_offset, l.after)) - toInt64(greatest(p.first_offset, l.first)), 0
            )))
        ) AS recovered
    FROM gatepulse_store.losses AS l FINAL
    INNER JOIN (SELECT * FROM gatepulse_store.log_progress FINAL) AS p
        ON p.topic = l.topic AND p.partition = l.partition
        AND replaceRegexpOne(p.log, '[+][0-9]+(~[0-9]+)?$', '\\1')
            = replaceRegexpOne(l.log, '[+][0-9]+(~[0-9]+)?$', '\\1')
    WHERE l.problem != 'offset-gap'
    GROUP BY l.id
) AS r ON r.id = l.id;

-- Of the cluster that anything was last noted of: nobody notes any more what becomes of those of a former cluster.
CREATE OR REPLACE VIEW gatepulse.source_problems SQL SECURITY DEFINER AS
SELECT topic, partition, problem, log, first, after, since, worker, cluster
FROM gatepulse_store.source_problems FINAL
WHERE resolved = 0
    AND cluster = (
        SELECT argMax(cluster, noted_at)
        FROM
        (
            SELECT cluster, noted_at FROM gatepulse_store.source_partitions
            UNION ALL
            SELECT cluster, noted_at FROM gatepulse_store.source_problems
        )
    );

-- Through the entrances that lead outside. unidentified: entries without a credential, which distinct_entered lacks.
-- lost: records of that kind that will never be counted, and that may belong to this day. All of a loss
-- that spans several days stands on each of them. A day of which nothing but a loss is known is a row, too.
CREATE OR REPLACE VIEW gatepulse.site_today SQL SECURITY DEFINER AS
SELECT
    day,
    kind,
    toUInt64(greatest(toInt64(sum(part.entries)), 0)) AS entries,
    toUInt64(greatest(toInt64(sum(part.exits)), 0)) AS exits,
    toUInt64(greatest(toInt64(sum(part.distinct_entered)), 0)) AS distinct_entered,
    toUInt64(greatest(toInt64(sum(part.unidentified)), 0)) AS unidentified,
    sum(part.lost) AS lost
FROM
(
    SELECT
        day,
        kind,
        sumIf(passages, direction = 'in') AS entries,
        sumIf(passages, direction = 'out') AS exits,
        toUInt64(0) AS distinct_entered,
        sumIf(anonymous, direction = 'in') AS unidentified,
        toUInt64(0) AS lost
    FROM gatepulse_store.counts_day FINAL
    WHERE outcome = 'passed' AND boundary = 1
    GROUP BY day, kind
    UNION ALL
    SELECT day, kind, toUInt64(0), toUInt64(0), count(), toUInt64(0), toUInt64(0)
    FROM gatepulse_store.entered FINAL
    GROUP BY day, kind
    UNION ALL
    SELECT day, kind, toUInt64(0), toUInt64(0), bitNot(count()) + 1, toUInt64(0), toUInt64(0)
    FROM gatepulse_store.unentered FINAL
    WHERE entries = 0
    GROUP BY day, kind
    UNION ALL
    SELECT
        toDate(arrayJoin(range(toUInt32(from_day), toUInt32(to_day) + 1))) AS day,
        kind,
        toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0),
        records
    FROM gatepulse.losses
    WHERE records > 0 AND kind != ''
) AS part
GROUP BY day, kind
HAVING entries > 0 OR exits > 0 OR distinct_entered > 0 OR unidentified > 0 OR lost > 0;

-- As in 004, and lost: records of that kind, or corrections, that were lost since the area was last counted by hand (an
-- absolute correction): by so many passages inside may be off. Nobody knows which of the areas they concern.
CREATE OR REPLACE VIEW gatepulse.occupancy SQL SECURITY DEFINER AS
WITH
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
    ) AS corrected,
    (
        SELECT groupArray((kind, site_to, records)) FROM gatepulse.losses WHERE records > 0
    ) AS losses
SELECT
    area,
    kind,
    max(part.as_of) AS as_of,
    sum(part.change) AS inside,
    max(part.capacity) AS capacity,
    toUInt64(arraySum(
        loss -> if(loss.1 IN ('', kind) AND loss.2 >= corrected[concat(kind, ' ', area)].3, loss.3, toUInt64(0)), losses
    )) AS lost
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
