"""``python -m benchmarks.faults [name …] [--json]``: exit code 1 if a label is lost or double, or the queue is wrong.

Names may be beginnings of names: ``child-killed`` are all faults that kill a worker's child.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from benchmarks.faults import killed, meanwhile, state, unwell, webhooks
from benchmarks.faults.fault import Fault
from benchmarks.faults.scene import NotPossible, NotRecovered, Scene, scene
from benchmarks.faults.table import Row, print_rows, write_rows
from benchmarks.figures import load
from nextlabel_connectors.label_studio.testing import LabelStudioServer

FAULTS: tuple[Fault, ...] = (*webhooks.FAULTS, *killed.FAULTS, *state.FAULTS, *unwell.FAULTS, *meanwhile.FAULTS)
_LOGS = Path(".cache") / "faults"


def main() -> int:
    """Make the faults that were named happen (all: none), tell what came of each, and write the whole table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join(one.name for one in FAULTS)}")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--lanes", type=int, default=3, help="how many faults at a time, each with its own nextlabel")
    given = parser.parse_args()
    names = [part for name in given.names for part in name.split(",") if part]
    chosen = [one for one in FAULTS if not names or any(one.name.startswith(name) for name in names)]
    if not chosen:
        parser.error(f"there is no such fault: choose from {', '.join(one.name for one in FAULTS)}")
    before, console = load(), Console(stderr=True, highlight=False)
    rows = _run(chosen, given.lanes, console)
    if given.json:
        json.dump({"machine": before, "faults": [asdict(row) for row in rows]}, sys.stdout, indent=2)
        print()
    else:
        print_rows(rows, Console(width=None if sys.stdout.isatty() else 180))
    if not names:
        write_rows(rows)
    return int(any(row.failure for row in rows))


def _run(chosen: Sequence[Fault], lanes: int, console: Console) -> list[Row]:
    """Those that every project would feel come last, one by one."""
    _LOGS.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Row] = {}
    with LabelStudioServer() as server:
        server.owner.allow_legacy_tokens()
        together, alone = ([one for one in chosen if one.alone is apart] for apart in (False, True))
        with ThreadPoolExecutor(lanes) as pool:
            shares = [pool.submit(_share, server, together[n::lanes], rows, console) for n in range(lanes)]
            for share in shares:
                share.result()
        _share(server, alone, rows, console)
    return [rows[one.name] for one in chosen]


def _share(server: LabelStudioServer, faults: Sequence[Fault], rows: dict[str, Row], console: Console) -> None:
    """One fault after the other, in the same project as long as it is in good order."""
    with ExitStack() as stack:
        it: Scene | None = None
        for fault in faults:
            plain = not fault.settings and fault.disk_mb is None
            try:
                if it is None or not plain:
                    stack.close()
                    it = stack.enter_context(scene(server, fault.settings, fault.disk_mb, _LOGS / f"{fault.name}.log"))
                row = _row(fault, it)
            except NotPossible as reason:
                row = Row(fault.name, fault.done, skipped=str(reason))
            except Exception:
                row = Row(fault.name, fault.done, failure=traceback.format_exc().strip())
            rows[fault.name] = row
            with (_LOGS / "rows.jsonl").open("a", encoding="utf-8") as file:  # what is known should the run be ended
                print(json.dumps(asdict(row)), file=file)
            said = row.skipped or row.failure or f"{row.in_tool} labels, {row.seconds:.1f} s"
            console.print(f"[dim]{time.strftime('%H:%M:%S')} {fault.name}: {said}[/]", soft_wrap=True, markup=True)
            if row.failure or row.skipped or fault.spoils or not plain or it is None or it.is_worn:
                it = None


def _row(fault: Fault, it: Scene) -> Row:
    start, remark = time.monotonic(), ""
    it.freshen()
    try:
        remark = fault.happens(it) or ""
        verdict, seconds = it.recover()
    except NotRecovered as error:
        return Row(fault.name, fault.done, remark, failure=str(error), seconds=time.monotonic() - start)
    wrong = verdict.wrong or ("" if verdict.right else f"{verdict.lost} lost, {verdict.double} double")
    counts = (verdict.in_tool, verdict.trained_on, verdict.lost, verdict.double)
    return Row(fault.name, fault.done, remark, *counts, seconds, wrong)


if __name__ == "__main__":
    sys.exit(main())
