-- Every change of every alarm episode, a row each; an episode is as its newest change says.
-- Times are site time. value and limit are in `unit`; detail says more where there is more to say.
CREATE TABLE IF NOT EXISTS gatepulse_store.alarm_changes
(
    episode         String,
    rule            LowCardinality(String),
    subject         LowCardinality(String),
    kind            LowCardinality(String),
    zone            LowCardinality(String),
    level           LowCardinality(String),
    state           LowCardinality(String),
    what            LowCardinality(String),
    change          UInt32,
    value           Float64,
    limit           Float64,
    unit            LowCardinality(String),
    raised_at       DateTime64(3, 'UTC'),
    changed_at      DateTime64(3, 'UTC'),
    acknowledged_at Nullable(DateTime64(3, 'UTC')),
    cleared_at      Nullable(DateTime64(3, 'UTC')),
    actor           String,
    detail          String,
    log             LowCardinality(String)
)
ENGINE = ReplacingMergeTree
ORDER BY (episode, change);

CREATE VIEW IF NOT EXISTS gatepulse.alarm_changes SQL SECURITY DEFINER AS
SELECT episode, change, changed_at, what, rule, subject, kind, zone, level, state, value, limit, unit, actor, detail
FROM gatepulse_store.alarm_changes FINAL;

CREATE VIEW IF NOT EXISTS gatepulse.alarm_episodes SQL SECURITY DEFINER AS
SELECT
    episode, rule, subject, level, state, raised_at, acknowledged_at, cleared_at, value, limit, actor,
    kind, zone, unit, what, change, changed_at, detail
FROM gatepulse_store.alarm_changes
ORDER BY episode, change DESC
LIMIT 1 BY episode;
