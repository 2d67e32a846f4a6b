"""Names from outside are shown as text, whatever they contain."""

import pytest

from dashboards.messages.plain import plain


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
