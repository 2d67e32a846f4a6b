-- What is to be sent to each robot, and what was. Times in ms UTC.
CREATE TABLE IF NOT EXISTS notices (
    number      INTEGER PRIMARY KEY,
    robot       TEXT    NOT NULL,
    alarm       TEXT    NOT NULL,
    change      INTEGER NOT NULL,
    notice      BLOB    NOT NULL,              -- JSON
    state       TEXT    NOT NULL,              -- waiting, told (sent), folded, refused, superseded or withdrawn
    due_ms      INTEGER NOT NULL,              -- not to be sent before
    accepted_ms INTEGER NOT NULL,
    done_ms     INTEGER,
    letter      TEXT,                          -- id of the message it goes with
    head        INTEGER NOT NULL DEFAULT 0,    -- in full there
    doubtful    INTEGER NOT NULL DEFAULT 0,    -- it was sent, and no answer is known
    UNIQUE (robot, alarm, change)
) STRICT;
CREATE INDEX IF NOT EXISTS notices_waiting ON notices (robot, number) WHERE state = 'waiting';
-- When messages were sent, so that a restart gives no robot more than it takes.
CREATE TABLE IF NOT EXISTS sendings (robot TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;
-- The platform's own alerts by fingerprint: whether they are on, and the change accepted last.
CREATE TABLE IF NOT EXISTS platform (
    fingerprint TEXT PRIMARY KEY,
    alarm       TEXT    NOT NULL,
    change      INTEGER NOT NULL,
    firing      INTEGER NOT NULL,
    starts_ms   INTEGER NOT NULL,
    seen_ms     INTEGER NOT NULL
) STRICT;
-- Up to where the topic of alarms is read, and of which topic that is; one row.
CREATE TABLE IF NOT EXISTS position (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    cluster     TEXT    NOT NULL,
    incarnation TEXT    NOT NULL,              -- the topic's id, '' where brokers give none
    next_offset INTEGER NOT NULL
) STRICT;
