-- When each fact became known, so that the wall of any past moment can be shown as it was then. The tables keep only the
-- newest of everything; here stands, beside it, at which moment of the store's clock a row was first stored: of equal rows
-- the one that came earlier is kept. So a row that is written again changes nothing, and one that was parked is known
-- when it comes back. known_at 1970-01-01: stored before this file was applied, nobody knows when.

-- Every delivery of a passage: one that came through two logs is here twice, as it is in the counts. By ten minutes of
-- event time; the index finds what became known in some minutes, however late it was (use_skip_indexes_if_final needs its
-- exact mode, as it has by itself: another mode could hide the earlier one of two equal rows).
CREATE TABLE IF NOT EXISTS gatepulse_store.passages_known
(
    ts         DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    log        LowCardinality(String),
    offset     UInt64 CODEC(Delta, ZSTD),
    line       UInt32 CODEC(ZSTD),
    kind       LowCardinality(String),
    device     LowCardinality(String),
    entrance   LowCardinality(String),
    direction  LowCardinality(String),
    outcome    LowCardinality(String),
    category   LowCardinality(String),
    identified UInt8,
    known_at   DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    earlier    UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(known_at))) CODEC(Delta, ZSTD),
    INDEX known_range known_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(earlier)
PARTITION BY toYYYYMM(ts)
ORDER BY (toStartOfTenMinutes(ts), log, offset, line);

CREATE MATERIALIZED VIEW IF NOT EXISTS gatepulse_store.note_passages TO gatepulse_store.passages_known AS
SELECT
    ts, log, offset, line, kind, device, entrance, direction, outcome, category, credential != '' AS identified,
    now64(3, 'UTC') AS known_at
FROM gatepulse_store.passages;

INSERT INTO gatepulse_store.passages_known
    (ts, log, offset, line, kind, device, entrance, direction, outcome, category, identified, known_at)
SELECT
    ts, log, offset, line, kind, device, entrance, direction, outcome, category, credential != '',
    toDateTime64(0, 3, 'UTC')
FROM gatepulse_store.passages FINAL;

-- Who came in on which day, and when that became known.
CREATE TABLE IF NOT EXISTS gatepulse_store.entered_known
(
    day        Date,
    kind       LowCardinality(String),
    credential String CODEC(ZSTD),
    known_at   DateTime64(3, 'UTC') CODEC(ZSTD),
    earlier    UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(known_at))) CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree(earlier)
ORDER BY (day, kind, credential);

CREATE MATERIALIZED VIEW IF NOT EXISTS gatepulse_store.note_entered TO gatepulse_store.entered_known AS
SELECT day, kind, credential, now64(3, 'UTC') AS known_at
FROM gatepulse_store.entered;

INSERT INTO gatepulse_store.entered_known (day, kind, credential, known_at)
SELECT day, kind, credential, toDateTime64(0, 3, 'UTC')
FROM gatepulse_store.entered FINAL;

CREATE TABLE IF NOT EXISTS gatepulse_store.corrections_known
(
    id       String,
    known_at DateTime64(3, 'UTC'),
    earlier  UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(known_at)))
)
ENGINE = ReplacingMergeTree(earlier)
ORDER BY id;

CREATE MATERIALIZED VIEW IF NOT EXISTS gatepulse_store.note_corrections TO gatepulse_store.corrections_known AS
SELECT id, now64(3, 'UTC') AS known_at
FROM gatepulse_store.corrections;

INSERT INTO gatepulse_store.corrections_known (id, known_at)
SELECT id, toDateTime64(0, 3, 'UTC')
FROM gatepulse_store.corrections FINAL;

-- What was received from each device, as of every offset at which it was stored.
CREATE TABLE IF NOT EXISTS gatepulse_store.devices_known
(
    log      LowCardinality(String),
    device   LowCardinality(String),
    epoch    UInt64,
    version  UInt64 CODEC(Delta, ZSTD),
    entrance LowCardinality(String),
    ranges   Array(Tuple(UInt64, UInt64)) CODEC(ZSTD),
    last_seq UInt64 CODEC(Delta, ZSTD),
    last_ts  DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    known_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    earlier  UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(known_at))) CODEC(Delta, ZSTD),
    INDEX known_range known_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(earlier)
