-- Two databases: what readers see (views only), and the private tables behind it.

CREATE DATABASE IF NOT EXISTS gatepulse ENGINE = Atomic;

CREATE DATABASE IF NOT EXISTS gatepulse_store ENGINE = Atomic;

-- Which of these files were applied. Applying is repeatable, so a file recorded twice is the same record.
CREATE TABLE IF NOT EXISTS gatepulse_store.schema_migrations
(
    number     UInt32,
    name       String,
    sha256     String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY number;
