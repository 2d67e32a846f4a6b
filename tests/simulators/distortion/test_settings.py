"""Distortions are read from a line of text, and mistakes in it are explained."""

import pytest

from simulators.distortion.settings import Distortion, DistortionError, Drift, Offline, Skip, WrongClock


def test_everything_can_be_written_in_a_line() -> None:
    text = "duplicates=5%:24h, disorder=5m,late=0.01:2h,malformed=0.5%,lost=0.1%,skip=N3-L07:37,skip=a:b:2"
    assert Distortion.parse(text) == Distortion(
        duplicates=0.05,
        again_within_ms=86_400_000,
        disorder_ms=300_000,
        late=0.01,
        late_by_ms=7_200_000,
        malformed=0.005,
        lost=0.001,
        skips=(Skip("N3-L07", 37), Skip("a:b", 2)),
    )


def test_what_befalls_single_devices_can_be_written_too() -> None:
    text = "clock=N3-L07:+1d,clock=a:b:-2m:50,clock=c:=1970,drift=N1-L01:1%,drift=N1-L02:-0.5%,offline=N2-L01:3h"
    distortion = Distortion.parse(text)
    assert distortion == Distortion(
        clocks=(WrongClock("N3-L07", 86_400_000), WrongClock("a:b", -120_000, 50), WrongClock("c", None)),
        drifts=(Drift("N1-L01", 0.01), Drift("N1-L02", -0.005)),
        offline=(Offline("N2-L01", 10_800_000),),
    )
    assert distortion.without_devices() == Distortion()


def test_nothing_written_is_nothing_distorted() -> None:
    assert Distortion.parse("") == Distortion()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dupes=5%", "'dupes' is not a distortion; expected duplicates, disorder"),
        ("duplicates", "'duplicates' is not a distortion"),
        ("duplicates=five", "duplicates: 'five' is not a share; expected 5% or 0.05"),
        ("lost=120%", "lost: '120%' is not a share"),
        ("lost=-1%", "lost: '-1%' is not a share"),
        ("disorder=5", "disorder: '5' is not a duration; expected a number and ms, s, m, h or d"),
        ("late=1%:soon", "late: 'soon' is not a duration"),
        ("skip=N3-L07", "skip: 'N3-L07' is not a device and a number"),
        ("skip=N3-L07:0", "skip: 'N3-L07:0' is not a device and a number"),
        ("clock=N3-L07:1d", "clock: 'N3-L07:1d' is not a device, how far off its clock is"),
        ("clock=+1d", "clock: '+1d' is not a device"),
        ("clock=N3-L07:+1d:0", "clock: 'N3-L07:+1d:0' is not a device"),
        ("clock=N3-L07:+soon", "clock: 'soon' is not a duration"),
        ("clock=N3-L07:=1980", "or N3-L07:=1970"),
        ("drift=N3-L07", "drift: 'N3-L07' is not a device and how much faster its clock runs"),
        ("drift=N3-L07:fast", "drift: 'fast' is not a share"),
        ("offline=N3-L07", "offline: 'N3-L07' is not a device and a duration"),
    ],
)
def test_a_mistake_is_explained(text: str, said: str) -> None:
    with pytest.raises(DistortionError) as raised:
        Distortion.parse(text)
    assert said in str(raised.value)
