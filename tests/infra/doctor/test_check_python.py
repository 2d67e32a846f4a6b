"""The check of the Python names what is missing in one sentence, in two languages."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.doctor import check_python

SCRIPT = Path(check_python.__file__)
BOTH = ("venv", "ensurepip")
PLENTY = 10**11


def test_this_python_is_good_enough(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 10)])
def test_an_old_python_is_named_in_two_languages(version: tuple[int, int]) -> None:
    sentences = check_python.missing(version, BOTH, PLENTY)
    assert sentences is not None
    english, chinese = sentences.splitlines()
    found = ".".join(map(str, version))
    assert f"needs Python 3.11 or newer, and this one is {found}" in english
    assert f"需要 Python 3.11 或更高版本，当前是 {found}" in chinese
    assert "make demo PYTHON=python3.11" in english


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_that_makes_no_environments_is_told_the_package(module: str) -> None:
    others = tuple(other for other in BOTH if other != module)
    sentences = check_python.missing((3, 12), others, PLENTY)
    assert sentences is not None
    assert f"no module {module}" in sentences
    assert all("python3.12-venv" in sentence for sentence in sentences.splitlines())


def test_too_little_room_is_told_in_gigabytes() -> None:
    sentences = check_python.missing((3, 12), BOTH, 1_499_000_000)
    assert sentences is not None
    assert "Only 1.5 GB are free" in sentences
    assert "仅剩 1.5 GB" in sentences


def test_enough_of_everything_is_silence() -> None:
    assert check_python.missing((3, 11), BOTH, 2 * 10**9) is None


def test_a_wrong_python_ends_with_code_2_and_both_sentences_even_where_letters_are_ascii() -> None:
    code = f"import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0"},
    )
    said = done.stderr.decode()
    assert done.returncode == 2
    assert "this one is 3.9" in said
    assert "当前是 3.9" in said
    assert "Traceback" not in said


def test_old_pythons_can_read_the_script() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    assert source.startswith("# -*- coding: utf-8 -*-")
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, ast.JoinedStr | ast.AnnAssign | ast.NamedExpr | ast.Match)
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None
            assert not [argument for argument in node.args.args if argument.annotation]
            assert not node.args.kwonlyargs
