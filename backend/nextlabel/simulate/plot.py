"""Learning curves as a picture; matplotlib (extra ``plot``) is only loaded here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlabel.errors import ConfigurationError
from nextlabel.simulate.runs import Curve

_SUFFIXES = (".png", ".svg", ".pdf")
_COLOURS = ("#0b6e99", "#c8553d", "#588157", "#8e5ea2", "#d4a017", "#3d405b", "#1b998b", "#e36397")
_RANDOM = "#808080"
_LINE_HEIGHT = 0.045  # of the height of the axes, so that no two names overlap


def plot_curves(curves: Mapping[str, Sequence[Curve]], path: Path, *, title: str, metric: str, full: float) -> None:
    """Each strategy's mean curve with a band of one standard error, its name at its end; full data as a dotted line."""
    check_plot(path)
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    ends: list[tuple[str, str, float, float]] = []
    colours = iter(_COLOURS * (1 + len(curves) // len(_COLOURS)))
    for name, runs in curves.items():
        colour = _RANDOM if name == "random" else next(colours)
        labels, mean, error = _mean_curve(runs)
        axes.plot(labels, mean, color=colour, linewidth=1.8)
        axes.fill_between(labels, mean - error, mean + error, color=colour, alpha=0.18, linewidth=0)
        ends.append((name, colour, float(labels[-1]), float(mean[-1])))
    axes.axhline(full, color="#404040", linewidth=1, linestyle=":")
    axes.annotate("every label", (0, full), (4, 4), xycoords=("axes fraction", "data"), textcoords="offset points")
    axes.set(title=title, xlabel="labels", ylabel=metric.replace("_", " "))
    axes.spines[["top", "right"]].set_visible(False)
    _name_lines(axes, ends)
    figure.savefig(path, dpi=150)


def check_plot(path: Path) -> None:
    """Raises `ConfigurationError` where no plot can be written there: no matplotlib, no such folder or suffix."""
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigurationError(f"A plot ends in {', '.join(_SUFFIXES)}; {path} does not.")
    if not path.parent.is_dir():
        raise ConfigurationError(f"There is no folder {path.parent} to write the plot into.")
    try:
        import matplotlib  # noqa: F401, PLC0415
    except ImportError as error:
        raise ConfigurationError("A plot needs matplotlib: pip install 'nextlabel[plot]'.") from error


def _mean_curve(runs: Sequence[Curve]) -> tuple[NDArray[np.integer], NDArray[np.floating], NDArray[np.floating]]:
    """Labels, mean and standard error over the points that all runs have."""
    points = min(len(run.labels) for run in runs)
    scores = np.array([run.scores[:points] for run in runs])
    error = scores.std(axis=0, ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.zeros(points)
    return np.array(runs[0].labels[:points]), scores.mean(axis=0), error


def _name_lines(axes: Any, ends: Sequence[tuple[str, str, float, float]]) -> None:
    """Write each line's name beside its end, lowest first, each at least a line above the one below."""
    low, high = axes.get_ylim()
    place = -np.inf
    for name, colour, x, y in sorted(ends, key=lambda end: end[3]):
        place = max(y, place + _LINE_HEIGHT * (high - low))
        axes.annotate(
            name, (x, place), (6, 0), textcoords="offset points", color=colour, va="center", annotation_clip=False
        )
