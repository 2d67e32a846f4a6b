-- Which row of a log's progress is the newest is for its offset to say, not for a clock: a worker whose clock was ahead
-- while a log was quiet would hide all rows after it. At one offset the row that was written last counts. The table
-- `progress`, whose version is a time, is not written any more.

CREATE TABLE IF NOT EXISTS gatepulse_store.log_progress
(
    log         LowCardinality(String),
    cluster     LowCardinality(String),
    topic       LowCardinality(String),
    partition   UInt32,
    next_offset UInt64,
    received    UInt64,
    counted     UInt64,
    duplicate   UInt64,
    late        UInt64 DEFAULT 0,
    rejected    UInt64,
    complete_to DateTime64(3, 'UTC'),
    worker      LowCardinality(String)
)
ENGINE = ReplacingMergeTree(next_offset)
ORDER BY log;

INSERT INTO gatepulse_store.log_progress
    (log, cluster, topic, partition, next_offset, received, counted, duplicate, late, rejected, complete_to, worker)
SELECT log, cluster, topic, partition, next_offset, received, counted, duplicate, late, rejected, complete_to, worker
FROM gatepulse_store.progress FINAL;

-- A log is complete up to the moment before its oldest parked batch, however far it is stored otherwise.
CREATE OR REPLACE VIEW gatepulse.progress SQL SECURITY DEFINER AS
SELECT
    p.log AS log,
    p.cluster AS cluster,
    p.topic AS topic,
    p.partition AS partition,
    p.next_offset AS next_offset,
    p.received AS received,
    p.counted AS counted,
    p.duplicate AS duplicate,
    p.rejected AS rejected,
    if(held.batches > 0, least(p.complete_to, held.complete_to), p.complete_to) AS complete_to,
    p.worker AS worker,
    p.late AS late
FROM gatepulse_store.log_progress AS p FINAL
LEFT JOIN
(
    SELECT log, count() AS batches, min(b.complete_to) AS complete_to
    FROM gatepulse_store.parked_batches AS b FINAL
    WHERE resolved = 0
    GROUP BY log
) AS held ON held.log = p.log;
