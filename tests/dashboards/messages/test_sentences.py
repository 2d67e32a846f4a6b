"""Wall, robots and command line use the same sentences about an episode, in both languages."""

from dataclasses import replace
from typing import Literal

import pytest

from dashboards.messages.message_text import MessageText
from dashboards.messages.notice import Notice
from dashboards.messages.sentences import Sentences
from dashboards.wall.model.alarms import strip_of
from infra.cli.alarms import _texts
from streams.kernels.alarms.episodes import Episode
from streams.site.reader import load_site
from streams.text import Text
from tests.support.wall_site import NOON, OPTIONS, SITE, alarm, alarm_log, at, reading

EPISODES = [
    alarm(),
    alarm("N1-L02", rule="silence-lane", unit="s"),
    alarm("hall", rule="area-capacity", kind="person", level="red", value=99.97, unit="%"),
    alarm("GW-7", rule="silence-gateway", zone="", raised_at=at("23:00:00", "2026-11-06")),
    alarm(state="acknowledged", what="acknowledged", actor="张三"),
    alarm(state="cleared-unacknowledged", what="cleared", cleared_at=at("11:47:30")),
    alarm("somewhere", rule="queue", unit="metres", zone="Z-X"),
]


@pytest.mark.parametrize("episode", EPISODES, ids=lambda each: f"{each.rule}-{each.state}")
@pytest.mark.parametrize("language", ["zh", "en"])
def test_wall_message_and_command_line_say_the_same(episode: Episode, language: Literal["zh", "en"]) -> None:
    episode = replace(episode, changed_at=NOON)
    (shown,) = strip_of(reading(episodes=[episode], logs=[alarm_log(NOON)]), SITE, OPTIONS).alarms
    on_wall = [shown.what, shown.where, shown.zone, shown.value, shown.lasting]
    wall = [getattr(each, language) for each in on_wall]
    assert _texts(episode, Sentences(SITE), NOON, language)[:5] == wall
    message = MessageText(SITE).text(Notice(episode), most_bytes=2048)
    assert [each for each in wall if each not in message] == []


def test_every_subject_of_a_site_has_a_title() -> None:
    expo = load_site("expo")
    assert Sentences(expo).where(alarm("expo", rule="area-capacity")) == Text(expo.title.zh, expo.title.en)
