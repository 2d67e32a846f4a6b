-- What is known of the source topics besides what was counted from them: which partitions the brokers have, which worker
-- reads each of them into which log, what stands in the way, and which losses were accepted. Facts about the present, so
-- the store's own clock tells which row is the newest (noted_at); no count depends on any of them.

-- The partitions of each incarnation of a topic. since: when this incarnation was first seen.
CREATE TABLE IF NOT EXISTS gatepulse_store.source_partitions
(
    cluster     LowCardinality(String),
    topic       LowCardinality(String),
    partition   Int32,
    incarnation LowCardinality(String),
    log_begin   UInt64,
    log_end     UInt64,
    present     UInt8,
    since       DateTime64(3, 'UTC'),
    noted_at    DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(noted_at)
ORDER BY (cluster, topic, partition, incarnation);

-- Which log of a partition is read, and by whom: a row when a worker begins to read it.
CREATE TABLE IF NOT EXISTS gatepulse_store.source_readers
(
    cluster   LowCardinality(String),
    topic     LowCardinality(String),
    partition Int32,
    log       LowCardinality(String),
    worker    LowCardinality(String),
    noted_at  DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(noted_at)
ORDER BY (cluster, topic, partition);

-- What stands in the way of a partition, or of a whole topic (partition -1), since when.
-- first, after: the offsets concerned, [first, after).
CREATE TABLE IF NOT EXISTS gatepulse_store.source_problems
(
    cluster   LowCardinality(String),
    topic     LowCardinality(String),
    partition Int32,
    problem   LowCardinality(String),
    log       LowCardinality(String),
    first     UInt64,
    after     UInt64,
    since     DateTime64(3, 'UTC'),
    worker    LowCardinality(String),
    resolved  UInt8,
    noted_at  DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(noted_at)
ORDER BY (cluster, topic, partition, problem);

-- Losses, each once: accepted by an operator, or noticed when there was nothing left to decide. from_ts, to_ts: between
-- which moments of broker time the records must have arrived; site_from, site_to: the same by the site's clock, and
-- from_day, to_day its days. kind: person or vehicle; '' for corrections, which may be of both. What is lost is not known
-- by entrance, so no figure by entrance says it.
CREATE TABLE IF NOT EXISTS gatepulse_store.losses
(
    id          String,
    cluster     LowCardinality(String),
    topic       LowCardinality(String),
    partition   Int32,
    log         LowCardinality(String),
    problem     LowCardinality(String),
    first       UInt64,
    after       UInt64,
    records     UInt64,
    from_ts     DateTime64(3, 'UTC'),
    to_ts       DateTime64(3, 'UTC'),
    accepted_at DateTime64(3, 'UTC'),
    actor       String,
    reason      String,
    kind        LowCardinality(String)
        DEFAULT multiIf(topic = 'turnstile.passages', 'person', topic = 'vehicle.passages', 'vehicle', ''),
    site_from   DateTime64(3, 'UTC') DEFAULT from_ts,
    site_to     DateTime64(3, 'UTC') DEFAULT to_ts,
    from_day    Date DEFAULT toDate(from_ts),
    to_day      Date DEFAULT toDate(to_ts)
)
ENGINE = ReplacingMergeTree(accepted_at)
ORDER BY id;

ALTER TABLE gatepulse_store.log_progress ADD COLUMN IF NOT EXISTS lost UInt64 DEFAULT 0;

-- Broker time (ms) of the record before next_offset, 0 if not known: brokers that come back from an older copy of their
-- disks give the same offset to another record.
ALTER TABLE gatepulse_store.log_progress ADD COLUMN IF NOT EXISTS tail UInt64 DEFAULT 0;

CREATE VIEW IF NOT EXISTS gatepulse.losses SQL SECURITY DEFINER AS
SELECT
    id, topic, partition, log, problem, first, after, records, from_ts, to_ts, accepted_at, actor, reason, cluster,
    kind, site_from, site_to, from_day, to_day
FROM gatepulse_store.losses FINAL;

CREATE VIEW IF NOT EXISTS gatepulse.source_problems SQL SECURITY DEFINER AS
SELECT topic, partition, problem, log, first, after, since, worker, cluster
FROM gatepulse_store.source_problems FINAL
WHERE resolved = 0;

-- The partitions that the brokers have now: of each the newest incarnation, its log, and who reads it. One that is there
-- comes before any that is gone: both may have been noted at the same moment.
CREATE VIEW IF NOT EXISTS gatepulse.source_partitions SQL SECURITY DEFINER AS
SELECT
    p.cluster AS cluster,
    p.topic AS topic,
    p.partition AS partition,
    p.incarnation AS incarnation,
    p.log_begin AS log_begin,
    p.log_end AS log_end,
    p.present AS present,
    p.since AS since,
    p.noted_at AS noted_at,
    r.log AS log,
    r.worker AS worker
FROM
(
    SELECT
        cluster,
        topic,
        partition,
        argMax(s.incarnation, (s.present, s.noted_at)) AS incarnation,
        argMax(s.log_begin, (s.present, s.noted_at)) AS log_begin,
        argMax(s.log_end, (s.present, s.noted_at)) AS log_end,
        argMax(s.present, (s.present, s.noted_at)) AS present,
        argMax(s.since, (s.present, s.noted_at)) AS since,
        max(s.noted_at) AS noted_at
    FROM gatepulse_store.source_partitions AS s FINAL
    GROUP BY cluster, topic, partition
) AS p
LEFT JOIN
(
    SELECT cluster, topic, partition, log, worker FROM gatepulse_store.source_readers FINAL
) AS r ON r.cluster = p.cluster AND r.topic = p.topic AND r.partition = p.partition;

-- received = counted + duplicate + late + rejected + conflicts, and next_offset = first_offset + records, where no record
-- is lost. What was retracted is a duplicate or a conflict. A log is complete up to the moment before its oldest parked
-- batch, however far it is stored otherwise.
-- lost: offsets of a log that were passed over since an operator accepted that their records are lost.
CREATE OR REPLACE VIEW gatepulse.progress SQL SECURITY DEFINER AS
SELECT
    p.log AS log,
    p.cluster AS cluster,
    p.topic AS topic,
    p.partition AS partition,
    p.next_offset AS next_offset,
    p.received AS received,
    p.counted - back.counted AS counted,
    p.duplicate + back.counted + back.late - back.conflicts - back.conflicts_in_repeat AS duplicate,
    p.rejected AS rejected,
    if(held.batches > 0, least(p.complete_to, held.complete_to), p.complete_to) AS complete_to,
    p.worker AS worker,
    p.late - back.late AS late,
    back.conflicts + back.conflicts_in_repeat AS conflicts,
    p.first_offset AS first_offset,
    p.records AS records,
    p.lost AS lost
FROM gatepulse_store.log_progress AS p FINAL
LEFT JOIN
(
    SELECT log, count() AS batches, min(b.complete_to) AS complete_to
    FROM gatepulse_store.parked_batches AS b FINAL
    WHERE resolved = 0
    GROUP BY log
) AS held ON held.log = p.log
LEFT JOIN (SELECT * FROM gatepulse_store.verdicts_by_log FINAL) AS back ON back.log = p.log;

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
    FROM gatepulse_store.losses FINAL
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
        SELECT groupArray((kind, site_to, records)) FROM gatepulse_store.losses FINAL WHERE records > 0
    ) AS holes
SELECT
    area,
    kind,
    max(part.as_of) AS as_of,
    sum(part.change) AS inside,
    max(part.capacity) AS capacity,
    toUInt64(arraySum(
        hole -> if(hole.1 IN ('', kind) AND hole.2 >= corrected[concat(kind, ' ', area)].3, hole.3, toUInt64(0)), holes
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
