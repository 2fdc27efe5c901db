"""The learning curve: as a small chart of characters, and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from rich.text import Text

Curve = Sequence[tuple[int, float]]
"""Number of labels and accuracy."""

_WIDTH, _HEIGHT = 72, 9
_LOW, _HIGH = 0.2, 1.0  # with nine rows, ten percent each
_OURS, _RANDOM = ("●", "green"), ("·", "yellow")


def chart(ours: Curve, random: Curve, labels: int) -> Text:
    """Both curves in one chart, labels to the right, accuracy upwards."""
    cells: dict[tuple[int, int], tuple[str, str]] = {}
    for column in range(_WIDTH):
        height = _between(random, labels * column / (_WIDTH - 1))
        if height is not None:
            cells[_row(height), column] = _RANDOM
    for n, accuracy in ours:
        cells[_row(accuracy), min(_WIDTH - 1, round(n / labels * (_WIDTH - 1)))] = _OURS
    text = Text()
    for row in range(_HEIGHT):
        high = _HIGH - row * (_HIGH - _LOW) / (_HEIGHT - 1)
        text.append(f"{high:5.0%} ┤" if row % 2 == 0 else "      │", style="dim")
        for column in range(_WIDTH):
            text.append(*cells.get((row, column), (" ", "")))
        text.append("\n")
    text.append(f"      └{'─' * _WIDTH}\n", style="dim")
    text.append(f"       0{f'{labels} labels':>{_WIDTH - 1}}\n", style="dim")
    text.append("       ")
    text.append(*_OURS)
    text.append(" in nextlabel's order   ", style="dim")
    text.append(*_RANDOM)
    text.append(" in random order, mean", style="dim")
    return text


def save_chart(path: Path, ours: Curve, random: Sequence[tuple[int, float, float]]) -> bool:
    """Draw both curves into an SVG file, the random one with two standard errors around it.

    False where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional
    except ImportError:
        return False
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    labels = [n for n, _, _ in random]
    low, high = ([mean + sign * 2 * error for _, mean, error in random] for sign in (-1, 1))
    axes.fill_between(labels, low, high, alpha=0.2, color="tab:orange", linewidth=0)
    axes.plot(labels, [mean for _, mean, _ in random], color="tab:orange", label="random order (mean ± 2 s.e.)")
    axes.plot(
        [n for n, _ in ours], [a for _, a in ours], "o-", markersize=3, color="tab:green", label="nextlabel's order"
    )
    axes.set(xlabel="labels", ylabel="accuracy on 600 held-out mails", title="What each label was worth")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return True


def _row(accuracy: float) -> int:
    share = (min(max(accuracy, _LOW), _HIGH) - _LOW) / (_HIGH - _LOW)
    return round((1 - share) * (_HEIGHT - 1))


def _between(curve: Curve, labels: float) -> float | None:
    """The curve's height there, on the line between its points; None beyond its end."""
    for (left, low), (right, high) in pairwise(curve):
        if left <= labels <= right:
            return low + (high - low) * (labels - left) / (right - left)
    return None
