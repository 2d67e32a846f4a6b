"""Saves the results of a run as JSON beside the page; next: `tables.py`."""

import datetime as dt
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from tests.benchmarks.growth.cases import Measured
from tests.benchmarks.growth.chain import Passed

DOCUMENTS: Final = Path(__file__).resolve().parents[3] / "docs"
PAGE: Final = DOCUMENTS / "growth.md"
FOLDER: Final = DOCUMENTS / "growth"

T = TypeVar("T")


@dataclass(frozen=True)
class Run(Generic[T]):
    """Results with the day, the machine's cores, and how many seconds it took; `quick` ones show only that it runs."""

    results: list[T]
    seconds: float
    quick: bool
    on: dt.date = field(default_factory=lambda: dt.datetime.now(dt.UTC).date())
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)

    @property
    def said(self) -> str:
        """When, where, and how long."""
        quick = " A quick run: its figures say only that it runs." if self.quick else ""
        return f"{self.on}, {self.cores} cores, {self.seconds:.0f} s.{quick}"


def keep(run: Run[Measured] | Run[Passed], name: str, folder: Path = FOLDER) -> None:
    """Write a run down."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")


def kernels(folder: Path = FOLDER) -> Run[Measured] | None:
    """Return the newest run of the kernels, None before the first."""
    file = folder / "kernels.json"
    return msgspec.json.decode(file.read_bytes(), type=Run[Measured]) if file.exists() else None


def chain(folder: Path = FOLDER) -> Run[Passed] | None:
    """Return the newest run of the chain, None before the first."""
    file = folder / "chain.json"
    return msgspec.json.decode(file.read_bytes(), type=Run[Passed]) if file.exists() else None
