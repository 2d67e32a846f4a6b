-- The private tables. Rows are written again after a crash, late, and out of order, so each table keeps one row per
-- sorting key: the one with the highest version, or any of them where repeated rows are equal.
-- sinks/rows.py says the same in Python; a test compares the two.

-- The areas of the site profile, and what can be in them.
CREATE TABLE IF NOT EXISTS gatepulse_store.site_areas
(
    area      LowCardinality(String),
    kind      LowCardinality(String),
    capacity  Nullable(UInt64),
    loaded_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(loaded_at)
ORDER BY (area, kind);

-- Every event as it came. The index lets a question about some hours skip the rest of the month.
CREATE TABLE IF NOT EXISTS gatepulse_store.passages
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
    INDEX ts_range ts TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (device, epoch, seq);

-- Events per window and cell, per source log and segment of it.
CREATE TABLE IF NOT EXISTS gatepulse_store.counts_10s
(
    log          LowCardinality(String),
    segment      UInt64,
    window_start DateTime('UTC'),
    kind         LowCardinality(String),
    entrance     LowCardinality(String),
    direction    LowCardinality(String),
    outcome      LowCardinality(String),
    category     LowCardinality(String),
    passages     UInt64,
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (window_start, kind, entrance, direction, outcome, category, log, segment);

CREATE TABLE IF NOT EXISTS gatepulse_store.counts_1m AS gatepulse_store.counts_10s
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (window_start, kind, entrance, direction, outcome, category, log, segment);

-- Events per day of the site's time zone. boundary: the entrance joins an area with the outside.
CREATE TABLE IF NOT EXISTS gatepulse_store.counts_day
(
    log       LowCardinality(String),
    segment   UInt64,
    day       Date,
    kind      LowCardinality(String),
    entrance  LowCardinality(String),
    direction LowCardinality(String),
    outcome   LowCardinality(String),
    category  LowCardinality(String),
    boundary  UInt8,
    passages  UInt64,
    anonymous UInt64,
    version   UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (day, kind, entrance, direction, outcome, category, log, segment);

-- Denied passages by reason.
CREATE TABLE IF NOT EXISTS gatepulse_store.refusals_1m
(
    log          LowCardinality(String),
    segment      UInt64,
    window_start DateTime('UTC'),
    kind         LowCardinality(String),
    entrance     LowCardinality(String),
    category     LowCardinality(String),
    reason       LowCardinality(String),
    refusals     UInt64,
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (window_start, kind, entrance, category, reason, log, segment);

-- What entered and departed from an area. By day: what is past merges into one part a day, which FINAL then reads
-- without merging again.
CREATE TABLE IF NOT EXISTS gatepulse_store.area_flows_10s
(
    log          LowCardinality(String),
    segment      UInt64,
    window_start DateTime('UTC'),
    area         LowCardinality(String),
    kind         LowCardinality(String),
    entered      UInt64,
    departed     UInt64,
    last_ts      DateTime64(3, 'UTC'),
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toDate(window_start)
ORDER BY (area, kind, window_start, log, segment);

-- The same by UTC hour, so that what is inside now is a sum of a few rows.
CREATE TABLE IF NOT EXISTS gatepulse_store.area_flows_1h AS gatepulse_store.area_flows_10s
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (area, kind, window_start, log, segment);

-- The credentials that came in from outside on a day: a set.
CREATE TABLE IF NOT EXISTS gatepulse_store.entered
(
    day        Date,
    kind       LowCardinality(String),
    credential String
)
ENGINE = ReplacingMergeTree
ORDER BY (day, kind, credential);

-- The sequence numbers received from each device through each log: inclusive ranges.
CREATE TABLE IF NOT EXISTS gatepulse_store.devices
(
    log       LowCardinality(String),
    device    String,
    epoch     UInt64,
    entrance  LowCardinality(String),
    ranges    Array(Tuple(UInt64, UInt64)),
    last_seq  UInt64,
    last_ts   DateTime64(3, 'UTC'),
    last_seen DateTime64(3, 'UTC'),
    version   UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (device, epoch, log);

-- Audited corrections of an occupancy: exactly one of delta and absolute is set.
CREATE TABLE IF NOT EXISTS gatepulse_store.corrections
(
    id       String,
    area     LowCardinality(String),
    kind     LowCardinality(String),
    ts       DateTime64(3, 'UTC'),
    delta    Nullable(Int64),
    absolute Nullable(Int64),
    actor    String,
    reason   String,
    log      LowCardinality(String),
    offset   UInt64,
    line     UInt32
)
ENGINE = ReplacingMergeTree
ORDER BY id;

-- What could not be accepted, and why.
CREATE TABLE IF NOT EXISTS gatepulse_store.rejections
(
    log       LowCardinality(String),
    topic     LowCardinality(String),
    partition UInt32,
    offset    UInt64,
    line      UInt32,
    at        DateTime64(3, 'UTC'),
    reason    LowCardinality(String),
    detail    String,
    sha256    String
)
ENGINE = ReplacingMergeTree
ORDER BY (log, offset, line);

-- How far each log is stored: everything that was in it at the real time complete_to is.
CREATE TABLE IF NOT EXISTS gatepulse_store.progress
(
    log         LowCardinality(String),
    cluster     LowCardinality(String),
    topic       LowCardinality(String),
    partition   UInt32,
    next_offset UInt64,
    received    UInt64,
    counted     UInt64,
    duplicate   UInt64,
    rejected    UInt64,
    complete_to DateTime64(3, 'UTC'),
    worker      LowCardinality(String)
)
ENGINE = ReplacingMergeTree(complete_to)
ORDER BY log;
