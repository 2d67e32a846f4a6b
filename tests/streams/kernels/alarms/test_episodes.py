"""One alarm has one episode, with one id from raise to clear, and each change is published once."""

from collections.abc import Sequence

from streams.kernels.alarms.episodes import COLUMNS, Alarm, Episode, episode_rows
from streams.kernels.alarms.rules import AlarmLimit, LimitRule

RULE = LimitRule(
    name="fill", unit="%", limits=(AlarmLimit("yellow", 80), AlarmLimit("orange", 90), AlarmLimit("red", 100)),
    dead_band=3, on_delay=10_000, off_delay=20_000, repeat=600_000,
)  # fmt: skip


def alarm() -> Alarm:
    return Alarm(RULE, "hall", kind="person", zone="Z")


class Story:
    """An alarm and its changes; time goes on with every value."""

    def __init__(self) -> None:
        self.alarm, self.second, self.changes = alarm(), 0, list[Episode]()

    def go_on(self, seconds: int, value: float | None) -> list[Episode]:
        """Let the value be the same for some seconds; return what has changed in them."""
        found = [self.alarm.step(1000 * (self.second + each), value) for each in range(seconds)]
        self.second += seconds
        changes = [each for each in found if each is not None]
        self.changes += changes
        return changes

    def command(self, action: str, actor: str = "duty-officer", *, until: int = 0) -> Episode | None:
        """Do something with the episode; `until` in seconds."""
        change = self.alarm.command(action, 1000 * self.second, actor, 1000 * until)
        self.changes += [] if change is None else [change]
        return change


def whats(changes: Sequence[Episode]) -> list[tuple[str, str]]:
    return [(each.what, each.level) for each in changes]


def done(change: Episode | None) -> Episode:
    assert change is not None
    return change


def raised(value: float = 85) -> Story:
    """Begin with an alarm that has just been raised."""
    story = Story()
    assert len(story.go_on(11, value)) == 1
    return story


def test_a_raised_alarm_says_what_where_and_since_when() -> None:
    story = raised()
    assert story.changes == [
        Episode(
            episode="fill:hall/person:10000", rule="fill", subject="hall", kind="person", zone="Z", level="yellow",
            state="raised", what="raised", change=1, value=85, limit=80, unit="%", raised_at=10_000, changed_at=10_000,
        )
    ]  # fmt: skip
    assert story.changes[0].open


def test_a_value_that_jumps_over_two_limits_raises_the_higher_one_at_once() -> None:
    assert whats(raised(95).changes) == [("raised", "orange")]


def test_one_episode_has_one_id_and_its_changes_are_numbered_from_1() -> None:
    story = raised()
    story.go_on(11, 105)
    story.command("ack")
    story.go_on(30, 85)
    story.go_on(30, 10)
    assert whats(story.changes) == [
        ("raised", "yellow"), ("escalated", "red"), ("acknowledged", "red"),
        ("deescalated", "yellow"), ("cleared", "red"),
    ]  # fmt: skip
    assert [each.change for each in story.changes] == [1, 2, 3, 4, 5]
    assert {(each.episode, each.raised_at) for each in story.changes} == {("fill:hall/person:10000", 10_000)}


def test_raised_again_it_is_another_episode() -> None:
    story = raised()
    story.go_on(30, 10)
    story.go_on(11, 85)
    first, cleared, second = story.changes
    assert first.episode == cleared.episode != second.episode
    assert (second.change, second.acknowledged_at, second.cleared_at) == (1, None, None)


def test_an_acknowledgement_names_who_and_when() -> None:
    story = raised()
    change = done(story.command("ack", "duty-officer"))
    assert (change.state, change.actor, change.acknowledged_at) == ("acknowledged", "duty-officer", 11_000)
    assert story.command("ack", "another") is None


def test_what_grows_worse_than_what_was_acknowledged_must_be_acknowledged_again() -> None:
    story = raised()
    story.command("ack")
    change = story.go_on(11, 95)[0]
    assert (change.what, change.level, change.state) == ("escalated", "orange", "raised")
    assert (change.acknowledged_at, change.actor) == (None, "")
    assert done(story.command("ack", "another")).actor == "another"


def test_what_becomes_better_stays_acknowledged() -> None:
    story = raised(95)
    story.command("ack", "duty-officer")
    change = story.go_on(21, 82)[0]
    assert (change.what, change.level, change.limit) == ("deescalated", "yellow", 80)
    assert (change.state, change.actor) == ("acknowledged", "duty-officer")


def test_an_alarm_that_nobody_acknowledges_is_repeated_after_the_re_alarm_time() -> None:
    story = raised()
    assert story.go_on(599, 85) == []  # raised in second 10; now second 609 has passed
    assert whats(story.go_on(1, 86)) == [("repeated", "yellow")]
    assert story.changes[-1].value == 86
    assert whats(story.go_on(1200, 85)) == [("repeated", "yellow")] * 2


def test_an_acknowledged_alarm_is_never_repeated() -> None:
    story = raised()
    story.command("ack")
    assert story.go_on(3600, 85) == []


