"""``python -m demo [--annotations N]``: active learning on 2,000 real e-mails in a real Label Studio."""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import suppress

# Before numpy is loaded: its threads would only take the cores from the servers.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import httpx
from rich.console import Console
from rich.text import Text

from demo.chart import save_chart
from demo.display import Display
from demo.report import Report
from demo.run import OUTPUT, servers, simulate, stage, stay
from demo.signals import Ended, end_on_signals
from nextlabel.errors import NextlabelError

_SIMULATED = 60
_MOST = 1500


def main() -> int:
    """Run the demo; returns the exit code."""
    options = _options()
    display = Display(Console(highlight=False))
    end_on_signals()
    try:
        report = _run(display, options)
    except Ended as ended:
        display.say("Everything was taken down.")
        return 128 + ended.number
    except (NextlabelError, httpx.HTTPError, OSError) as error:
        Console(stderr=True).print(Text(f"The demo failed: {error}", style="red"), soft_wrap=True)
        display.say(f"Everything was taken down. Should another try fail too: the servers' logs are kept in {OUTPUT}.")
        return 1
    display.say("Everything was taken down.")
    if options.annotations:
        print(json.dumps(report.as_json()), flush=True)
    return 0


def _run(display: Display, options: argparse.Namespace) -> Report:
    """Simulate and report; without a number of annotations, stay up until a signal ends it."""
    labels = options.annotations or _SIMULATED
    with servers(display, options.port, options.label_studio_port) as running, stage(display, running, labels) as ready:
        report = simulate(display, ready, labels)
        _show(display, report)
        if not options.annotations:
            display.login(ready.login)
            display.say("Both servers stay up: log in and label on, the queue follows. Ctrl-C ends the demo.")
            with suppress(Ended):  # the way in which it is meant to end
                stay(ready)
    return report


def _show(display: Display, report: Report) -> None:
    display.summary(report.rows())
    path = OUTPUT / "learning-curve.svg"
    random = [(point.labels, point.accuracy, point.standard_error) for point in report.random]
    if save_chart(path, report.curve, random):
        display.say(f"The learning curve is drawn in {path}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument(
        "--annotations",
        type=_count,
        metavar="N",
        help=f"stop after N labels and take everything down; without it, {_SIMULATED} are simulated and the "
        "servers stay up for you",
    )
    parser.add_argument("--port", type=int, metavar="P", help="nextlabel's port (a free one)")
    parser.add_argument("--label-studio-port", type=int, metavar="P", help="Label Studio's port (a free one)")
    return parser.parse_args()


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"must be between 1 and {_MOST}")
    return number


if __name__ == "__main__":
    sys.exit(main())
