"""``python -m benchmarks.house [--json]``: the facts of the house, for whoever wants to keep it in order.

For each room of the service and of the connectors: files, lines, names in its folder, how long its functions are, which
rooms it imports. Lines and names count without the tests. A circle is rooms that import one another.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import median, quantiles

import grimp
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {
    "nextlabel": ROOT / "backend" / "nextlabel",
    "nextlabel_connectors": ROOT / "connectors" / "nextlabel_connectors",
}


@dataclass(frozen=True, slots=True)
class Room:
    """A module or package on the top floor of a source root; ``longest`` names its longest function."""

    name: str
    files: int
    lines: int
    names: int
    functions: int
    median: float
    longest: int
    longest_name: str
    imports: tuple[str, ...]


def rooms() -> Iterator[Room]:
    graph = grimp.build_graph(*SOURCES, cache_dir=None)
    for package, folder in SOURCES.items():
        inside = [one for one in sorted(folder.iterdir()) if one.suffix == ".py" or (one / "__init__.py").is_file()]
        for place in inside:
            if place.name != "__init__.py":
                yield _room(graph, package, place)


def _room(graph: grimp.ImportGraph, package: str, place: Path) -> Room:
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    module = f"{package}.{place.stem}"
    lengths = {name: length for file in files for name, length in _functions(file).items()}
    longest = max(lengths, key=lengths.__getitem__, default="")
    return Room(
        module,
        len(files),
        sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files),
        1 if place.is_file() else _names(place),
        len(lengths),
        median(lengths.values()) if lengths else 0,
        lengths.get(longest, 0),
        longest,
        _imported(graph, package, module),
    )


def _names(folder: Path) -> int:
    return sum(not one.name.startswith("__") for one in folder.iterdir())


@cache
def _functions(file: Path) -> dict[str, int]:
    """Names and lengths; a docstring is not counted, for a good one is no fault of a function."""
    lengths = {}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            words = ast.get_docstring(node, clean=False)
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            documented = words.count("\n") + 1 if words is not None else 0
            lengths[f"{file.stem}.{node.name}:{node.lineno}"] = lines - documented
    return lengths


def _imported(graph: grimp.ImportGraph, package: str, module: str) -> tuple[str, ...]:
    within = {module} | graph.find_descendants(module)
    targets = {target for one in within for target in graph.find_modules_directly_imported_by(one)}
    tops = {".".join(target.split(".")[:2]) for target in targets if target.split(".")[0] in SOURCES}
    return tuple(sorted(tops - {module, package}))


def circles(found: list[Room]) -> list[tuple[str, str]]:
    """Pairs of rooms that reach each other, directly or by way of others."""
    reach = {room.name: set(room.imports) for room in found}
    for _ in found:  # no way is longer than there are rooms
        reach = {name: ones.union(*(reach.get(one, set()) for one in ones)) for name, ones in reach.items()}
    return [(a, b) for a in reach for b in reach if a < b and b in reach[a] and a in reach[b]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.house", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    found = list(rooms())
    lengths = [
        length for folder in SOURCES.values() for file in folder.rglob("*.py") for length in _functions(file).values()
    ]
    facts = {
        "names on the top floor of the service": _names(SOURCES["nextlabel"]),
        "files": sum(room.files for room in found),
        "lines": sum(room.lines for room in found),
        "functions": len(lengths),
        "their lines: median": median(lengths),
        "90 % have at most": quantiles(lengths, n=10)[-1],
        "the longest": max(lengths),
        "circles": [" ↔ ".join(pair) for pair in circles(found)],
    }
    if parser.parse_args().json:
        print(json.dumps({"facts": facts, "rooms": [asdict(room) for room in found]}, indent=2))
        return
    table = Table(title="Rooms", title_justify="left")
    for heading in ("room", "files", "lines", "names", "functions", "median", "longest", "imports"):
        table.add_column(heading, justify="left" if heading in ("room", "imports") else "right", overflow="fold")
    for room in found:
        figures = (room.files, room.lines, room.names, room.functions, f"{room.median:g}", room.longest)
        imports = ", ".join(one.rpartition(".")[2] for one in room.imports)
        table.add_row(room.name, *map(str, figures), imports)
    console = Console(width=None if Console().is_terminal else 160)
    console.print(table)
    for name, fact in facts.items():
        console.print(f"{name}: {fact or 'none' if isinstance(fact, list) else fact}", highlight=False)


if __name__ == "__main__":
    main()
