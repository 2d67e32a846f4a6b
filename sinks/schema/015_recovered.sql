-- A broker that is killed soon after records were deleted may have them again: a log that is begun then counts what an
-- operator had given up. records: what is lost still; recovered: what was counted after all (streams/notes.py).
ALTER TABLE gatepulse_store.losses ADD COLUMN IF NOT EXISTS recovered UInt64 DEFAULT 0;

CREATE OR REPLACE VIEW gatepulse.losses SQL SECURITY DEFINER AS
SELECT
    id, topic, partition, log, problem, first, after, records, from_ts, to_ts, accepted_at, actor, reason, cluster,
    kind, site_from, site_to, from_day, to_day, recovered
FROM gatepulse_store.losses FINAL;

-- Of the cluster that anything was last noted of: nobody notes any more what becomes of those of a former cluster.
CREATE OR REPLACE VIEW gatepulse.source_problems SQL SECURITY DEFINER AS
SELECT topic, partition, problem, log, first, after, since, worker, cluster
FROM gatepulse_store.source_problems FINAL
WHERE resolved = 0
    AND cluster = (
        SELECT argMax(cluster, noted_at)
        FROM
        (
            SELECT cluster, noted_at FROM gatepulse_store.source_partitions
            UNION ALL
            SELECT cluster, noted_at FROM gatepulse_store.source_problems
        )
    );
