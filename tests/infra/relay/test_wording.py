"""A message says in two languages what, where, how much, since when, and what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.relay.message import RobotMessage, Waiting
from infra.relay.notice import LEVELS, Notice
from infra.relay.wording import Wording
from tests.support.alerts import EXPO, RAISED, notice, titled

WORDS = Wording(EXPO)


def text(*notices: Notice, most_bytes: int = 2048, doubtful: bool = False, words: Wording = WORDS) -> str:
    waiting = [Waiting(n, each) for n, each in enumerate(notices)]
    return words.text(RobotMessage("a", waiting[0], tuple(waiting[1:]), doubtful=doubtful), most_bytes=most_bytes)


def test_an_overload_in_full() -> None:
    said = text(notice(2, level="red", state="escalated", changed_ms=RAISED + 200_000, value=18.25))
    entrance, zone = EXPO.entrance("N3"), EXPO.zone("Z-N")
    assert said.splitlines() == [
        "🔴 红色告警：入口超载（升级）",
        "RED: entrance overload (escalated)",
        f"地点：{entrance.title.zh} N3（人员）；{zone.title.zh}，{zone.team.zh}",
        f"Where: {entrance.title.en} N3 (persons); {zone.title.en}, {zone.team.en}",
        "数值 18.25 人/分钟/通道，限值 11｜value 18.25 persons/min/lane, limit 11",
        "开始 11-12 09:00:00，已持续 3 分 20 秒｜since 11-12 09:00:00, for 3 min 20 s",
        "处置：立即加开全部通道并分流，入口外设缓冲区，增派人员维持秩序。",
        "Do: Open all lanes at once and divert people; hold them in a buffer area outside, and send more officers.",
        f"#2 entrance-overload:N3:{RAISED}",
    ]


def test_a_clear_carries_the_duration() -> None:
    said = text(notice(3, state="cleared", changed_ms=RAISED + 3_720_000))
    assert "✅" in said
    assert "历时 1 小时 2 分｜since 11-12 09:00:00, lasted 1 h 2 min" in said


def test_an_abnormal_health_status_is_led_away_by_the_zones_team() -> None:
    said = text(notice(rule="refusals", level="orange"))
    assert f"由{EXPO.zone('Z-N').team.zh}经专用通道引导离开" in said
    assert f"{EXPO.zone('Z-N').team.en} leads persons" in said
    assert "special passage" in said


@pytest.mark.parametrize("rule", ["entrance-overload", "area-capacity", "silence", "drift", "refusals", "health"])
@pytest.mark.parametrize("level", LEVELS)
def test_every_rule_and_level_says_what_to_do(rule: str, level: str) -> None:
    said = text(notice(rule=rule, level=level))
    assert "处置：" in said
    assert "Do: " in said
    assert "{" not in said


def test_a_title_that_is_a_tag_or_a_link_appears_as_text() -> None:
    evil = titled(EXPO, "N3", "<img onerror=x>[x](http://a.invalid)")
    said = text(notice(), words=Wording(evil))
    assert "＜img onerror=x＞［x］(http：//a.invalid)" in said
    assert not set("<>[]") & set(said)


def test_an_unknown_subject_zone_and_rule_are_shown_by_their_names() -> None:
    said = text(notice(rule="smoke", subject="<b>", zone="Z-?", unit="ppm", limit=None))
    assert "smoke" in said
    assert "＜b＞" in said
    assert "14.2 ppm" in said


def test_a_lane_is_found_at_its_entrance() -> None:
    assert EXPO.entrance("N3").title.zh + " N3-L01" in text(notice(rule="silence-lane", subject="N3-L01"))


def test_what_is_folded_is_counted_and_listed() -> None:
    said = text(notice(1, level="red"), *[notice(n, level="yellow") for n in (2, 3)])
    assert "—— 另有 2 条 / 2 more suppressed 🟡2" in said
    assert said.count("🟡 入口超载 N3") == 2


def test_two_hundred_folded_ones_fit_a_small_message_and_are_still_counted() -> None:
    said = text(*[notice(n, level="yellow") for n in range(1, 202)], most_bytes=2048)
    assert len(said.encode()) <= 2048
    assert "另有 200 条 / 200 more suppressed 🟡200" in said
    assert said.endswith("…")


def test_the_longest_names_still_fit() -> None:
    long = titled(EXPO, "N3", "门" * 500)
    said = text(notice(1, alarm="x" * 500), *[notice(2)] * 9, most_bytes=2048, words=Wording(long))
    assert len(said.encode()) <= 2048
    assert "9 more suppressed" in said


WORD = st.text(max_size=300)
MOMENT = st.integers(0, 999_999_999_999_999)
ANYTHING = st.builds(
    Notice,
    alarm=WORD, change=st.integers(1), rule=WORD | st.sampled_from(["platform", "refusals", "silence-lane"]),
    level=st.sampled_from(LEVELS), state=WORD | st.just("cleared"), raised_ms=MOMENT, changed_ms=MOMENT, subject=WORD,
    kind=WORD, zone=WORD | st.just("Z-N"), value=st.none() | st.floats(), limit=st.none() | st.floats(), unit=WORD,
    zh=WORD, en=WORD, todo_zh=WORD, todo_en=WORD,
)  # fmt: skip


@given(st.lists(ANYTHING, min_size=1, max_size=30), st.booleans())
def test_whatever_an_alarm_says_there_is_a_text_within_the_limit(notices: list[Notice], doubtful: bool) -> None:  # noqa: FBT001 - drawn
    said = text(*notices, most_bytes=2048, doubtful=doubtful)
    assert len(said.encode()) <= 2048
    assert not set("<>[]`*") & set(said)
    assert len(notices) == 1 or f"{len(notices) - 1} more suppressed" in said


def test_what_may_be_known_already_says_so() -> None:
    assert "可能已发送过" in text(notice(), doubtful=True)


def test_the_platforms_own_alarm_that_stays_away_is_not_called_solved() -> None:
    said = text(notice(2, rule="platform", state="cleared", zh="存储不可写", en="the store takes no rows", value=None))
    assert "存储不可写（不再报告）" in said
    assert "the store takes no rows (no longer reported)" in said
