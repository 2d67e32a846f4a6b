-- What is foreseen, each minute anew. `at` is site time, the end of the minute that a forecast starts from; whoever shows
-- one must say how old it is. Of forecasts and their errors only the newest are kept. Minutes are counted from `at`; NULL is "not within two hours"
-- (`latest`: "perhaps never"). Errors are those of the day so far.

-- level: per cent of the capacity.
CREATE TABLE IF NOT EXISTS gatepulse_store.forecasts
(
    area     LowCardinality(String),
    kind     LowCardinality(String),
    level    UInt8,
    at       DateTime64(3, 'UTC'),
    capacity UInt32,
    inside   Int64,
    minutes  Nullable(UInt16),
    earliest Nullable(UInt16),
    latest   Nullable(UInt16),
    method   LowCardinality(String)
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (area, kind, level);

-- lead: minutes ahead. error: mean absolute error; covered: share of outcomes inside the 90 % interval.
CREATE TABLE IF NOT EXISTS gatepulse_store.forecast_errors
(
    area    LowCardinality(String),
    kind    LowCardinality(String),
    lead    UInt16,
    at      DateTime64(3, 'UTC'),
    checked UInt32,
    error   Nullable(Float64),
    covered Nullable(Float64)
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (area, kind, lead);

-- A row per entrance and minute. saturated_for: minutes. waiting, wait (minutes), to_clear (minutes): NULL where passages alone cannot tell; low and
-- high: if as few or as many come as the day so far gives reason to expect. plan_error: mean error of the plan, a share.
CREATE TABLE IF NOT EXISTS gatepulse_store.entrance_queues
(
    entrance      LowCardinality(String),
    at            DateTime64(3, 'UTC'),
    lanes         UInt16,
    saturated_for UInt16,
    waiting       Nullable(Float64),
    wait          Nullable(Float64),
    wait_low      Nullable(Float64),
    wait_high     Nullable(Float64),
    to_clear      Nullable(Float64),
    to_clear_low  Nullable(Float64),
    to_clear_high Nullable(Float64),
    plan_error    Nullable(Float64)
)
ENGINE = ReplacingMergeTree
ORDER BY (at, entrance);

-- One row per piece of advice, as of `at`; since: when it was given first; needed_at: when it was found to be needed
-- last; wait_measured: the longest wait that was reckoned once it could take effect; over_at: when its life ended.
CREATE TABLE IF NOT EXISTS gatepulse_store.advice
(
    advice        String,
    entrance      LowCardinality(String),
    since         DateTime64(3, 'UTC'),
    at            DateTime64(3, 'UTC'),
    lanes_before  UInt16,
    lanes_after   UInt16,
    wait_before   Float64,
    wait_after    Float64,
    limit         Float64,
    zh            String,
    en            String,
    needed_at     DateTime64(3, 'UTC'),
    wait_measured Nullable(Float64),
    over_at       Nullable(DateTime64(3, 'UTC'))
)
ENGINE = ReplacingMergeTree(at)
ORDER BY advice;

CREATE TABLE IF NOT EXISTS gatepulse_store.advice_decisions
(
    advice     String,
    decision   LowCardinality(String),
    actor      String,
    reason     String,
    decided_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(decided_at)
ORDER BY advice;

CREATE VIEW IF NOT EXISTS gatepulse.forecasts SQL SECURITY DEFINER AS
SELECT area, kind, level, at, capacity, inside, minutes, earliest, latest, method
FROM gatepulse_store.forecasts FINAL;

CREATE VIEW IF NOT EXISTS gatepulse.forecast_errors SQL SECURITY DEFINER AS
SELECT area, kind, lead, at, checked, error, covered
FROM gatepulse_store.forecast_errors FINAL;

CREATE VIEW IF NOT EXISTS gatepulse.entrance_queues SQL SECURITY DEFINER AS
SELECT
    entrance, at, lanes, saturated_for, waiting, wait, wait_low, wait_high, to_clear, to_clear_low, to_clear_high,
    plan_error
FROM gatepulse_store.entrance_queues FINAL;

-- decision: '' until somebody has accepted or declined it.
CREATE VIEW IF NOT EXISTS gatepulse.advice SQL SECURITY DEFINER AS
SELECT
    given.advice AS advice,
    given.entrance AS entrance,
    given.since AS since,
    given.at AS at,
    given.lanes_before AS lanes_before,
    given.lanes_after AS lanes_after,
    given.wait_before AS wait_before,
    given.wait_after AS wait_after,
    given.limit AS limit,
    given.zh AS zh,
    given.en AS en,
    decided.decision AS decision,
    decided.actor AS actor,
    decided.reason AS reason,
    if(decided.decision = '', NULL, decided.decided_at) AS decided_at,
    given.needed_at AS needed_at,
    given.wait_measured AS wait_measured,
    given.over_at AS over_at
FROM gatepulse_store.advice AS given FINAL
LEFT JOIN (SELECT * FROM gatepulse_store.advice_decisions FINAL) AS decided ON decided.advice = given.advice;
