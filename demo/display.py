"""What a person sees: a live view on a terminal, plain lines elsewhere. Mails are never read as markup."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from demo.annotator import Labeling
from demo.chart import chart
from demo.watch import Examined
from demo.yardstick import Yardstick

_MARKS = {"done": ("✓", "green"), "unchanged": ("·", "dim"), "warning": ("!", "yellow"), "problem": ("✗", "red")}
_SHOWN_MAILS = 6
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Login:
    """Where a person finds the project, and with which account."""

    url: str
    email: str
    password: str


@dataclass(slots=True)
class Progress:
    """The state of the simulation that is shown; the lists grow while it runs."""

    goal: int
    labelings: Sequence[Labeling]
    examined: Sequence[Examined]
    random: Yardstick
    started: float


class Display:
    """Writes to the terminal or the log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._progress: Progress | None = None

    @property
    def is_live(self) -> bool:
        return self._console.is_terminal

    @contextmanager
    def step(self, doing: str, done: str) -> Iterator[None]:
        """Something that takes a while: what is being done, then what was done and in how many seconds."""
        started = time.monotonic()
        with self._console.status(Text(f"{doing} …")):
            yield
        self.line("done", f"{done} ({time.monotonic() - started:.1f} s)")

    def line(self, level: str, message: str) -> None:
        mark, style = _MARKS[level]
        self._console.print(Text.assemble((mark, style), " ", message), soft_wrap=not self.is_live)

    def say(self, message: str = "") -> None:
        self._console.print(Text(message), soft_wrap=not self.is_live)

    def login(self, login: Login) -> None:
        """Where a person can look."""
        table = Table.grid(padding=(0, 2))
        for name, value in (("Label Studio", login.url), ("e-mail", login.email), ("password", login.password)):
            table.add_row(Text(name, style="dim"), Text(value, style="bold"))
        if self.is_live:
            self._console.print(Panel(table, title="Look for yourself", title_align="left", width=_WIDTH))
        else:
            self.say(f"Label Studio: {login.url}  e-mail: {login.email}  password: {login.password}")

    @contextmanager
    def labeling(self, progress: Progress) -> Iterator[None]:
        """While the simulation runs."""
        self._progress = progress
        if not self.is_live:
            yield
            return
        with Live(get_renderable=self._view, console=self._console, refresh_per_second=4) as self._live:
            yield
        self._live = None

    def examined(self, one: Examined) -> None:
        """A new version was measured. May be called from any thread."""
        if self._live is not None:
            return  # the live view shows it
        words = f"version {one.version}: {one.labels} labels learned, held-out accuracy {one.accuracy:.3f}"
        if self._progress is not None:
            at_random = self._progress.random.at(one.labels)
            words += "" if at_random is None else f" (in random order {at_random:.3f})"
        self._console.print(Text(f"{time.strftime('%H:%M:%S')}  {words}"), soft_wrap=not self.is_live)

    def summary(self, rows: Sequence[tuple[str, str]]) -> None:
        table = Table(show_header=False, title="What the labels were worth", title_justify="left")
        for name, value in rows:
            table.add_row(Text(name), Text(value, style="bold"))
        self._console.print(table)

    def _view(self) -> RenderableType:
        shown = self._progress
        if shown is None:
            return Text()
        return Panel(
            Group(_bar(shown), Text(), _facts(shown), Text(), _plot(shown), Text(), _mails(shown)),
            title="A simulated annotator labels in the order that Label Studio serves",
            title_align="left",
            width=_WIDTH,
        )


def _bar(shown: Progress) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    n = len(shown.labelings)
    elapsed = int(time.monotonic() - shown.started)
    waiting = " · learning the last …" if n == shown.goal else ""
    done = Text.assemble(f"{n} of {shown.goal} labels", (f" · {elapsed} s{waiting}", "dim"))
    grid.add_row(ProgressBar(total=shown.goal, completed=n, width=40), done)
    return grid


def _facts(shown: Progress) -> RenderableType:
    if not shown.examined:
        return Text("The first order is being measured …", style="dim")
    last = shown.examined[-1]
    at_random = shown.random.at(last.labels)
    beside = "being worked out" if at_random is None else f"{at_random:.1%}"
    return Text.assemble(
        ("version ", "dim"),
        (last.version, "bold"),
        (" · learned ", "dim"),
        (f"{last.labels} labels", "bold"),
        (" · right on held-out mails ", "dim"),
        (f"{last.accuracy:.1%}", "bold green"),
        (" · in random order ", "dim"),
        (beside, "bold yellow"),
    )


def _plot(shown: Progress) -> RenderableType:
    ours = [(one.labels, one.accuracy) for one in list(shown.examined)]
    random = [(point.labels, point.accuracy) for point in list(shown.random.points)]
    return chart(ours, random, shown.goal)


def _mails(shown: Progress) -> RenderableType:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column("subject", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("label", width=4)
    table.add_column("guess", width=18)
    for one in list(shown.labelings)[-_SHOWN_MAILS:]:
        right = one.guess == one.mail.label
        table.add_row(
            Text(one.mail.subject),
            Text(one.mail.label, style="bold"),
            Text(f"model: {printed(one)}", style="dim" if one.guess is None else "green" if right else "red"),
        )
    return table


def printed(one: Labeling) -> str:
    """The pre-annotation in words."""
    if one.guess is None:
        return "no idea yet"
    return one.guess if one.confidence is None else f"{one.guess} {one.confidence:.0%}"
