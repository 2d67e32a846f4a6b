"""The queue of changes to send to each robot, in one SQLite file; each change is sent once, whatever crashes.

Changes are accepted together with the place in the topic that they were read at, in one transaction: what is read again
is known. A message is noted before it is sent and again when the robot has answered. In between lies the one moment
that cannot be closed: the robot got it, and this process died before it could note so. Then the message is sent again,
with the same id and a remark that it may be known already: an alarm that comes twice is better than none.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from dashboards.messages.notice import Notice, from_plain, to_plain

DAY_MS: Final = 86_400_000
KEPT_MS: Final = 30 * DAY_MS
REVIVED_MS: Final = 3_600_000
"""Refused notices not older than this are tried again when the relay starts: a wrong secret may have been put right."""

_SCHEMA: Final = Path(__file__).with_name("outbox.sql")


@dataclass(frozen=True)
class TopicPosition:
    """Where the topic of alarms is read on: which topic of which cluster, and the offset of the next record."""

    cluster: str
    incarnation: str
    next_offset: int


@dataclass(frozen=True)
class Waiting:
    """A notice in the outbox, by its number there."""

    number: int
    notice: Notice


@dataclass(frozen=True)
class RobotMessage:
    """One message: `head` in full, `folded` in a line each. The id stays the same however often it is sent.

    `doubtful`: the robot may have got it already, but no answer of it is known.
    """

    id: str
    head: Waiting
    folded: tuple[Waiting, ...] = ()
    doubtful: bool = False

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all its notices."""
        return (self.head.number, *(each.number for each in self.folded))


class OutboxError(RuntimeError):
    """The outbox cannot be used; the message names the file, and what to do."""


