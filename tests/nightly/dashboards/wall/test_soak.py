"""The wall page does not grow in half an hour of beats at sixty times the usual pace.

At the real pace: `python -m tests.benchmarks.wall_soak --minutes 30`.
"""

from playwright.sync_api import Page

from tests.dashboards.wall.soak import ANOTHER_FACE, FEW, HEAP, LEAKS, grown


def test_after_half_an_hour_of_beats_the_page_holds_no_more_than_after_ten_minutes(new_page: Page) -> None:
    growth = grown(new_page)
    assert growth.loose < FEW
    assert growth.listeners <= 0
    assert growth.documents <= 0
    assert growth.shown < ANOTHER_FACE
    assert growth.heap < HEAP


def test_whatever_leaks_with_every_beat_is_found(new_page: Page) -> None:
    growth = grown(new_page, leak="; ".join(LEAKS.values()), warm=100, end=700)
    most = 500  # of 600: it is not looked in the very moment of a beat
    assert growth.loose > most > FEW
    assert growth.shown > most - ANOTHER_FACE > ANOTHER_FACE
    assert growth.listeners > most


def test_a_closure_of_200_bytes_with_every_beat_is_found(new_page: Page) -> None:
    assert grown(new_page, leak=LEAKS["heap"]).heap > HEAP
