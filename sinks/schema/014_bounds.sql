-- How many numbers of a device and epoch lie in the lowest of a log's ranges although they have not come through it: a log
-- remembers so many holes, and then closes the lowest (kernels/identity.py). They stay missing.
ALTER TABLE gatepulse_store.devices ADD COLUMN IF NOT EXISTS closed UInt64 DEFAULT 0 AFTER ranges;

ALTER TABLE gatepulse_store.devices_known ADD COLUMN IF NOT EXISTS closed UInt64 DEFAULT 0 CODEC(ZSTD) AFTER ranges;

ALTER TABLE gatepulse_store.note_devices MODIFY QUERY
SELECT log, device, epoch, version, entrance, ranges, closed, last_seq, last_ts, now64(3, 'UTC') AS known_at
FROM gatepulse_store.devices;

CREATE OR REPLACE VIEW gatepulse.devices_known SQL SECURITY DEFINER AS
SELECT log, device, epoch, version, entrance, ranges, last_seq, last_ts, known_at, closed
FROM gatepulse_store.devices_known;

-- The fold walks the union over logs of an epoch's ranges: (highest number so far, numbers missing below it, numbers that
-- came before). repeated: numbers received through more than one log, once for each log beyond the first.
-- missing: besides, what each log has closed. Whether one of these numbers came through another log nobody knows any more,
-- so it can be too many, never too few. Of one device and epoch up to a million millions (kernels/identity.py): a device
-- that numbers its events by a clock lacks as many as there are nanoseconds, and a few of these would add up beyond 64 bits.
CREATE OR REPLACE VIEW gatepulse.completeness SQL SECURITY DEFINER AS
SELECT
    device,
    argMax(in_epoch.entrance, epoch) AS entrance,
    argMax(in_epoch.last_seq, epoch) AS last_seq,
    sum(least(least(in_epoch.walked.2, toUInt64(1000000000000)) + in_epoch.closed, toUInt64(1000000000000))) AS missing,
    max(in_epoch.last_ts) AS last_ts,
    max(in_epoch.last_seen) AS last_seen,
    argMax(in_epoch.logs, epoch) AS logs,
    sum(in_epoch.walked.3) AS repeated
FROM
(
    SELECT
        device,
        epoch,
        argMax(d.entrance, (d.last_seq, d.last_seen)) AS entrance,
        max(d.last_seq) AS last_seq,
        arrayFold(
            (walked, received) -> (
                greatest(walked.1, received.2),
                walked.2 + if(received.1 > walked.1, toUInt64(received.1 - walked.1 - 1), toUInt64(0)),
                walked.3 + if(
                    received.1 <= walked.1, toUInt64(least(received.2, walked.1) - received.1 + 1), toUInt64(0)
                )
            ),
            arraySort(groupArrayArray(d.ranges)),
            (toUInt64(0), toUInt64(0), toUInt64(0))
        ) AS walked,
        sum(least(d.closed, toUInt64(1000000000000))) AS closed,
        max(d.last_ts) AS last_ts,
        max(d.last_seen) AS last_seen,
        count() AS logs
    FROM gatepulse_store.devices AS d FINAL
    GROUP BY device, epoch
) AS in_epoch
GROUP BY device;
