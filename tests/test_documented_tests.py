"""docs/tests.md names all tests that only run nightly, and the quick tests that cover the same."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.faults.catalogue import catalogue
from tests.faults.rounds import ROUNDS

ROOT = Path(__file__).parents[1]
NIGHTLY = ROOT / "tests" / "nightly"
PAGE = (ROOT / "docs" / "tests.md").read_text(encoding="utf-8")


def rows(first: str) -> Iterator[tuple[str, str]]:
    """Yield the first and the last cell of each row whose first cell is like that."""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 1 and re.fullmatch(first, cells[0]):
            yield cells[0].strip("`"), cells[-1]


TESTS = dict(rows(r"`[\w/]+\.py`"))
FAULTS = dict(rows(r"[TO]\d+\w*"))


def test_every_file_of_the_night_is_named() -> None:
    assert sorted(TESTS) == sorted(str(each.relative_to(NIGHTLY)) for each in NIGHTLY.rglob("test_*.py"))


def test_every_fault_is_named() -> None:
    assert sorted(FAULTS) == sorted(catalogue())


def test_faults_are_said_to_be_in_a_round_that_are_in_one() -> None:
    said = {name for name, covered in FAULTS.items() if covered == "round"}
    assert said == {name for names in ROUNDS.values() for name in names}


def test_what_covers_them_is_there_and_in_every_run() -> None:
    assert [f"{name}: {each}" for name, cell in [*TESTS.items(), *FAULTS.items()] for each in missing(cell)] == []


def missing(cell: str) -> list[str]:
    """Return what a cell names that is no test of every run; a cell that names nothing is missing itself."""
    named = re.findall(r"`(tests/[^`]+)`", cell)
    if not named and cell != "round":
        return [cell or "nothing"]
    return [each for each in named if not is_there(*each.partition("::")[::2])]


def is_there(file: str, test: str) -> bool:
    """Tell whether a file has a test, or any if none is named, and is no file of the night."""
    path = ROOT / file
    return path.is_file() and NIGHTLY not in path.parents and f"def {test or 'test_'}" in path.read_text()


def test_a_test_that_is_not_there_or_only_in_a_night_is_noticed() -> None:
    assert missing("`tests/faults/test_rounds.py::test_nothing`") == ["tests/faults/test_rounds.py::test_nothing"]
    assert missing("`tests/nightly/faults/test_canaries.py`") == ["tests/nightly/faults/test_canaries.py"]
    assert missing("some day") == ["some day"]
    assert missing("`tests/faults/test_rounds.py`") == []
