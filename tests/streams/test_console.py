"""Terminal output, progress bars and exit codes of the commands."""

import io
import time
from contextlib import closing

import pytest
from rich.console import Console

from streams import console
from streams.console import ExitCode
from streams.progress_bar import ProgressBar


def test_a_reason_stands_on_stderr_as_it_is_and_the_code_says_what_kind_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        console.stop("[red]not markup", ExitCode.WRONG_USAGE)
    said = capsys.readouterr()
    assert (ended.value.code, said.out, said.err) == (2, "", "[red]not markup\n")


@pytest.mark.parametrize(("well", "code"), [(True, 0), (False, 1), ([], 1)])
def test_what_went_well_ends_with_0(well: object, code: int) -> None:
    assert console.result(well) == code


def lines_of(shown: Console) -> list[str]:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue().splitlines()


def test_elsewhere_than_on_a_terminal_there_is_a_line_every_five_seconds_and_one_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown, now = Console(file=io.StringIO(), width=80), iter([100.0, 100.0, 101.0, 104.9, 105.0, 105.0, 106.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    with closing(ProgressBar("simulate", shown)) as bar:
        for number in range(5):
            bar.update(number / 5, f"{number} events")
        assert lines_of(shown) == ["simulate: 0 events", "simulate: 3 events"]
    assert lines_of(shown)[2:] == ["simulate: 4 events"]


def test_what_is_said_makes_an_older_progress_unneeded() -> None:
    shown = Console(file=io.StringIO(), width=80)
    with closing(ProgressBar("loadtest", shown)) as bar:
        bar.update(0.1, "10 %")
        bar.update(0.2, "20 %")
        bar.report("comparing …")
    assert lines_of(shown) == ["loadtest: 10 %", "comparing …"]


def test_on_a_terminal_a_bar_is_drawn_and_taken_away() -> None:
    shown = Console(file=io.StringIO(), force_terminal=True, width=80)
    with closing(ProgressBar("loadtest", shown)) as bar:
        bar.update(0.5, "1,000 events")
        bar.report("a sentence stays")
    text = "\n".join(lines_of(shown))
    assert "1,000 events" in text
    assert "a sentence stays" in text
    assert text.endswith("\x1b[2K")
