"""Ctrl-C and SIGTERM end a run, whatever its main thread is doing."""

import os
import signal

import pytest

from simulators.sending.run import stopping_on_signals

pytestmark = pytest.mark.timeout(20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_the_event_and_the_usual_handlers_are_back(number: signal.Signals) -> None:
    usual = signal.getsignal(number)
    with stopping_on_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(10)
        assert signal.getsignal(number) is usual


def test_a_signal_within_a_wait_for_the_event_does_not_hang() -> None:
    """A wait holds the lock of its event for a moment: here the signal comes just then."""
    with stopping_on_signals() as stop:
        with stop._cond:  # type: ignore[attr-defined]
            os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(10)


def test_the_handlers_are_restored_when_no_signal_came() -> None:
    usual = signal.getsignal(signal.SIGINT)
    with stopping_on_signals():
        assert signal.getsignal(signal.SIGINT) is not usual
    assert signal.getsignal(signal.SIGINT) is usual
