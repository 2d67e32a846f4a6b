-- Events that came so long after their time that no published figure takes them in any more: counted here, by the day
-- of the site's time zone on which they happened, and in no other table.

CREATE TABLE IF NOT EXISTS gatepulse_store.late_day
(
    log       LowCardinality(String),
    segment   UInt64,
    day       Date,
    kind      LowCardinality(String),
    entrance  LowCardinality(String),
    direction LowCardinality(String),
    outcome   LowCardinality(String),
    category  LowCardinality(String),
    passages  UInt64,
    version   UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (day, kind, entrance, direction, outcome, category, log, segment);

CREATE VIEW IF NOT EXISTS gatepulse.late_passages SQL SECURITY DEFINER AS
SELECT day, kind, entrance, direction, outcome, category, sum(c.passages) AS events
FROM gatepulse_store.late_day AS c FINAL
GROUP BY day, kind, entrance, direction, outcome, category
HAVING events > 0;

-- received = counted + duplicate + late + rejected.
ALTER TABLE gatepulse_store.progress ADD COLUMN IF NOT EXISTS late UInt64 DEFAULT 0 AFTER duplicate;

CREATE OR REPLACE VIEW gatepulse.progress SQL SECURITY DEFINER AS
SELECT
    log, cluster, topic, partition, next_offset, received, counted, duplicate, rejected, complete_to, worker, late
FROM gatepulse_store.progress FINAL;
