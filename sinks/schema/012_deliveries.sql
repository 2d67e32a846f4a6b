-- Every delivery of an event, and which of them counts. A log counts each number once; the same event may still come
-- through two logs: another partition, another gateway, a log that begins anew. Of all deliveries of an identity the one
-- that arrived first counts; the settlement (streams/settling) takes the others back. See DESIGN.md, section 3.

-- A row for each valid line. fate: what its log made of it: counted, late, duplicate, suspect. outer and inner: where the
-- entrance led then. settled: '' (stands), or what was decided since: repeat (the same content as the one that counts), or
-- conflict (other content). seen: how many deliveries of the identity were known then; more of them decide anew.
CREATE TABLE IF NOT EXISTS gatepulse_store.deliveries
(
    kind        LowCardinality(String),
    device      String,
    epoch       UInt64,
    seq         UInt64,
    ts          DateTime64(3, 'UTC'),
    entrance    LowCardinality(String),
    direction   LowCardinality(String),
    outcome     LowCardinality(String),
    category    LowCardinality(String),
    reason      LowCardinality(String),
    temperature Nullable(Float64),
    health      LowCardinality(String),
    credential  String,
    log         LowCardinality(String),
    offset      UInt64,
    line        UInt32,
    fate        LowCardinality(String) DEFAULT 'counted',
    outer       LowCardinality(String) DEFAULT '',
    inner       LowCardinality(String) DEFAULT '',
    settled     LowCardinality(String) DEFAULT '',
    arrived     DateTime64(3, 'UTC') DEFAULT toDateTime64(0, 3, 'UTC'),
    seen        UInt64 DEFAULT 0,
    INDEX ts_range ts TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(seen)
PARTITION BY toYYYYMM(ts)
ORDER BY (device, epoch, seq, log, offset, line);

-- Where the numbers are that came again through one log: their content is compared with what was counted.
CREATE TABLE IF NOT EXISTS gatepulse_store.repeats
(
    log    LowCardinality(String),
    offset UInt64,
    line   UInt32,
    device String,
    epoch  UInt64,
    seq    UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (log, offset, line);

-- Deliveries that do not count after all, or that are in conflict with the one that does, with the cell that they are in.
CREATE TABLE IF NOT EXISTS gatepulse_store.verdicts
(
    log       LowCardinality(String),
    offset    UInt64,
    line      UInt32,
    device    String,
    epoch     UInt64,
    seq       UInt64,
    kind      LowCardinality(String),
    ts        DateTime64(3, 'UTC'),
    day       Date,
    entrance  LowCardinality(String),
    direction LowCardinality(String),
    outcome   LowCardinality(String),
    category  LowCardinality(String),
    reason    LowCardinality(String),
    outer     LowCardinality(String),
    inner     LowCardinality(String),
    fate      LowCardinality(String),
    verdict   LowCardinality(String),
    anonymous UInt8,
    seen      UInt64
)
ENGINE = ReplacingMergeTree(seen)
ORDER BY (log, offset, line);

-- Deliveries whose content is not that of the delivery that counts (first_...). stands: 0 when it turned out to be the
-- same, since an earlier delivery came to light.
CREATE TABLE IF NOT EXISTS gatepulse_store.conflicts
(
    log            LowCardinality(String),
    offset         UInt64,
    line           UInt32,
    device         String,
    epoch          UInt64,
    seq            UInt64,
    entrance       LowCardinality(String),
    at             DateTime64(3, 'UTC'),
    first_entrance LowCardinality(String),
    first_log      LowCardinality(String),
    first_offset   UInt64,
    first_line     UInt32,
    stands         UInt8,
    seen           UInt64
)
ENGINE = ReplacingMergeTree(seen)
ORDER BY (log, offset, line);

-- The sums of `verdicts` by log: of its counted and late deliveries, how many were retracted; conflicts among these, and
-- among its repeats.
CREATE TABLE IF NOT EXISTS gatepulse_store.verdicts_by_log
(
    log                 LowCardinality(String),
    counted             UInt64,
    late                UInt64,
    conflicts           UInt64,
    conflicts_in_repeat UInt64,
    version             UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY log;

-- What was settled: the ranges of each log then, and how many numbers had come through more than one (overlap, the same
-- in every row of a device and epoch).
CREATE TABLE IF NOT EXISTS gatepulse_store.settled_devices
(
    device  String,
    epoch   UInt64,
    log     LowCardinality(String),
    ranges  Array(Tuple(UInt64, UInt64)),
    overlap UInt64
)
ENGINE = ReplacingMergeTree(overlap)
ORDER BY (device, epoch, log);

-- Up to which offset the repeats of a log were compared.
CREATE TABLE IF NOT EXISTS gatepulse_store.settled_repeats
(
    log         LowCardinality(String),
    next_offset UInt64
)
ENGINE = ReplacingMergeTree(next_offset)
ORDER BY log;

-- Credentials (as a hash) that are in `entered` by a delivery that was retracted: by how many others they came in on that
-- day. version: how many deliveries were looked at.
CREATE TABLE IF NOT EXISTS gatepulse_store.unentered
(
    day     Date,
    kind    LowCardinality(String),
    who     UInt64,
    entries UInt64,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (day, kind, who);

ALTER TABLE gatepulse_store.log_progress ADD COLUMN IF NOT EXISTS first_offset UInt64 DEFAULT 0;

ALTER TABLE gatepulse_store.log_progress ADD COLUMN IF NOT EXISTS records UInt64 DEFAULT next_offset;

-- A worker of the version before writes `passages`; its rows are deliveries, too.
CREATE MATERIALIZED VIEW IF NOT EXISTS gatepulse_store.deliver_passages TO gatepulse_store.deliveries AS
SELECT
    kind, device, epoch, seq, ts, entrance, direction, outcome, category, reason, temperature, health, credential, log,
    offset, line
FROM gatepulse_store.passages;

INSERT INTO gatepulse_store.deliveries
    (kind, device, epoch, seq, ts, entrance, direction, outcome, category, reason, temperature, health, credential, log,
    offset, line)
SELECT
    kind, device, epoch, seq, ts, entrance, direction, outcome, category, reason, temperature, health, credential, log,
    offset, line
FROM gatepulse_store.passages FINAL
SETTINGS max_partitions_per_insert_block = 0;

-- Of what came through two logs before, the content of one delivery is known only: it stays as it was counted.
INSERT INTO gatepulse_store.settled_devices (device, epoch, log, ranges, overlap)
SELECT device, epoch, log, ranges, overlap
FROM
(
    SELECT
        device,
        epoch,
        groupArray((d.log, d.ranges)) AS by_log,
        arrayFold(
            (walked, received) -> (
                greatest(walked.1, received.2),
                walked.2 + if(
                    received.1 <= walked.1, toUInt64(least(received.2, walked.1) - received.1 + 1), toUInt64(0)
                )
            ),
            arraySort(groupArrayArray(d.ranges)),
            (toUInt64(0), toUInt64(0))
        ).2 AS overlap
    FROM gatepulse_store.devices AS d FINAL
    GROUP BY device, epoch
    HAVING count() > 1
)
ARRAY JOIN by_log.1 AS log, by_log.2 AS ranges;

-- When a delivery became known. One that was retracted is left out of every replay: its newest row says that it is gone.
ALTER TABLE gatepulse_store.passages_known ADD COLUMN IF NOT EXISTS gone UInt8 DEFAULT 0 AFTER known_at;

ALTER TABLE gatepulse_store.passages_known
    MODIFY COLUMN earlier UInt64
    MATERIALIZED if(gone = 1, bitNot(toUInt64(0)), bitNot(toUInt64(toUnixTimestamp64Milli(known_at))));

CREATE MATERIALIZED VIEW IF NOT EXISTS gatepulse_store.note_deliveries TO gatepulse_store.passages_known AS
SELECT
    ts, log, offset, line, kind, device, entrance, direction, outcome, category, credential != '' AS identified,
    now64(3, 'UTC') AS known_at, settled != '' AS gone
FROM gatepulse_store.deliveries
WHERE fate = 'counted';

DROP VIEW IF EXISTS gatepulse_store.note_passages;

CREATE OR REPLACE VIEW gatepulse.passages_known SQL SECURITY DEFINER AS
SELECT kind, device, ts, entrance, direction, outcome, category, identified, known_at
FROM gatepulse_store.passages_known FINAL
WHERE gone = 0;

CREATE OR REPLACE VIEW gatepulse.first_entries SQL SECURITY DEFINER AS
SELECT kind, min(p.ts) AS ts
FROM gatepulse_store.deliveries AS p FINAL
WHERE p.ts >= {since:DateTime64(3, 'UTC')} AND p.ts < {until:DateTime64(3, 'UTC')} AND fate = 'counted' AND settled = ''
    AND outcome = 'passed' AND direction = 'in' AND credential != '' AND has({gates:Array(String)}, entrance)
GROUP BY kind, credential;

-- Each identity once, but for those that `unsettled` still names.
CREATE OR REPLACE VIEW gatepulse.passages SQL SECURITY DEFINER AS
SELECT
    kind, device, epoch, seq, ts, entrance, direction, outcome, category, reason, temperature, health,
    credential != '' AS identified
FROM gatepulse_store.deliveries FINAL
WHERE fate = 'counted' AND settled = '';

-- What is retracted stands in the tables of counts as rows of the log `settled/<log>`, in the segment of the delivery,
-- with numbers below 0: as UInt64 they wrap, and so do sums. A sum below 0, of which no row of the log itself is stored
-- any more, is no row.
CREATE OR REPLACE VIEW gatepulse.entrance_counts_10s SQL SECURITY DEFINER AS
SELECT window_start, kind, entrance, direction, category, sum(c.passages) AS passages
FROM gatepulse_store.counts_10s AS c FINAL
WHERE outcome = 'passed'
GROUP BY window_start, kind, entrance, direction, category
HAVING toInt64(passages) > 0;

CREATE OR REPLACE VIEW gatepulse.entrance_counts_1m SQL SECURITY DEFINER AS
SELECT window_start, kind, entrance, direction, category, sum(c.passages) AS passages
FROM gatepulse_store.counts_1m AS c FINAL
WHERE outcome = 'passed'
GROUP BY window_start, kind, entrance, direction, category
HAVING toInt64(passages) > 0;

CREATE OR REPLACE VIEW gatepulse.entrance_outcomes_1m SQL SECURITY DEFINER AS
SELECT window_start, kind, entrance, direction, outcome, category, sum(c.passages) AS events
FROM gatepulse_store.counts_1m AS c FINAL
GROUP BY window_start, kind, entrance, direction, outcome, category
HAVING toInt64(events) > 0;

CREATE OR REPLACE VIEW gatepulse.entrance_totals SQL SECURITY DEFINER AS
SELECT day, kind, entrance, direction, category, sum(c.passages) AS passages
FROM gatepulse_store.counts_day AS c FINAL
WHERE outcome = 'passed'
GROUP BY day, kind, entrance, direction, category
HAVING toInt64(passages) > 0;

CREATE OR REPLACE VIEW gatepulse.entrance_refusals_1m SQL SECURITY DEFINER AS
SELECT window_start, kind, entrance, category, reason, sum(r.refusals) AS refusals
FROM gatepulse_store.refusals_1m AS r FINAL
GROUP BY window_start, kind, entrance, category, reason
HAVING toInt64(refusals) > 0;

CREATE OR REPLACE VIEW gatepulse.late_passages SQL SECURITY DEFINER AS
SELECT day, kind, entrance, direction, outcome, category, sum(c.passages) AS events
FROM gatepulse_store.late_day AS c FINAL
GROUP BY day, kind, entrance, direction, outcome, category
HAVING toInt64(events) > 0;

-- Devices of which more has come through several logs than is settled: so many events may be counted twice.
CREATE OR REPLACE VIEW gatepulse.unsettled SQL SECURITY DEFINER AS
SELECT device, epoch, found.overlap - done.overlap AS events, found.logs AS logs
FROM
(
    SELECT
        device,
        epoch,
        arrayFold(
            (walked, received) -> (
                greatest(walked.1, received.2),
                walked.2 + if(
                    received.1 <= walked.1, toUInt64(least(received.2, walked.1) - received.1 + 1), toUInt64(0)
                )
            ),
            arraySort(groupArrayArray(d.ranges)),
            (toUInt64(0), toUInt64(0))
        ).2 AS overlap,
        count() AS logs
    FROM gatepulse_store.devices AS d FINAL
    WHERE (device, epoch) IN
        (SELECT device, epoch FROM gatepulse_store.devices GROUP BY device, epoch HAVING min(log) != max(log))
    GROUP BY device, epoch
) AS found
LEFT JOIN
(
    SELECT device, epoch, max(s.overlap) AS overlap
    FROM gatepulse_store.settled_devices AS s
    GROUP BY device, epoch
) AS done ON done.device = found.device AND done.epoch = found.epoch
WHERE found.overlap > done.overlap;

-- Numbers that came again with other content; the delivery that arrived first counts.
CREATE OR REPLACE VIEW gatepulse.conflicts SQL SECURITY DEFINER AS
SELECT
    c.device AS device,
    c.epoch AS epoch,
    c.seq AS seq,
    c.entrance AS entrance,
    c.first_entrance AS first_entrance,
    c.at AS at,
    c.log AS log,
    p.topic AS topic,
    p.partition AS partition,
    c.offset AS offset,
    c.line AS line,
    c.first_log AS first_log,
    c.first_offset AS first_offset,
    c.first_line AS first_line
FROM gatepulse_store.conflicts AS c FINAL
LEFT JOIN (SELECT log, topic, partition FROM gatepulse_store.log_progress FINAL) AS p ON p.log = c.log
WHERE c.stands = 1;

CREATE OR REPLACE VIEW gatepulse.device_conflicts SQL SECURITY DEFINER AS
SELECT device, count() AS conflicts, max(c.at) AS last_at
FROM gatepulse_store.conflicts AS c FINAL
WHERE stands = 1
GROUP BY device;

-- What was settled of each log: back of what it counted or called late, with conflicts among these, and among its repeats.
CREATE OR REPLACE VIEW gatepulse.settled SQL SECURITY DEFINER AS
SELECT
    s.log AS log,
    p.cluster AS cluster,
    p.topic AS topic,
    p.partition AS partition,
    s.counted + s.late AS back,
    s.conflicts AS conflicts,
    s.conflicts_in_repeat AS conflicts_in_repeat
FROM gatepulse_store.verdicts_by_log AS s FINAL
INNER JOIN (SELECT log, cluster, topic, partition FROM gatepulse_store.log_progress FINAL) AS p ON p.log = s.log;

-- As in 004; a window of which everything was retracted is none.
CREATE OR REPLACE VIEW gatepulse.occupancy_history SQL SECURITY DEFINER AS
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
        sum(part.change) + if(max(part.anchored) = 1, 0, sum(part.into) - sum(part.out)) AS change,
        sum(max(part.anchored)) OVER (PARTITION BY area, kind ORDER BY window_start) AS anchors
    FROM
    (
        SELECT area, kind, window_start, toInt64(entered) AS into, toInt64(departed) AS out,
            toInt64(0) AS change, toUInt8(0) AS anchored, toUInt8(0) AS corrected
        FROM gatepulse_store.area_flows_10s FINAL
        UNION ALL
        SELECT area, kind, window_start, toInt64(0), toInt64(0), change, anchored, toUInt8(1)
        FROM gatepulse_store.corrections_10s
    ) AS part
    GROUP BY area, kind, window_start
    HAVING sum(part.into) != 0 OR sum(part.out) != 0 OR max(part.corrected) = 1
);