def test_a_change_of_level_starts_the_re_alarm_time_anew() -> None:
    story = raised()
    story.go_on(500, 85)
    assert whats(story.go_on(11, 95)) == [("escalated", "orange")]
    assert story.go_on(599, 95) == []
    assert whats(story.go_on(1, 95)) == [("repeated", "orange")]


def test_a_shelved_alarm_is_not_repeated_and_comes_back_when_its_time_is_up() -> None:
    story = raised()
    assert done(story.command("shelve", "duty-officer", until=1800)).state == "shelved"
    assert story.go_on(1800 - 11, 85) == []
    back = story.go_on(1, 85)[0]
    assert (back.what, back.state, back.changed_at) == ("unshelved", "raised", 1_800_000)
    assert whats(story.go_on(600, 85)) == [("repeated", "yellow")]


def test_an_acknowledged_alarm_that_was_shelved_comes_back_acknowledged() -> None:
    story = raised()
    story.command("ack")
    story.command("shelve", until=100)
    assert story.go_on(200, 85)[0].state == "acknowledged"


def test_a_shelved_alarm_can_be_acknowledged_and_stays_shelved() -> None:
    story = raised()
    story.command("shelve", until=100)
    change = done(story.command("ack"))
    assert (change.state, change.acknowledged_at) == ("shelved", 11_000)


def test_a_shelved_alarm_can_be_taken_back_before_its_time() -> None:
    story = raised()
    story.command("shelve", until=100)
    assert done(story.command("unshelve")).state == "raised"
    assert story.go_on(200, 85) == []
    assert story.command("unshelve") is None


def test_a_shelved_alarm_that_grows_worse_stays_shelved_and_loses_its_acknowledgement() -> None:
    story = raised()
    story.command("ack")
    story.command("shelve", until=1000)
    change = story.go_on(11, 105)[0]
    assert (change.what, change.state, change.acknowledged_at) == ("escalated", "shelved", None)


def test_growing_worse_in_the_second_in_which_shelving_ends_is_still_to_be_acknowledged() -> None:
    story = raised()
    story.command("ack")
    story.command("shelve", until=31)
    story.go_on(10, 85)  # up to second 20
    story.go_on(20, 105)  # red holds from second 31 on, and shelving ends there
    assert story.changes[-1].level == "red"
    assert story.changes[-1].acknowledged_at is None


def test_shelving_until_a_moment_that_has_passed_does_nothing() -> None:
    assert raised().command("shelve", until=5) is None


def test_a_shelved_alarm_may_clear_and_the_next_one_is_not_shelved() -> None:
    story = raised()
    story.command("shelve", until=3600)
    assert story.go_on(30, 10)[0].state == "cleared-unacknowledged"
    assert story.go_on(11, 85)[0].state == "raised"


def test_cleared_tells_the_highest_value_and_the_worst_level_and_how_long_it_lasted() -> None:
    story = raised()
    story.go_on(20, 93)
    story.go_on(40, 82)
    change = story.go_on(21, 10)[-1]
    assert (change.what, change.level, change.limit, change.value) == ("cleared", "orange", 90, 93)
    assert (change.raised_at, change.cleared_at) == (10_000, 91_000)
    assert not change.open


def test_cleared_names_no_level_that_was_never_told() -> None:
    story = raised()
    story.go_on(1, 101)  # red would need ten seconds
    story.go_on(60, 10)
    assert whats(story.changes) == [("raised", "yellow"), ("cleared", "yellow")]
    assert story.changes[-1].value == 101


def test_what_is_cleared_before_anybody_acknowledged_it_says_so() -> None:
    story = raised()
    assert story.go_on(30, 10)[0].state == "cleared-unacknowledged"
    acknowledged = raised()
    acknowledged.command("ack")
    assert acknowledged.go_on(30, 10)[0].state == "cleared"


def test_a_cleared_episode_can_still_be_acknowledged() -> None:
    story = raised()
    cleared = story.go_on(30, 10)[0]
    late = cleared.acknowledged_late(at=99_000, actor="duty-officer")
    assert (late.state, late.what, late.change) == ("cleared", "acknowledged", cleared.change + 1)
    assert (late.acknowledged_at, late.cleared_at, late.actor) == (99_000, cleared.cleared_at, "duty-officer")


def test_unknown_values_change_nothing_but_an_open_episode_is_still_repeated() -> None:
    story = raised()
    assert whats(story.go_on(600, None)) == [("repeated", "yellow")]
    assert story.changes[-1].value == 85


def test_no_command_does_anything_where_no_episode_is_open() -> None:
    story = Story()
    assert [story.command(each, until=100) for each in ("ack", "shelve", "unshelve")] == [None] * 3


def test_every_change_is_a_row_that_names_its_log() -> None:
    story = raised()
    story.command("ack")
    block = episode_rows("test/alarm.inputs/0", story.changes)
    assert set(block.columns) == {*COLUMNS, "log"}
    assert block.columns["change"] == [1, 2]
    assert block.columns["log"] == ["test/alarm.inputs/0"] * 2
