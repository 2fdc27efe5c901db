"""What came of each fault, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.page import write_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
_HEADING = ("what was done", "labels in the tool", "labels trained on", "lost", "double", "queue right", "recovered in")


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one fault. ``failure`` is what is wrong, ``skipped`` why it could not be tried."""

    name: str
    done: str
    remark: str = ""
    in_tool: int = 0
    trained_on: int = 0
    lost: int = 0
    double: int = 0
    seconds: float = 0.0
    failure: str = ""
    skipped: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        done = f"{self.done} ({self.remark})" if self.remark else self.done
        if self.skipped:
            return (done, *[""] * 5, f"not possible here: {self.skipped}")
        if self.failure:
            numbers = (str(n) for n in (self.in_tool, self.trained_on, self.lost, self.double))
            return (done, *numbers, f"**no**: {self.failure}", f"not in {self.seconds:.0f} s")
        numbers = (str(n) for n in (self.in_tool, self.trained_on, self.lost, self.double))
        return (done, *numbers, "yes", f"{self.seconds:.1f} s")


def print_rows(rows: Sequence[Row], console: Console) -> None:
    table = Table(title="faults", title_justify="left")
    for heading in _HEADING:
        table.add_column(heading, justify="left" if heading in (_HEADING[0], "queue right") else "right")
    for row in rows:
        table.add_row(*row.cells, style="red" if row.failure else "dim" if row.skipped else "")
    console.print(table)


def write_rows(rows: Sequence[Row]) -> None:
    """Into docs/faults.md."""
    write_table("faults", _HEADING, ["| " + " | ".join(row.cells) + " |" for row in rows], PAGE)
