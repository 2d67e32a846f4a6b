"""What cannot be read stops nothing; of a topic that is read as a whole, each episode's newest change counts."""

import msgspec
import pytest

from dashboards.messages.notice import Notice, from_plain, to_plain
from infra.relay.changes import MOST_OPEN, ChangeError, NewestChanges, read_change
from tests.support.alerts import notice

LINE = msgspec.json.encode(notice(1, episode="EPISODE").episode)


def announced(*changes: Notice, unfinished: frozenset[str] = frozenset()) -> list[tuple[str, int]]:
    newest = NewestChanges(unfinished)
    for each in changes:
        newest.note(each)
    return [(each.episode.episode, each.episode.change) for each in newest.announced()]


def test_a_change_is_read_as_it_was_written() -> None:
    assert read_change(msgspec.json.encode(notice(3, what="cleared").episode)) == notice(3, what="cleared")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="no episode"),
        pytest.param(LINE.replace(b"EPISODE", b"\xff"), id="no UTF-8"),
        pytest.param(LINE[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="nested too deep"),
        pytest.param(LINE.replace(b'"change":1', b'"change":%d' % 10**30), id="number of no change"),
        pytest.param(LINE.replace(b'"change":1', b'"change":0'), id="change before the first"),
        pytest.param(LINE.replace(b'"changed_at":', b'"changed_at":-9'), id="time before 1970"),
        pytest.param(LINE.replace(b'"rule":"entrance-overload"', b'"rule":""'), id="no rule"),
    ],
)
def test_what_is_no_change_of_an_episode_is_refused_in_one_way(value: bytes) -> None:
    with pytest.raises(ChangeError):
        read_change(value)


def test_what_is_read_can_be_stored_and_taken_up_again() -> None:
    odd = LINE.replace(b'"level":"orange"', b'"level":"purple"').replace(b"EPISODE", b"\\u0000<@all>")
    assert from_plain(to_plain(read_change(odd))) == read_change(odd)


def test_changes_that_are_published_again_after_the_end_open_nothing() -> None:
    again = [notice(1), notice(2), notice(3, what="cleared"), notice(1), notice(2)]
    assert announced(*again) == []
    assert announced(*again, unfinished=frozenset([notice().episode.episode])) == [(notice().episode.episode, 3)]
    assert announced(notice(1), notice(2), notice(1)) == [(notice().episode.episode, 2)]


def test_ends_that_robots_wait_for_are_sent_however_many_episodes_are_open() -> None:
    open_ones = [notice(1, episode=f"open-{number}", level="red") for number in range(MOST_OPEN + 5)]
    found = announced(notice(2, episode="ends", what="cleared"), *open_ones, unfinished=frozenset(["ends"]))
    assert ("ends", 2) in found
    assert len(found) == MOST_OPEN + 1
