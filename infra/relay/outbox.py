"""What each robot has been told and is still to be told, in one SQLite file: each change once, over any crash.

A notice is accepted when its transaction is on disk; only then Alertmanager hears "200". A letter is noted before it is
sent and again when the robot has answered. In between lies the one moment that cannot be closed: the robot got it, and
this process died before it could note so. Then the letter is sent again, with the same id and a remark that it may be
known already: hearing of an alarm twice is better than not at all.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import msgspec

from infra.relay.message import RobotMessage, Waiting
from infra.relay.notice import Notice

DAY_MS: Final = 86_400_000
KEPT_MS: Final = 30 * DAY_MS
REVIVED_MS: Final = 3_600_000
"""Refused notices not older than this are tried again when the relay starts: a wrong secret may have been put right."""

_SCHEMA: Final = Path(__file__).with_name("outbox.sql")


class OutboxError(RuntimeError):
    """The outbox cannot be used; the message names the file, and says what to do."""


class Outbox:
    """The outbox in a file; for one process and one thread. Times are ms UTC, given by the caller."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
            # Two relays on one file would tell everything twice.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA.read_text()} COMMIT;")
        except sqlite3.OperationalError as error:
            raise OutboxError(
                f"{path}: {error}. Another relay may run on it: end that one, or give each its own `state`."
            ) from error
        except sqlite3.DatabaseError as error:
            raise OutboxError(f"{path}: {error}. Move the file away: a new one is made.") from error

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def __enter__(self) -> Self:
        """Use it for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the file go."""
        self.close()

    @property
    def db(self) -> sqlite3.Connection:
        """For `platform`, whose table lies in the same file."""
        return self._db

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Write all of a block, or nothing; within another such block, together with that."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def accept(self, notices: Iterable[Notice], robots: Sequence[str], now_ms: int, *, due_ms: int = 0) -> int:
        """Take notices in for these robots, all or none; return how many were new.

        What a robot knows of already is left out, and what is older than the newest that it knows of that alarm is
        noted as superseded: after "escalated to red", "raised, yellow" would mislead.
        """
        ordered = sorted(notices, key=lambda each: (each.changed_ms, each.change))
        with self.at_once():
            return sum(self._insert(robot, notice, now_ms, due_ms) for notice in ordered for robot in robots)

    def _insert(self, robot: str, notice: Notice, now_ms: int, due_ms: int) -> int:
        newest = self._db.execute(
            "SELECT max(change) FROM notices WHERE robot = ? AND alarm = ?", (robot, notice.alarm)
        ).fetchone()[0]
        superseded = newest is not None and newest > notice.change
        done = self._db.execute(
            "INSERT OR IGNORE INTO notices (robot, alarm, change, notice, state, due_ms, accepted_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                robot, notice.alarm, notice.change, msgspec.json.encode(notice),
                "superseded" if superseded else "waiting", due_ms, now_ms,
            ),
        )  # fmt: skip
        return max(0, done.rowcount)

    def waiting(self, robot: str, now_ms: int) -> list[Waiting]:
        """Return what is to be told now and goes with no letter yet, in order of arrival."""
        rows = self._db.execute(
            "SELECT number, notice FROM notices WHERE robot = ? AND state = 'waiting' AND letter IS NULL"
            " AND due_ms <= ? ORDER BY number",
            (robot, now_ms),
        )
        return [Waiting(number, msgspec.json.decode(notice, type=Notice)) for number, notice in rows]

    def next_due_ms(self, robot: str) -> int | None:
        """Return when the next notice of a robot is to be told; None if there is none."""
        due: int | None = self._db.execute(
            "SELECT min(due_ms) FROM notices WHERE robot = ? AND state = 'waiting'", (robot,)
        ).fetchone()[0]
        return due

    def open_letter(self, robot: str) -> RobotMessage | None:
        """Return the letter that was put together and has not come to its end."""
        rows = self._db.execute(
            "SELECT number, notice, letter, doubtful FROM notices WHERE robot = ? AND state = 'waiting'"
            " AND letter IS NOT NULL ORDER BY head DESC, number",
            (robot,),
        ).fetchall()
        if not rows:
            return None
        known = [Waiting(row[0], msgspec.json.decode(row[1], type=Notice)) for row in rows]
        return RobotMessage(rows[0][2], known[0], tuple(known[1:]), doubtful=bool(rows[0][3]))

    def send(self, robot: str, letter: RobotMessage, now_ms: int) -> None:
        """Note that a letter is about to be sent."""
        with self.at_once():
            self._db.executemany(
                "UPDATE notices SET letter = ?, head = ?, doubtful = 1 WHERE number = ?",
                [(letter.id, int(number == letter.head.number), number) for number in letter.numbers],
            )
            self._db.execute("DELETE FROM sendings WHERE robot = ? AND at_ms < ?", (robot, now_ms - 120_000))
            self._db.execute("INSERT INTO sendings VALUES (?, ?)", (robot, now_ms))

    def not_taken(self, letter: RobotMessage) -> None:
        """Note that the robot has certainly not taken the letter: when it is sent again, it is no repetition."""
        self._db.execute("UPDATE notices SET doubtful = 0 WHERE letter = ?", (letter.id,))

    def told(self, letter: RobotMessage, now_ms: int) -> None:
        """Note that the robot has taken the letter."""
        self._db.execute(
            "UPDATE notices SET state = CASE head WHEN 1 THEN 'told' ELSE 'folded' END, done_ms = ?, doubtful = 0"
            " WHERE letter = ?",
            (now_ms, letter.id),
        )

    def refused(self, letter: RobotMessage, now_ms: int) -> None:
        """Note that the robot will never take the letter."""
        self._db.execute(
            "UPDATE notices SET state = 'refused', done_ms = ?, doubtful = 0 WHERE letter = ?", (now_ms, letter.id)
        )

    def sendings(self, robot: str) -> list[int]:
        """Return when messages were sent to a robot in the last minutes."""
        rows = self._db.execute("SELECT at_ms FROM sendings WHERE robot = ? ORDER BY at_ms", (robot,))
        return [at for (at,) in rows]

    def begin(self, now_ms: int) -> None:
        """When the relay starts: try again what was refused a short while ago, and forget what is old."""
        self._db.execute(
            "UPDATE notices SET state = 'waiting', letter = NULL, head = 0, done_ms = NULL"
            " WHERE state = 'refused' AND done_ms > ?",
            (now_ms - REVIVED_MS,),
        )
        self.forget(now_ms)

    def forget(self, now_ms: int) -> None:
        """Drop what came to its end a month ago."""
        self._db.execute("DELETE FROM notices WHERE state != 'waiting' AND accepted_ms < ?", (now_ms - KEPT_MS,))

    def backlog(self, now_ms: int) -> dict[str, tuple[int, float]]:
        """Return by robot how many notices wait, and since how many seconds the oldest should have been told."""
        rows = self._db.execute(
            "SELECT robot, count(*), min(max(accepted_ms, due_ms)) FROM notices"
            " WHERE state = 'waiting' AND due_ms <= ? GROUP BY robot",
            (now_ms,),
        )
        return {robot: (count, max(0.0, (now_ms - oldest) / 1000)) for robot, count, oldest in rows}
