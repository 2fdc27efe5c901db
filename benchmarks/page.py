"""The tables in ``docs/benchmarks.md`` and other pages, each between its own markers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def write_table(name: str, heading: Sequence[str], rows: Sequence[str], path: Path = PAGE) -> None:
    """Put the table between the markers of that name; where there are none, at the end of the page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    page = path.read_text(encoding="utf-8")
    if begin not in page:
        page += f"\n{begin}\n{end}\n"
    before, rest = page.split(begin, 1)
    table = "\n".join([f"| {' | '.join(heading)} |", f"|{'---|' * len(heading)}", *rows])
    path.write_text(f"{before}{begin}\n{table}\n{end}{rest.split(end, 1)[1]}", encoding="utf-8")


def read_table(name: str) -> list[list[str]]:
    """The cells of the table as it stands, without its heading; none where there is no such table."""
    _, found, rest = PAGE.read_text(encoding="utf-8").partition(f"<!-- {name}: begin -->")
    rows = rest.split(f"<!-- {name}: end -->", 1)[0].strip().splitlines()[2:] if found else []
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
