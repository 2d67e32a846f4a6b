"""What an operator asks for when acknowledging an alarm at the wall, and when it is refused; pure.

An alarm is acknowledged as it was seen: if it has become worse meanwhile, somebody must look again. Read next:
`desk.py`.
"""

from collections import deque
from collections.abc import Sequence
from typing import Annotated

import msgspec

from dashboards.messages.alarm_words import LEVEL_NAMES
from dashboards.wall.model.alarms import CLEARED, worse
from dashboards.wall.model.figures import Snapshot
from dashboards.wall.model.reading import ChangeRow
from streams.text import Text

MOST_BYTES = 4096
"""Of a request's body; the longest one that can be right has some 800."""
LONGEST_ACTOR = 64
PER_MINUTE = 10
"""Acknowledgements a minute, of all displays together: a key that sticks must not flood the alarms' topic."""

_OVER = ("cleared", CLEARED)


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request: the episode, its change as it was seen, and who acknowledges it."""

    episode: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    change: Annotated[int, msgspec.Meta(ge=1)]
    actor: str


class Refused(Exception):
    """An alarm is not acknowledged: `status` for HTTP, `said` to the operator, with what to do next."""

    quotes_events = True  # names of operators, and whatever was sent: for who asked, and for no log

    def __init__(self, status: int, said: Text, *, retry_after_s: int | None = None) -> None:
        """Say it; the page shows both languages."""
        super().__init__(said.en)
        self.status = status
        self.said = said
        self.retry_after_s = retry_after_s


def read_asked(body: bytes) -> Asked:
    """Read a request's body, the actor's name without blanks around it. Raises Refused (400)."""
    try:
        asked = msgspec.json.decode(body, type=Asked)
    except msgspec.DecodeError as error:
        wrong = Text(
            f"请求不符合格式（{error}）；请刷新页面后重试", f"the request does not fit: {error}; reload the page"
        )
        raise Refused(400, wrong) from error
    actor = asked.actor.strip()
    if not (1 <= len(actor) <= LONGEST_ACTOR and actor.isprintable()):
        shown = ascii(asked.actor[: LONGEST_ACTOR + 1])
        raise Refused(
            400,
            Text(
                f"actor（操作员姓名）为 {shown}：应为 1–{LONGEST_ACTOR} 个可见字符；请按 N 重新输入",
                f"actor (the operator's name) is {shown}: expected 1 to {LONGEST_ACTOR} printable characters; "
                "press N and type it again",
            ),
        )
    return msgspec.structs.replace(asked, actor=actor)


def check_fresh(now: Snapshot) -> None:
    """Refuse (503) while the wall itself does not know whether its alarms are those of this moment."""
    if now.store != "ok" or now.stale or now.strip.watch != "ok":
        raise Refused(
            503,
            Text(
                "未确认：报警现状无法核实（数据库中断或报警滞后）；请恢复后重试",
                "the alarms' state cannot be checked (the store is away, or alarms are behind); "
                "acknowledge once it can be",
            ),
        )


def check_seen(asked: Asked, changes: Sequence[ChangeRow]) -> None:
    """Refuse (409) what is not known, what has been acknowledged already, and what became worse after it was seen.

    `changes` are all changes of the episode, the oldest first.
    """
    seen = next((row for row in changes if row.change == asked.change), None)
    if seen is None:
        raise Refused(
            409,
            Text(
                f"未找到报警 {asked.episode} 的第 {asked.change} 次变化；请等待页面刷新后重试",
                f"episode {asked.episode}, change {asked.change}: not known; wait for the page to refresh, try again",
            ),
        )
    newest = changes[-1]
    if newest.state in ("acknowledged", "cleared"):
        raise Refused(
            409,
            Text(
                f"已由 {newest.actor} 确认，无需再确认",
                f"already acknowledged by {newest.actor}: nothing is to be done",
            ),
        )
    worst = next((row for row in changes if _worsened(row, seen)), None)
    if worst is not None:
        level = LEVEL_NAMES.get(worst.level, Text(worst.level, worst.level))
        raise Refused(
            409,
            Text(
                f"确认前已升级为{level.zh}，未确认；请查看后再按 Enter",
                f"not acknowledged: it has become {level.en} meanwhile; look at it, then press Enter again",
            ),
        )


def _worsened(row: ChangeRow, seen: ChangeRow) -> bool:
    """Whether a change came after the one seen and is worse; a cleared one names its worst level, but is over."""
    return row.change > seen.change and row.state not in _OVER and worse(row.level, than=seen.level)


class Rate:
    """Lets so many through in any minute; `at` is in seconds of a clock that never jumps."""

    def __init__(self, per_minute: int = PER_MINUTE) -> None:
        self._taken: deque[float] = deque(maxlen=per_minute)

    def take(self, at: float) -> None:
        """Count one. Raises Refused (429), with the seconds to wait, when there were as many as may be."""
        full = len(self._taken) == self._taken.maxlen
        wait = 60.0 - (at - self._taken[0]) if full else 0.0
        if wait > 0:
            seconds = int(wait) + 1
            raise Refused(
                429,
                Text(
                    f"每分钟最多确认 {self._taken.maxlen} 条；请 {seconds} 秒后重试",
                    f"at most {self._taken.maxlen} a minute can be acknowledged; try again in {seconds} s",
                ),
                retry_after_s=seconds,
            )
        self._taken.append(at)
