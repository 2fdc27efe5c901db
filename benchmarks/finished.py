"""The runs that a benchmark has finished, read back from the files they are kept in."""

from __future__ import annotations

import json
from pathlib import Path

from nextlabel.simulate.runs import Curve


def runs_in(path: Path) -> tuple[dict[str, list[Curve]], dict[int, float]]:
    """Curves by strategy, and full-data scores by seed, of a file that `simulate(resume=…)` wrote, if there is one."""
    curves: dict[str, list[Curve]] = {}
    full: dict[int, float] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        entry = json.loads(line)
        if "curve" in entry:
            curves.setdefault(entry["curve"]["strategy"], []).append(Curve(**entry["curve"]))
        elif "full" in entry:
            full[entry["seed"]] = entry["full"]
    return curves, full
