-- What workers would have stored, out of the raw passages: absolute counts per log, segment and cell. The epochs
-- %(late)s and %(suspect)s are those of passages that came too late, or of a time that is not believed.

-- Numbers without a hole between them differ equally from their places in the order.
INSERT INTO gatepulse_store.devices
    (log, device, epoch, entrance, ranges, last_seq, last_ts, last_seen, version)
SELECT
    log, device, epoch, argMax(island.entrance, range.2), arraySort(groupArray(range)), max(range.2),
    max(island.last_ts), max(island.last_ts), 1
FROM
(
    SELECT log, device, epoch, argMax(entrance, seq) AS entrance, (min(seq), max(seq)) AS range, 
        maxIf(ts, epoch != %(suspect)s) AS last_ts
    FROM
    (
        SELECT *, seq - row_number() OVER (PARTITION BY log, device, epoch ORDER BY seq) AS shift
        FROM gatepulse_store.deliveries FINAL
    )
    GROUP BY log, device, epoch, shift
) AS island
GROUP BY log, device, epoch;

INSERT INTO gatepulse_store.late_day
    (log, segment, day, kind, entrance, direction, outcome, category, passages, version)
SELECT
    log, intDiv(offset, 16384) AS segment, toDate(toDateTime(toUnixTimestamp(ts) + timezoneOffset(toTimeZone(ts, %(zone)s)) - %(starts)s, 'UTC')) AS local_day,
    kind, entrance, direction, outcome, category, count(), max(offset) + 1
FROM gatepulse_store.deliveries FINAL
WHERE epoch = %(late)s
GROUP BY log, segment, local_day, kind, entrance, direction, outcome, category;

-- What follows is counted from the rest.
ALTER TABLE gatepulse_store.deliveries DELETE WHERE epoch IN (%(late)s, %(suspect)s) SETTINGS mutations_sync = 2;

INSERT INTO gatepulse_store.counts_10s
    (log, segment, window_start, kind, entrance, direction, outcome, category, passages, version)
SELECT
    log, intDiv(offset, 16384) AS segment, toStartOfInterval(ts, INTERVAL 10 SECOND) AS start,
    kind, entrance, direction, outcome, category, count(), max(offset) + 1
FROM gatepulse_store.deliveries FINAL
GROUP BY log, segment, start, kind, entrance, direction, outcome, category;

INSERT INTO gatepulse_store.counts_1m
    (log, segment, window_start, kind, entrance, direction, outcome, category, passages, version)
SELECT
    log, intDiv(offset, 16384) AS segment, toStartOfMinute(ts) AS start,
    kind, entrance, direction, outcome, category, count(), max(offset) + 1
FROM gatepulse_store.deliveries FINAL
GROUP BY log, segment, start, kind, entrance, direction, outcome, category;

INSERT INTO gatepulse_store.counts_day
    (log, segment, day, kind, entrance, direction, outcome, category, boundary, passages, anonymous, version)
SELECT
    log, intDiv(offset, 16384) AS segment, toDate(toDateTime(toUnixTimestamp(ts) + timezoneOffset(toTimeZone(ts, %(zone)s)) - %(starts)s, 'UTC')) AS local_day,
    kind, entrance, direction, outcome, category, has(%(boundary)s, entrance) AS boundary,
    count(), countIf(credential = ''), max(offset) + 1
FROM gatepulse_store.deliveries FINAL
GROUP BY log, segment, local_day, kind, entrance, direction, outcome, category, boundary;

INSERT INTO gatepulse_store.refusals_1m
    (log, segment, window_start, kind, entrance, category, reason, refusals, version)
SELECT
    log, intDiv(offset, 16384) AS segment, toStartOfMinute(ts) AS start,
    kind, entrance, category, reason, count(), max(offset) + 1
FROM gatepulse_store.deliveries FINAL
WHERE outcome = 'denied'
GROUP BY log, segment, start, kind, entrance, category, reason;

-- Who goes through an entrance moves in one of its two areas and out of the other.
INSERT INTO gatepulse_store.area_flows_10s
    (log, segment, window_start, area, kind, entered, departed, last_ts, version)
SELECT
    log, intDiv(offset, 16384) AS segment, toStartOfInterval(ts, INTERVAL 10 SECOND) AS start,
    side.1 AS area, kind, countIf(direction = side.2), countIf(direction != side.2), max(ts), max(offset) + 1
FROM gatepulse_store.deliveries FINAL
ARRAY JOIN [
    (transform(toString(entrance), %(entrances)s, %(inner)s), 'in'),
    (transform(toString(entrance), %(entrances)s, %(outer)s), 'out')
] AS side
WHERE outcome = 'passed' AND area != 'outside'
GROUP BY log, segment, start, area, kind;

INSERT INTO gatepulse_store.area_flows_1h
    (log, segment, window_start, area, kind, entered, departed, last_ts, version)
SELECT
    log, segment, toStartOfHour(window_start) AS start, area, kind,
    sum(entered), sum(departed), max(f.last_ts), max(f.version)
FROM gatepulse_store.area_flows_10s AS f FINAL
GROUP BY log, segment, start, area, kind;

INSERT INTO gatepulse_store.entered (day, kind, credential)
SELECT DISTINCT toDate(toDateTime(toUnixTimestamp(ts) + timezoneOffset(toTimeZone(ts, %(zone)s)) - %(starts)s, 'UTC')), kind, credential
FROM gatepulse_store.deliveries FINAL
WHERE outcome = 'passed' AND direction = 'in' AND credential != '' AND has(%(boundary)s, entrance);
