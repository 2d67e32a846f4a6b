-- What readers see. Each view takes the newest version of every row (FINAL), then adds up over source logs and their
-- segments. A filter on a grouped column (day, window_start, kind, entrance) reaches the table's index.
-- The views run with the rights of their creator, so that readers need none on the tables. None shows a credential.

CREATE VIEW IF NOT EXISTS gatepulse.passages SQL SECURITY DEFINER AS
SELECT kind, device, epoch, seq, ts, entrance, direction, outcome, category, reason, temperature, health
FROM gatepulse_store.passages FINAL;

CREATE VIEW IF NOT EXISTS gatepulse.entrance_counts_10s SQL SECURITY DEFINER AS
SELECT window_start, kind, entrance, direction, category, sum(c.passages) AS passages
FROM gatepulse_store.counts_10s AS c FINAL
WHERE outcome = 'passed'
GROUP BY window_start, kind, entrance, direction, category
HAVING passages > 0;

CREATE VIEW IF NOT EXISTS gatepulse.entrance_counts_1m SQL SECURITY DEFINER AS
SELECT window_start, kind, entrance, direction, category, sum(c.passages) AS passages
FROM gatepulse_store.counts_1m AS c FINAL
WHERE outcome = 'passed'
GROUP BY window_start, kind, entrance, direction, category
HAVING passages > 0;

CREATE VIEW IF NOT EXISTS gatepulse.entrance_outcomes_1m SQL SECURITY DEFINER AS
SELECT window_start, kind, entrance, direction, outcome, category, sum(c.passages) AS events
FROM gatepulse_store.counts_1m AS c FINAL
GROUP BY window_start, kind, entrance, direction, outcome, category
HAVING events > 0;

CREATE VIEW IF NOT EXISTS gatepulse.entrance_totals SQL SECURITY DEFINER AS
SELECT day, kind, entrance, direction, category, sum(c.passages) AS passages
FROM gatepulse_store.counts_day AS c FINAL
WHERE outcome = 'passed'
GROUP BY day, kind, entrance, direction, category
HAVING passages > 0;

CREATE VIEW IF NOT EXISTS gatepulse.entrance_refusals_1m SQL SECURITY DEFINER AS
SELECT window_start, kind, entrance, category, reason, sum(r.refusals) AS refusals
FROM gatepulse_store.refusals_1m AS r FINAL
GROUP BY window_start, kind, entrance, category, reason
HAVING refusals > 0;

-- Through the entrances that lead outside. unidentified: entries without a credential, which distinct_entered lacks.
CREATE VIEW IF NOT EXISTS gatepulse.site_today SQL SECURITY DEFINER AS
SELECT
    day,
    kind,
    sum(part.entries) AS entries,
    sum(part.exits) AS exits,
    sum(part.distinct_entered) AS distinct_entered,
    sum(part.unidentified) AS unidentified
FROM
(
    SELECT
        day,
        kind,
        sumIf(passages, direction = 'in') AS entries,
        sumIf(passages, direction = 'out') AS exits,
        toUInt64(0) AS distinct_entered,
        sumIf(anonymous, direction = 'in') AS unidentified
    FROM gatepulse_store.counts_day FINAL
    WHERE outcome = 'passed' AND boundary = 1
    GROUP BY day, kind
    UNION ALL
    SELECT day, kind, toUInt64(0), toUInt64(0), count(), toUInt64(0)
    FROM gatepulse_store.entered FINAL
    GROUP BY day, kind
) AS part
GROUP BY day, kind;

-- The fold walks the union over logs of an epoch's ranges: (highest number so far, numbers missing below it).
CREATE VIEW IF NOT EXISTS gatepulse.completeness SQL SECURITY DEFINER AS
SELECT
    device,
    argMax(in_epoch.entrance, epoch) AS entrance,
    argMax(in_epoch.last_seq, epoch) AS last_seq,
    sum(in_epoch.missing) AS missing,
    max(in_epoch.last_ts) AS last_ts,
    max(in_epoch.last_seen) AS last_seen,
    argMax(in_epoch.logs, epoch) AS logs
FROM
(
    SELECT
        device,
        epoch,
        argMax(d.entrance, d.last_seq) AS entrance,
        max(d.last_seq) AS last_seq,
        arrayFold(
            (walked, received) -> (
                greatest(walked.1, received.2),
                walked.2 + if(received.1 > walked.1, toUInt64(received.1 - walked.1 - 1), toUInt64(0))
            ),
            arraySort(groupArrayArray(d.ranges)),
            (toUInt64(0), toUInt64(0))
        ).2 AS missing,
        max(d.last_ts) AS last_ts,
        max(d.last_seen) AS last_seen,
        count() AS logs
    FROM gatepulse_store.devices AS d FINAL
    GROUP BY device, epoch
) AS in_epoch
GROUP BY device;

CREATE VIEW IF NOT EXISTS gatepulse.corrections SQL SECURITY DEFINER AS
SELECT id, area, kind, ts, delta, absolute, actor, reason
FROM gatepulse_store.corrections FINAL;

CREATE VIEW IF NOT EXISTS gatepulse.rejections SQL SECURITY DEFINER AS
SELECT at, topic, partition, offset, line, reason, detail, sha256
FROM gatepulse_store.rejections FINAL;

CREATE VIEW IF NOT EXISTS gatepulse.progress SQL SECURITY DEFINER AS
SELECT
    log, cluster, topic, partition, next_offset, received, counted, duplicate, rejected, complete_to, worker
FROM gatepulse_store.progress FINAL;
