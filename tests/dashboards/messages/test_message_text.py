"""A robot's message has what, where, value, duration and advice, in two languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.messages.message_text import MessageText, plain
from dashboards.messages.notice import Notice, OwnWords, from_plain, to_plain
from streams.kernels.alarms.episodes import Episode
from streams.kernels.alarms.rules import LEVELS
from tests.support.alerts import EXPO, RAISED, notice, titled

WORDS = MessageText(EXPO)


def text(head: Notice, *folded: Notice, most_bytes: int = 2048, doubtful: bool = False) -> str:
    return WORDS.text(head, folded, most_bytes=most_bytes, doubtful=doubtful)


def test_an_overload_in_full() -> None:
    said = text(notice(2, level="red", what="escalated", changed_at=RAISED + 200_000, value=18.25))
    entrance, zone = EXPO.entrance("N3"), EXPO.zones[0]
    assert said.splitlines() == [
        "🔴 红色告警：入口超载（升级）",
        "RED: entrance overload (escalated)",
        f"地点：{entrance.title.zh}（人员）；{zone.title.zh}，{zone.team.zh}",
        f"Where: {entrance.title.en} (persons); {zone.title.en}, {zone.team.en}",
        "数值 18.2 人/分钟/通道，限值 11｜value 18.2 persons/min/lane, limit 11",
        "09:00 起 3 分｜09:00, 3 min",
        "处置：立即加开全部通道并分流，入口外设缓冲区，增派人员维持秩序。",
        "Do: Open all lanes at once and divert people; hold them in a buffer area outside, and send more officers.",
        f"#2 entrance-overload:N3:{RAISED}",
    ]


def test_a_clear_carries_the_duration() -> None:
    said = text(notice(3, what="cleared", changed_at=RAISED + 3_720_000))
    assert "✅" in said
    assert "09:00 历时 1 小时 2 分｜09:00, lasted 1 h 2 min" in said


def test_an_abnormal_health_status_is_led_away_by_the_zones_team() -> None:
    said = text(notice(rule="refusals", level="orange"))
    assert f"由{EXPO.zones[0].team.zh}经专用通道引导离开" in said
    assert f"{EXPO.zones[0].team.en} leads persons" in said
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
    said = MessageText(evil).text(notice(), most_bytes=2048)
    assert "＜img onerror=x＞［x］(http：//a.invalid)" in said
    assert not set("<>[]") & set(said)


def test_an_unknown_subject_zone_and_rule_are_shown_by_their_names() -> None:
    said = text(notice(rule="smoke", subject="<b>", zone="Z-?", unit="ppm"))
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
    said = MessageText(long).text(notice(1, episode="x" * 500), [notice(2)] * 9, most_bytes=2048)
    assert len(said.encode()) <= 2048
    assert "9 more suppressed" in said


WORD = st.text(max_size=300)
MOMENT = st.integers(0, 999_999_999_999_999)
EPISODES = st.builds(
    Episode,
    episode=WORD, rule=WORD | st.sampled_from(["refusals", "silence-lane"]), subject=WORD, kind=WORD,
    zone=WORD | st.just("Z-N"), level=st.sampled_from(LEVELS) | WORD,
    state=st.sampled_from(["raised", "acknowledged", "cleared"]), what=st.sampled_from(["raised", "cleared"]),
    change=st.integers(1), value=st.floats(), limit=st.floats(), unit=WORD, raised_at=MOMENT, changed_at=MOMENT,
    cleared_at=st.none() | MOMENT, actor=WORD,
)  # fmt: skip
ANYTHING = st.builds(Notice, EPISODES, st.none() | st.builds(OwnWords, WORD, WORD, WORD, WORD))


@given(st.lists(ANYTHING, min_size=1, max_size=30), st.booleans())
def test_whatever_an_alarm_says_there_is_a_text_within_the_limit(notices: list[Notice], doubtful: bool) -> None:  # noqa: FBT001 - drawn
    said = text(*notices, most_bytes=2048, doubtful=doubtful)
    assert len(said.encode()) <= 2048
    assert not set("<>[]`*") & set(said)
    assert len(notices) == 1 or f"{len(notices) - 1} more suppressed" in said


def test_what_may_be_known_already_says_so() -> None:
    assert "可能已发送过" in text(notice(), doubtful=True)


def test_the_platforms_own_alarm_that_stays_away_is_not_called_solved() -> None:
    said = text(notice(2, rule="platform", what="cleared", own=OwnWords("存储不可写", "the store takes no rows")))
    assert "存储不可写（不再报告）" in said
    assert "the store takes no rows (no longer reported)" in said


@pytest.mark.parametrize(
    "written",
    [
        notice(),
        notice(3, what="cleared", changed_at=RAISED + 5000),
        notice(2, what="acknowledged", state="acknowledged", acknowledged_at=RAISED + 1000, actor="张三"),
        notice(rule="platform", own=OwnWords("a", "b", "c", "d"), value=0.0, limit=0.0, unit="", kind="", zone=""),
    ],
)
def test_a_notice_that_was_written_is_read_as_the_same(written: Notice) -> None:
    assert from_plain(to_plain(written)) == written


def test_a_notice_of_the_version_before_is_read() -> None:
    old = {
        "alarm": "silence:N3:1", "change": 2, "rule": "silence", "level": "red", "state": "cleared", "raised_ms": 1,
        "changed_ms": 9, "subject": "N3", "zone": "Z-N", "value": 7.5, "limit": 5.0, "unit": "s",
    }  # fmt: skip
    read = from_plain(old)
    assert (read.over, read.episode.what, read.episode.cleared_at, read.own) == (True, "cleared", 9, None)
    assert to_plain(read).items() >= old.items()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("<img src=x onerror=alert(1)>", "＜img src=x onerror=alert(1)＞"),
        ("[北门](http://example.invalid)", "［北门］(http：//example.invalid)"),
        ('<at user_id="all">', '＜at user_id="all"＞'),
        ("@all", "＠all"),
        ("a\nb\tc\u202ed\u200b", "a b c d"),
        ("**red** `x`", "＊＊red＊＊ ｀x｀"),
        ("北3门 N3", "北3门 N3"),
    ],
)
def test_what_could_be_a_tag_a_link_or_a_mention_becomes_text(given: str, shown: str) -> None:
    assert plain(given) == shown


def test_a_long_name_is_cut() -> None:
    assert plain("门" * 100, 10) == "门" * 9 + "…"