ORDER BY (device, epoch, log, version)
SETTINGS index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS gatepulse_store.note_devices TO gatepulse_store.devices_known AS
SELECT log, device, epoch, version, entrance, ranges, last_seq, last_ts, now64(3, 'UTC') AS known_at
FROM gatepulse_store.devices;

INSERT INTO gatepulse_store.devices_known
    (log, device, epoch, version, entrance, ranges, last_seq, last_ts, known_at)
SELECT log, device, epoch, version, entrance, ranges, last_seq, last_ts, toDateTime64(0, 3, 'UTC')
FROM gatepulse_store.devices FINAL;

-- How far each log was stored.
CREATE TABLE IF NOT EXISTS gatepulse_store.log_progress_known
(
    log         LowCardinality(String),
    cluster     LowCardinality(String),
    next_offset UInt64 CODEC(Delta, ZSTD),
    complete_to DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    rejected    UInt64 CODEC(Delta, ZSTD),
    known_at    DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    earlier     UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(known_at))) CODEC(Delta, ZSTD),
    INDEX known_range known_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(earlier)
PARTITION BY toYYYYMM(complete_to)
ORDER BY (log, next_offset, complete_to);

CREATE MATERIALIZED VIEW IF NOT EXISTS gatepulse_store.note_log_progress TO gatepulse_store.log_progress_known AS
SELECT log, cluster, next_offset, complete_to, rejected, now64(3, 'UTC') AS known_at
FROM gatepulse_store.log_progress;

INSERT INTO gatepulse_store.log_progress_known (log, cluster, next_offset, complete_to, rejected, known_at)
SELECT log, cluster, next_offset, complete_to, rejected, toDateTime64(0, 3, 'UTC')
FROM gatepulse_store.log_progress FINAL;

-- From when to when a log could not claim to be complete, because rows of it were parked.
CREATE TABLE IF NOT EXISTS gatepulse_store.parked_batches_known
(
    id          String,
    log         LowCardinality(String),
    resolved    UInt8,
    complete_to DateTime64(3, 'UTC'),
    known_at    DateTime64(3, 'UTC'),
    earlier     UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(known_at)))
)
ENGINE = ReplacingMergeTree(earlier)
ORDER BY (id, log, resolved);

CREATE MATERIALIZED VIEW IF NOT EXISTS gatepulse_store.note_parked_batches TO gatepulse_store.parked_batches_known AS
SELECT id, log, resolved, complete_to, now64(3, 'UTC') AS known_at
FROM gatepulse_store.parked_batches;

INSERT INTO gatepulse_store.parked_batches_known (id, log, resolved, complete_to, known_at)
SELECT id, log, resolved, complete_to, toDateTime64(0, 3, 'UTC')
FROM gatepulse_store.parked_batches FINAL;

CREATE TABLE IF NOT EXISTS gatepulse_store.alarm_changes_known
(
    episode  String,
    change   UInt32,
    known_at DateTime64(3, 'UTC'),
    earlier  UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(known_at)))
)
ENGINE = ReplacingMergeTree(earlier)
ORDER BY (episode, change);

CREATE MATERIALIZED VIEW IF NOT EXISTS gatepulse_store.note_alarm_changes TO gatepulse_store.alarm_changes_known AS
SELECT episode, change, now64(3, 'UTC') AS known_at
FROM gatepulse_store.alarm_changes;

INSERT INTO gatepulse_store.alarm_changes_known (episode, change, known_at)
SELECT episode, change, toDateTime64(0, 3, 'UTC')
FROM gatepulse_store.alarm_changes FINAL;

CREATE VIEW IF NOT EXISTS gatepulse.passages_known SQL SECURITY DEFINER AS
SELECT kind, device, ts, entrance, direction, outcome, category, identified, known_at
FROM gatepulse_store.passages_known FINAL;

-- A row for each credential that came in on a day, and none of its credential: when it did first, and when it was known.
-- since and until: begin and end of a day; gates: the entrances that lead outside.
CREATE VIEW IF NOT EXISTS gatepulse.first_entries SQL SECURITY DEFINER AS
SELECT kind, min(p.ts) AS ts
FROM gatepulse_store.passages AS p FINAL
WHERE p.ts >= {since:DateTime64(3, 'UTC')} AND p.ts < {until:DateTime64(3, 'UTC')}
    AND outcome = 'passed' AND direction = 'in' AND credential != '' AND has({gates:Array(String)}, entrance)