class Outbox(AbstractContextManager["Outbox"]):
    """The outbox in a file; for one process and one thread. Times are ms UTC, given by the caller.

    `db` is for `platform`, whose table lies in the same file.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
            # Two relays on one file would send everything twice.
            self.db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = FULL")
            self.db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA.read_text()} COMMIT;")
        except sqlite3.OperationalError as error:
            raise OutboxError(
                f"{path}: {error}. Another relay may run on it: end that one, or give each its own `state`."
            ) from error
        except sqlite3.DatabaseError as error:
            raise OutboxError(f"{path}: {error}. Move the file away: a new one is made.") from error

    def __exit__(self, *_: object) -> None:
        """Let the file go."""
        self.db.close()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Write all of a block, or nothing; within another such block, together with that."""
        if self.db.in_transaction:
            yield
            return
        self.db.execute("BEGIN IMMEDIATE")
        with self.db:  # commits, or rolls back
            yield

    def position(self) -> TopicPosition | None:
        """Return where the topic of alarms is read on; None if it has never been read."""
        row = self.db.execute("SELECT cluster, incarnation, next_offset FROM position").fetchone()
        return None if row is None else TopicPosition(*row)

    def move(self, position: TopicPosition) -> None:
        """Note where the topic of alarms is read on; in one block with what was accepted."""
        self.db.execute(
            "INSERT OR REPLACE INTO position VALUES (1, ?, ?, ?)",
            (position.cluster, position.incarnation, position.next_offset),
        )

    def unfinished(self) -> set[str]:
        """Return the alarms that were accepted and whose newest change is not their end."""
        rows = self.db.execute("SELECT alarm, notice, max(change) FROM notices GROUP BY alarm")
        return {alarm for alarm, notice, _ in rows if not _notice(notice).over}

    def accept(self, notice: Notice, robots: Sequence[str], now_ms: int, *, due_ms: int = 0) -> None:
        """Take a notice in for these robots, all or none; what was accepted for a robot before is left out.

        What is older than the newest that was accepted of an alarm is noted as superseded: after "escalated to red",
        "raised, yellow" would mislead.
        """
        episode, written = notice.episode, msgspec.json.encode(to_plain(notice))
        with self.at_once():
            for robot in robots:
                (newest,) = self.db.execute(
                    "SELECT max(change) FROM notices WHERE robot = ? AND alarm = ?", (robot, episode.episode)
                ).fetchone()
                state = "superseded" if newest is not None and newest > episode.change else "waiting"
                self.db.execute(
                    "INSERT OR IGNORE INTO notices (robot, alarm, change, notice, state, due_ms, accepted_ms)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (robot, episode.episode, episode.change, written, state, due_ms, now_ms),
                )

    def waiting(self, robot: str, now_ms: int) -> list[Waiting]:
        """Return what is to be sent now and goes with no message yet, in order of arrival."""
        rows = self.db.execute(
            "SELECT number, notice FROM notices WHERE robot = ? AND state = 'waiting' AND letter IS NULL"
            " AND due_ms <= ? ORDER BY number",
            (robot, now_ms),
        )
        return [Waiting(number, _notice(notice)) for number, notice in rows]

    def next_due_ms(self, robot: str) -> int | None:
        """Return when the next notice of a robot is to be sent; None if there is none."""
        due: int | None = self.db.execute(
            "SELECT min(due_ms) FROM notices WHERE robot = ? AND state = 'waiting'", (robot,)
        ).fetchone()[0]
        return due

    def open_message(self, robot: str) -> RobotMessage | None:
        """Return the message that was put together and has not come to its end."""
        rows = self.db.execute(
            "SELECT number, notice, letter, doubtful FROM notices WHERE robot = ? AND state = 'waiting'"
            " AND letter IS NOT NULL ORDER BY head DESC, number",
            (robot,),
        ).fetchall()
        if not rows:
            return None
        known = [Waiting(row[0], _notice(row[1])) for row in rows]
        return RobotMessage(rows[0][2], known[0], tuple(known[1:]), doubtful=bool(rows[0][3]))

    def sending(self, robot: str, message: RobotMessage, now_ms: int) -> None:
        """Note that a message is about to be sent."""
        with self.at_once():
            self.db.executemany(
                "UPDATE notices SET letter = ?, head = ?, doubtful = 1 WHERE number = ?",
                [(message.id, int(number == message.head.number), number) for number in message.numbers],
            )
            self.db.execute("DELETE FROM sendings WHERE robot = ? AND at_ms < ?", (robot, now_ms - 120_000))
            self.db.execute("INSERT INTO sendings VALUES (?, ?)", (robot, now_ms))

    def not_accepted(self, message: RobotMessage) -> None:
        """Note that the robot has certainly not accepted the message: when it is sent again, it is no repetition."""
        self.db.execute("UPDATE notices SET doubtful = 0 WHERE letter = ?", (message.id,))

    def delivered(self, message: RobotMessage, now_ms: int) -> None:
        """Note that the robot has accepted the message."""
        self.db.execute(
            "UPDATE notices SET state = CASE head WHEN 1 THEN 'told' ELSE 'folded' END, done_ms = ?, doubtful = 0"
            " WHERE letter = ?",
            (now_ms, message.id),
        )

    def refused(self, message: RobotMessage, now_ms: int) -> None:
        """Note that the robot will never accept the message."""
        self.db.execute(
            "UPDATE notices SET state = 'refused', done_ms = ?, doubtful = 0 WHERE letter = ?", (now_ms, message.id)
        )

    def sendings(self, robot: str) -> list[int]:
        """Return when messages were sent to a robot in the last minutes."""
        rows = self.db.execute("SELECT at_ms FROM sendings WHERE robot = ? ORDER BY at_ms", (robot,))
        return [at for (at,) in rows]

    def begin(self, now_ms: int) -> None:
        """When the relay starts: try again what was refused a short while ago, and forget what is old."""
        self.db.execute(
            "UPDATE notices SET state = 'waiting', letter = NULL, head = 0, done_ms = NULL"
            " WHERE state = 'refused' AND done_ms > ?",
            (now_ms - REVIVED_MS,),
        )
        self.forget(now_ms)

    def forget(self, now_ms: int) -> None:
        """Drop what came to its end a month ago."""
        self.db.execute("DELETE FROM notices WHERE state != 'waiting' AND accepted_ms < ?", (now_ms - KEPT_MS,))

    def backlog(self, now_ms: int) -> dict[str, tuple[int, float]]:
        """Return by robot how many notices wait, and since how many seconds the oldest should have been sent."""
        rows = self.db.execute(
            "SELECT robot, count(*), min(max(accepted_ms, due_ms)) FROM notices"
            " WHERE state = 'waiting' AND due_ms <= ? GROUP BY robot",
            (now_ms,),
        )
        return {robot: (count, max(0.0, (now_ms - oldest) / 1000)) for robot, count, oldest in rows}


def _notice(written: bytes) -> Notice:
    return from_plain(msgspec.json.decode(written))
