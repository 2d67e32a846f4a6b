"""An open page does not grow over some hundred beats; a planted leak is found."""

from playwright.sync_api import Page

from tests.dashboards.wall.soak import ANOTHER_FACE, FEW, LEAKS, grown


def test_hundreds_of_beats_leave_nothing_behind(new_page: Page) -> None:
    growth = grown(new_page, warm=200, end=400)
    assert growth.loose < FEW
    assert growth.listeners <= 0
    assert growth.documents <= 0
    assert growth.shown < ANOTHER_FACE


def test_what_leaks_with_every_beat_is_found(new_page: Page) -> None:
    growth = grown(new_page, leak="; ".join((LEAKS["loose"], LEAKS["listeners"])), warm=50, end=150)
    most = 50  # of 100: it is not looked in the very moment of a beat
    assert growth.loose > most > FEW
    assert growth.listeners > most
