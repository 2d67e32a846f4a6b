"""The text of a robot's message, Chinese and English: what, where, how much, since when, and what to do."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Final

from dashboards.messages.advice import LEVEL_SIGNS, todo
from dashboards.messages.alarm_words import LEVEL_NAMES
from dashboards.messages.notice import Notice
from dashboards.messages.sentences import Sentences, clock_time
from streams.text import Text

_SHOWN_AS: Final = str.maketrans({"<": "＜", ">": "＞", "[": "［", "]": "］", "@": "＠", "`": "｀", "*": "＊"})
_UNSEEN: Final = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
_LONG: Final = 160  # characters of a sentence
_NAME: Final = 90  # of what names have part in
_ENGINEER: Final = Text("平台工程师", "platform engineer")
_CENTRE: Final = Text("指挥中心", "command centre")
_TEAM: Final = Text("责任区安保组", "The zone's security team")
_GONE: Final = Text("不再报告", "no longer reported")  # fixed, or nobody is left to report it
_DOUBTFUL: Final = "（此消息可能已发送过 / you may have got this message before）"


def plain(text: str, most: int = 60) -> str:
    """Return one line of at most `most` characters, in which no tag, link, mention or hidden character is left.

    Names from outside become harmless: no robot reads them as markup.
    """
    seen = "".join(" " if unicodedata.category(each) in _UNSEEN else each for each in text[: 4 * most])
    line = " ".join(seen.translate(_SHOWN_AS).replace("://", "：//").split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


class MessageText(Sentences):
    """Writes the messages about the alarms of one site."""

    def text(self, head: Notice, folded: Sequence[Notice] = (), *, most_bytes: int, doubtful: bool = False) -> str:
        """Return the message: the head in full, then as many of the folded as find room, and how many there are.

        `doubtful`: the robot may have it already.
        """
        lines = self._full(head)
        if doubtful:
            lines.append(_DOUBTFUL)
        if folded:
            lines += self._fold(folded, most_bytes - len(_joined(lines)))
        return _cut(_joined(lines), most_bytes)

    def line(self, notice: Notice) -> str:
        """Return a notice in one line."""
        what, happened = self._what(notice), self._happened(notice)
        where = "" if notice.own else f" {plain(notice.episode.subject, 30)}"
        at = clock_time(notice.episode.changed_at, self.site.time_zone)
        return f"{_sign(notice)} {what.zh}{where} {happened.zh} / {what.en} {happened.en} {at}"

    def addressee(self, notice: Notice) -> Text:
        """Return whom a notice is for: the team of its zone, whoever keeps the platform, or the command centre."""
        if notice.own:
            return _ENGINEER
        team = self.team(notice.episode)
        return _plain(team) if team else _CENTRE

    def _full(self, notice: Notice) -> list[str]:
        episode, what, happened = notice.episode, self._what(notice), self._happened(notice)
        level = LEVEL_NAMES.get(episode.level, Text(plain(episode.level), plain(episode.level)))
        since = self.since(episode, episode.changed_at)
        do = self._todo(notice)
        return [
            f"{_sign(notice)} {level.zh}告警：{what.zh}（{happened.zh}）",
            f"{level.en}: {what.en} ({happened.en})",
            *([] if notice.own else self._facts(notice)),
            f"{since.zh}｜{since.en}",
            *([f"处置：{do.zh}", f"Do: {do.en}"] if do.zh or do.en else []),
            f"#{episode.change} {plain(episode.episode, _NAME)}",
        ]

    def _facts(self, notice: Notice) -> list[str]:
        """Return where, whose, and how much."""
        episode = notice.episode
        where, much = _plain(self.where(episode)), _plain(self.how_much(episode))
        zone, team = _plain(self.zone(episode)), self.team(episode)
        whose = Text(f"{zone.zh}，{plain(team.zh)}", f"{zone.en}, {plain(team.en)}") if team else zone
        return [
            f"地点：{where.zh}{whose.zh and '；' + whose.zh}",
            f"Where: {where.en}{whose.en and '; ' + whose.en}",
            f"数值 {much.zh}｜value {much.en}",
        ]

    def _fold(self, folded: Sequence[Notice], room: int) -> list[str]:
        counts = Counter(each.episode.level for each in folded if not each.over)
        levels = " ".join(f"{sign}{counts[level]}" for level, sign in reversed(LEVEL_SIGNS.items()) if counts[level])
        lines = [f"—— 另有 {len(folded)} 条 / {len(folded)} more suppressed {levels}".rstrip()]
        for notice in folded:
            line = self.line(notice)
            if len(_joined([*lines, line, "…"])) + 1 > room:
                return [*lines, "…"]
            lines.append(line)
        return lines

    def _what(self, notice: Notice) -> Text:
        own = notice.own
        return _sentence(own.zh, own.en) if own else _plain(self.what(notice.episode))

    def _happened(self, notice: Notice) -> Text:
        return _GONE if notice.own and notice.over else _plain(self.happened(notice.episode))

    def _todo(self, notice: Notice) -> Text:
        if notice.own:
            return Text("", "") if notice.over else _sentence(notice.own.todo_zh, notice.own.todo_en)
        said = todo(notice.episode.rule, notice.episode.level, over=notice.over)
        team = _plain(self.team(notice.episode) or _TEAM)
        zh, en, limit = said.zh.replace("{team}", team.zh), said.en.replace("{team}", team.en), notice.episode.limit
        return Text(zh.replace("{limit}", f"{limit:g}"), en.replace("{limit}", f"{limit:g}"))


def _plain(text: Text) -> Text:
    return Text(plain(text.zh, _NAME), plain(text.en, _NAME))


def _sentence(zh: str, en: str) -> Text:
    return Text(plain(zh, _LONG), plain(en, 2 * _LONG))


def _sign(notice: Notice) -> str:
    return "✅" if notice.over else LEVEL_SIGNS.get(notice.episode.level, "🔴")


def _joined(lines: list[str]) -> bytes:
    return "\n".join(lines).encode()


def _cut(text: bytes, most_bytes: int) -> str:
    """Return the text within the limit; a character is not cut in two."""
    if len(text) <= most_bytes:
        return text.decode()
    return text[: most_bytes - 3].decode(errors="ignore") + "…"
