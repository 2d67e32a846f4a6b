"""Installed versions are compared rightly with the required ones."""

import pytest

from infra.doctor.versions import fits, misfits, numbers


def test_the_installed_packages_are_those_that_the_project_pins() -> None:
    assert misfits("gatepulse") == []


@pytest.mark.parametrize(
    ("version", "bounds", "expected"),
    [
        ("0.15.3", "==0.15.3", True),
        ("0.15.4", "==0.15.3", False),
        ("2.4.6", "<2.5,>=2.3", True),
        ("2.5.0", "<2.5,>=2.3", False),
        ("2.10", ">=2.9", True),
        ("15", ">=15.0,<16", True),
        ("1.4.7", "~=1.4", True),
        ("2.0", "~=1.4", False),
        ("3.0", "!=3.0", False),
        ("3.0", "", True),
    ],
)
def test_bounds_are_compared_by_number(version: str, bounds: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    assert fits(version, bounds) is expected


def test_a_wrong_version_is_named_with_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [
        "faust-streaming==0.1.0",
        "clickhouse-driver[lz4]>=99",
        "no-such-package>=1",
        'ruff==0.1; extra == "test"',
    ]
    monkeypatch.setattr("infra.doctor.versions.metadata.requires", lambda _: wanted)
    faust, driver, nothing = misfits("gatepulse")
    assert faust.startswith("faust-streaming ")
    assert faust.endswith("is installed, ==0.1.0 is wanted")
    assert "clickhouse-driver" in driver
    assert nothing == "no-such-package >=1 is not installed"


def test_release_numbers_have_no_trailing_zeros() -> None:
    assert [numbers(text) for text in ("2.10.0rc1", "2026.6", "none")] == [(2, 10), (2026, 6), ()]
