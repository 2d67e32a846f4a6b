-- What the store refused for ever waits in the topic `parked`; here is noted which, so that nobody claims to be complete
-- meanwhile. One row per batch and log whose rows are in it. complete_to: up to that moment the log is complete without
-- the batch. Once its rows are stored, resolved is 1; version is the same number, so that a note that was written again
-- after a crash does not undo it.
CREATE TABLE IF NOT EXISTS gatepulse_store.parked_batches
(
    id          String,
    log         LowCardinality(String),
    table       LowCardinality(String),
    rows        UInt64,
    reason      String,
    at          DateTime64(3, 'UTC'),
    complete_to DateTime64(3, 'UTC'),
    resolved    UInt8,
    version     UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (id, log);

CREATE VIEW IF NOT EXISTS gatepulse.parked SQL SECURITY DEFINER AS
SELECT id, log, table, rows, reason, at
FROM gatepulse_store.parked_batches FINAL
WHERE resolved = 0;

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
FROM gatepulse_store.progress AS p FINAL
LEFT JOIN
(
    SELECT log, count() AS batches, min(b.complete_to) AS complete_to
    FROM gatepulse_store.parked_batches AS b FINAL
    WHERE resolved = 0
    GROUP BY log
) AS held ON held.log = p.log;
