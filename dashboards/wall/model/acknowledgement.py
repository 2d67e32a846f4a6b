"""The rules for acknowledging an alarm at the wall: how a request is read, and when it is refused; pure.

An operator acknowledges the change of an alarm that the display showed. The request is refused if the alarm has become
worse since. Read next: `http/acknowledge.py`.
"""

from collections import deque
from collections.abc import Sequence
from typing import Annotated

import msgspec

from dashboards.messages.alarm_words import LEVEL_NAMES
from dashboards.wall.model.alarms import CLEARED, worse
from dashboards.wall.model.figures import WallSnapshot
from dashboards.wall.model.refusal import RequestRefused
from dashboards.wall.model.rows import ChangeRow
from streams.text import Text

MOST_BYTES = 4096
"""Of a request's body; the longest valid one has some 800."""
LONGEST_ACTOR = 64
PER_MINUTE = 10
"""Acknowledgements a minute, of all displays together: a key that sticks must not flood the alarms' topic."""

_OVER = ("cleared", CLEARED)


class AcknowledgeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request: the episode, its change as the display showed it, and who acknowledges it."""

    episode: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    change: Annotated[int, msgspec.Meta(ge=1)]
    actor: str


def parse_request(body: bytes) -> AcknowledgeRequest:
    """Read a request's body, the actor's name without blanks around it. Raises RequestRefused (400)."""
    try:
        request = msgspec.json.decode(body, type=AcknowledgeRequest)
    except msgspec.DecodeError as error:
        raise RequestRefused(
            400,
            Text(f"请求不符合格式（{error}）；请刷新页面后重试", f"the request does not fit: {error}; reload the page"),
        ) from error
    actor = request.actor.strip()
    if not (1 <= len(actor) <= LONGEST_ACTOR and actor.isprintable()):
        shown = ascii(request.actor[: LONGEST_ACTOR + 1])
        raise RequestRefused(
            400,
            Text(
                f"actor（操作员姓名）为 {shown}：应为 1–{LONGEST_ACTOR} 个可见字符；请按 N 重新输入",
                f"actor (the operator's name) is {shown}: expected 1 to {LONGEST_ACTOR} printable characters; "
                "press N and type it again",
            ),
        )
    return msgspec.structs.replace(request, actor=actor)


def check_fresh(now: WallSnapshot) -> None:
    """Refuse (503) while the wall itself does not know whether its alarms are those of this moment."""
    if now.store != "ok" or now.stale or now.strip.watch != "ok":
        raise RequestRefused(
            503,
            Text(
                "未确认：报警现状无法核实（数据库中断或报警滞后）；请恢复后重试",
                "the alarms' state cannot be checked (the store is away, or alarms are behind); "
                "acknowledge once it can be",
            ),
        )


def check_change(request: AcknowledgeRequest, changes: Sequence[ChangeRow]) -> None:
    """Refuse (409) a change that is unknown or acknowledged already, and one after which the alarm became worse.

    `changes` are all changes of the episode, the oldest first.
    """
    shown = next((row for row in changes if row.change == request.change), None)
    if shown is None:
        raise RequestRefused(
            409,
            Text(
                f"未找到报警 {request.episode} 的第 {request.change} 次变化；请等待页面刷新后重试",
                f"episode {request.episode}, change {request.change}: not known; "
                "wait for the page to refresh, try again",
            ),
        )
    newest = changes[-1]
    if newest.state in ("acknowledged", "cleared"):
        raise RequestRefused(
            409,
            Text(
                f"已由 {newest.actor} 确认，无需再确认",
                f"already acknowledged by {newest.actor}: nothing is to be done",
            ),
        )
    worst = next((row for row in changes if _worsened(row, shown)), None)
    if worst is not None:
        level = LEVEL_NAMES.get(worst.level, Text(worst.level, worst.level))
        raise RequestRefused(
            409,
            Text(
                f"确认前已升级为{level.zh}，未确认；请查看后再按 Enter",
                f"not acknowledged: it has become {level.en} meanwhile; look at it, then press Enter again",
            ),
        )


def _worsened(row: ChangeRow, shown: ChangeRow) -> bool:
    """Whether a change came after the one shown and is worse; a cleared one names its worst level, but is over."""
    return row.change > shown.change and row.state not in _OVER and worse(row.level, than=shown.level)


class RateLimit:
    """Admits at most `per_minute` requests in any minute; `at` is in seconds of a clock that never jumps."""

    def __init__(self, per_minute: int = PER_MINUTE) -> None:
        self._admitted: deque[float] = deque(maxlen=per_minute)

    def admit(self, at: float) -> None:
        """Count one request. Raises RequestRefused (429), with the seconds to wait, when the limit is reached."""
        full = len(self._admitted) == self._admitted.maxlen
        wait = 60.0 - (at - self._admitted[0]) if full else 0.0
        if wait > 0:
            seconds = int(wait) + 1
            raise RequestRefused(
                429,
                Text(
                    f"每分钟最多确认 {self._admitted.maxlen} 条；请 {seconds} 秒后重试",
                    f"at most {self._admitted.maxlen} a minute can be acknowledged; try again in {seconds} s",
                ),
                retry_after_s=seconds,
            )
        self._admitted.append(at)