GROUP BY kind, credential;

CREATE VIEW IF NOT EXISTS gatepulse.entered_known SQL SECURITY DEFINER AS
SELECT day, kind, known_at
FROM gatepulse_store.entered_known FINAL;

CREATE VIEW IF NOT EXISTS gatepulse.corrections_known SQL SECURITY DEFINER AS
SELECT c.id AS id, c.area AS area, c.kind AS kind, c.ts AS ts, c.delta AS delta, c.absolute AS absolute,
    noted.known_at AS known_at
FROM gatepulse_store.corrections AS c FINAL
LEFT JOIN
(
    SELECT id, min(n.known_at) AS known_at FROM gatepulse_store.corrections_known AS n GROUP BY id
) AS noted ON noted.id = c.id;

-- A row may be here twice, which says the same twice: taking only the first would cost a second for each day stored.
CREATE VIEW IF NOT EXISTS gatepulse.devices_known SQL SECURITY DEFINER AS
SELECT log, device, epoch, version, entrance, ranges, last_seq, last_ts, known_at
FROM gatepulse_store.devices_known;

CREATE VIEW IF NOT EXISTS gatepulse.progress_known SQL SECURITY DEFINER AS
SELECT log, cluster, next_offset, complete_to, rejected, known_at
FROM gatepulse_store.log_progress_known FINAL;

-- From known_at to resolved_at (NULL: it still waits) a log is complete to complete_to at most.
CREATE VIEW IF NOT EXISTS gatepulse.parked_known SQL SECURITY DEFINER AS
SELECT
    id,
    log,
    minIf(p.complete_to, resolved = 0) AS complete_to,
    minIf(p.known_at, resolved = 0) AS known_at,
    minOrNullIf(p.known_at, resolved = 1) AS resolved_at
FROM gatepulse_store.parked_batches_known AS p
GROUP BY id, log
HAVING countIf(resolved = 0) > 0;

-- What entered and departed from an area; hours of UTC.
CREATE VIEW IF NOT EXISTS gatepulse.area_flows_1h SQL SECURITY DEFINER AS
SELECT window_start, area, kind, sum(f.entered) AS entered, sum(f.departed) AS departed, max(f.last_ts) AS last_ts
FROM gatepulse_store.area_flows_1h AS f FINAL
GROUP BY window_start, area, kind;

CREATE VIEW IF NOT EXISTS gatepulse.area_flows_10s SQL SECURITY DEFINER AS
SELECT window_start, area, kind, sum(f.entered) AS entered, sum(f.departed) AS departed, max(f.last_ts) AS last_ts
FROM gatepulse_store.area_flows_10s AS f FINAL
GROUP BY window_start, area, kind;

-- An episode as of any of its changes.
CREATE VIEW IF NOT EXISTS gatepulse.alarm_changes_known SQL SECURITY DEFINER AS
SELECT
    a.episode AS episode, a.change AS change, a.changed_at AS changed_at, a.what AS what, a.rule AS rule,
    a.subject AS subject, a.kind AS kind, a.zone AS zone, a.level AS level, a.state AS state, a.value AS value,
    a.limit AS limit, a.unit AS unit, a.actor AS actor, a.raised_at AS raised_at, a.cleared_at AS cleared_at,
    noted.known_at AS known_at
FROM gatepulse_store.alarm_changes AS a FINAL
LEFT JOIN
(
    SELECT episode, change, min(n.known_at) AS known_at FROM gatepulse_store.alarm_changes_known AS n
    GROUP BY episode, change
) AS noted ON noted.episode = a.episode AND noted.change = a.change;

-- Between which moments of the site's clock there is anything to replay, and since when (real time) it is recorded when
-- things became known.
CREATE VIEW IF NOT EXISTS gatepulse.replay_span SQL SECURITY DEFINER AS
SELECT
    (SELECT minOrNull(ts) FROM gatepulse_store.passages_known) AS first_ts,
    (SELECT maxOrNull(ts) FROM gatepulse_store.passages_known) AS last_ts,
    (SELECT min(applied_at) FROM gatepulse_store.schema_migrations WHERE number = 11) AS known_since;
