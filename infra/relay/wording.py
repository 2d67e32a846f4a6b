"""The text of a message, Chinese and English: what, where, how much, since when, and what to do."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from dashboards.messages.alarm_words import KIND_NAMES, LEVEL_NAMES, STATE_NAMES, UNITS, duration, rule_name, titles_of
from infra.relay.advice import LEVEL_SIGNS, todo
from infra.relay.message import RobotMessage
from infra.relay.notice import LEVELS, PLATFORM, Notice
from infra.relay.plain import plain
from streams.site.model import Site
from streams.text import Text

_LONG: Final = 160  # characters of a sentence
_LAST_MS: Final = 253_370_000_000_000  # late in the year 9998: no text fails because of a wrong time
_ENGINEER: Final = Text("平台工程师", "platform engineer")
_CENTRE: Final = Text("指挥中心", "command centre")
_DOUBTFUL: Final = "（此消息可能已发送过 / you may have got this message before）"


@dataclass(frozen=True)
class Wording:
    """Words for the notices of one site."""

    site: Site

    def text(self, letter: RobotMessage, *, most_bytes: int) -> str:
        """Return the message: the head in full, then as many of the folded as find room, and how many there are."""
        lines = self._full(letter.head.notice)
        if letter.doubtful:
            lines.append(_DOUBTFUL)
        if letter.folded:
            lines += self._fold([each.notice for each in letter.folded], most_bytes - len(_joined(lines)))
        return _cut(_joined(lines), most_bytes)

    def line(self, notice: Notice) -> str:
        """Return a notice in one line."""
        sign, what, state = _sign(notice), _named(notice), _state(notice)
        where = "" if notice.rule == PLATFORM else f" {plain(notice.subject, 30)}"
        return f"{sign} {what.zh}{where} {state.zh} / {what.en} {state.en} {self._at(notice.changed_ms)}"

    def addressee(self, notice: Notice) -> Text:
        """Return whom a notice is for: the team of its zone, whoever keeps the platform, or the command centre."""
        if notice.rule == PLATFORM:
            return _ENGINEER
        return next((_plain(zone.team) for zone in self.site.zones if zone.id == notice.zone), _CENTRE)

    def _full(self, notice: Notice) -> list[str]:
        what, state, level = _named(notice), _state(notice), LEVEL_NAMES[notice.level]
        lines = [
            f"{_sign(notice)} {level.zh}告警：{what.zh}（{state.zh}）",
            f"{level.en}: {what.en} ({state.en})",
        ]
        if notice.rule != PLATFORM:
            where, zone = self._where(notice), self._zone(notice)
            lines += [f"地点：{where.zh}{zone.zh and '；' + zone.zh}", f"Where: {where.en}{zone.en and '; ' + zone.en}"]
        lines += _value(notice)
        lines.append(self._since(notice))
        do = self._todo(notice)
        lines += [f"处置：{do.zh}", f"Do: {do.en}"] if do.zh or do.en else []
        return [*lines, f"#{notice.change} {plain(notice.alarm, 90)}"]

    def _fold(self, folded: list[Notice], room: int) -> list[str]:
        count = len(folded)
        by_level = Counter(each.level for each in folded if not each.over)
        levels = " ".join(f"{LEVEL_SIGNS[level]}{by_level[level]}" for level in reversed(LEVELS) if by_level[level])
        lines = [f"—— 另有 {count} 条 / {count} more suppressed {levels}".rstrip()]
        for notice in folded:
            line = self.line(notice)
            if len(_joined([*lines, line, "…"])) + 1 > room:
                return [*lines, "…"]
            lines.append(line)
        return lines

    def _where(self, notice: Notice) -> Text:
        """Return title and id of the site, an area, an entrance or a lane's entrance; the id alone of anything else."""
        title = titles_of(self.site).get(notice.subject)
        kind = KIND_NAMES.get(notice.kind)
        name = plain(notice.subject)
        zh, en = (f"{plain(title.zh)} {name}", f"{plain(title.en)} {name}") if title else (name, name)
        return Text(f"{zh}（{kind.zh}）", f"{en} ({kind.en})") if kind else Text(zh, en)

    def _zone(self, notice: Notice) -> Text:
        team = self._team(notice)
        for zone in self.site.zones:
            if zone.id == notice.zone:
                return Text(f"{plain(zone.title.zh)}，{team.zh}", f"{plain(zone.title.en)}, {team.en}")
        return Text(plain(notice.zone), plain(notice.zone))

    def _team(self, notice: Notice) -> Text:
        for zone in self.site.zones:
            if zone.id == notice.zone:
                return _plain(zone.team)
        return Text("责任区安保组", "The zone's security team")

    def _todo(self, notice: Notice) -> Text:
        if notice.rule == PLATFORM:
            over = notice.over
            return Text("", "") if over else Text(plain(notice.todo_zh, _LONG), plain(notice.todo_en, 2 * _LONG))
        said, team = todo(notice.rule, notice.level, over=notice.over), self._team(notice)
        limit = "…" if notice.limit is None else f"{notice.limit:g}"
        zh, en = said.zh.replace("{team}", team.zh), said.en.replace("{team}", team.en)
        return Text(zh.replace("{limit}", limit), en.replace("{limit}", limit))

    def _since(self, notice: Notice) -> str:
        lasting = duration(notice.changed_ms - notice.raised_ms)
        zh, en = lasting.zh, lasting.en
        since = self._at(notice.raised_ms)
        if notice.over:
            return f"开始 {since}，历时 {zh}｜since {since}, lasted {en}"
        if notice.changed_ms - notice.raised_ms < 1000:
            return f"开始｜since {since}"
        return f"开始 {since}，已持续 {zh}｜since {since}, for {en}"

    def _at(self, ms: int) -> str:
        moment = dt.datetime.fromtimestamp(min(ms, _LAST_MS) / 1000, ZoneInfo(self.site.time_zone))
        return moment.strftime("%m-%d %H:%M:%S")


def _plain(title: Text) -> Text:
    return Text(plain(title.zh), plain(title.en))


def _named(notice: Notice) -> Text:
    if notice.rule == PLATFORM:
        return Text(plain(notice.zh, _LONG), plain(notice.en, 2 * _LONG))
    name = plain(notice.rule)
    return rule_name(notice.rule) or Text(name, name)


def _state(notice: Notice) -> Text:
    if notice.rule == PLATFORM and notice.over:
        return Text("不再报告", "no longer reported")  # fixed, or nobody is left to report it
    name = plain(notice.state)
    return STATE_NAMES.get(notice.state, Text(name, name))


def _sign(notice: Notice) -> str:
    return "✅" if notice.over else LEVEL_SIGNS[notice.level]


def _value(notice: Notice) -> list[str]:
    if notice.value is None:
        return []
    name = plain(notice.unit, 30)
    unit = UNITS.get(notice.unit, Text(name, name))
    value = f"{notice.value:,.6g}"
    if notice.limit is None:
        return [f"数值 {value} {unit.zh}｜value {value} {unit.en}"]
    limit = f"{notice.limit:,.6g}"
    return [f"数值 {value} {unit.zh}，限值 {limit}｜value {value} {unit.en}, limit {limit}"]


def _joined(lines: list[str]) -> bytes:
    return "\n".join(lines).encode()


def _cut(text: bytes, most_bytes: int) -> str:
    """Return the text within the limit; a character is not cut in two."""
    if len(text) <= most_bytes:
        return text.decode()
    return text[: most_bytes - 3].decode(errors="ignore") + "…"
