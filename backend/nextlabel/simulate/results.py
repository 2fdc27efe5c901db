"""What a simulation found: curves, and a table of what each strategy is worth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from nextlabel.simulate.figures import Mean, Reach, Savings, area, mean_of, reach, savings
from nextlabel.simulate.plot import plot_curves
from nextlabel.simulate.runs import Curve

BASELINE = "random"
SHARES = (0.9, 0.95, 0.99)
_HEADLINE = 0.95


@dataclass(frozen=True, slots=True)
class Summary:
    """What one strategy is worth, over its seeds. ``savings`` is empty for the baseline and without one."""

    strategy: str
    seeds: int
    end: Mean
    area: Mean
    reach: tuple[Reach, ...]
    savings: tuple[Savings | None, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Results:
    """Every run's curve, the full-data score per seed, and the settings they were made with.

    ``strategies`` is the order in which they were asked for.
    """

    data: str
    metric: str
    strategies: tuple[str, ...]
    curves: tuple[Curve, ...]
    full: dict[int, float]
    settings: Mapping[str, object]

    def of(self, strategy: str) -> tuple[Curve, ...]:
        """The strategy's curves, by seed."""
        return tuple(sorted((c for c in self.curves if c.strategy == strategy), key=lambda c: c.seed))

    def summary(self, strategy: str) -> Summary:
        """Figures of one strategy. Raises KeyError for one that was not run."""
        curves, random = self.of(strategy), self.of(BASELINE)
        if not curves:
            raise KeyError(strategy)
        compare = bool(random) and strategy != BASELINE
        return Summary(
            strategy=strategy,
            seeds=len(curves),
            end=mean_of([curve.scores[-1] for curve in curves]),
            area=mean_of([area(curve) for curve in curves]),
            reach=tuple(reach(curves, self.full, share) for share in SHARES),
            savings=tuple(savings(curves, random, self.full, share) for share in SHARES) if compare else (),
            seconds=sum(curve.seconds for curve in curves) / len(curves),
        )

    def table(self) -> Table:
        """For a terminal or a notebook, best area first."""
        summaries = sorted((self.summary(name) for name in self.strategies), key=lambda s: -s.area.value)
        full = mean_of(list(self.full.values()))
        budget = max(curve.labels[-1] for curve in self.curves)
        seeds = len({curve.seed for curve in self.curves})
        table = Table(
            title=f"{escape(self.data)}: {self.metric}, {seeds} seed{'s' if seeds > 1 else ''}, mean ± standard error",
            caption=f"{self.metric} with every label: {full}",
            title_justify="left",
            caption_justify="left",
        )
        for heading in ("strategy", f"at {budget} labels", "AUBC"):
            table.add_column(heading, no_wrap=True)
        for share in SHARES:
            table.add_column(f"labels to {share:.0%}")
        table.add_column(f"saved at {_HEADLINE:.0%} (95 % interval)")
        for one in summaries:
            table.add_row(escape(one.strategy), str(one.end), str(one.area), *map(str, one.reach), _saved(one))
        return table

    def to_json(self) -> str:
        """Settings, summaries and every curve, as JSON."""
        return json.dumps(
            {
                "data": self.data,
                "metric": self.metric,
                "settings": dict(self.settings),
                "full": {str(seed): score for seed, score in sorted(self.full.items())},
                "summaries": [asdict(self.summary(name)) for name in self.strategies],
                "curves": [asdict(curve) for name in self.strategies for curve in self.of(name)],
            },
            ensure_ascii=False,
            indent=1,
        )

    def plot(self, path: str | Path) -> None:
        """Mean curves with a band of one standard error, as PNG, SVG or PDF by the path's suffix.

        Raises `ConfigurationError` where matplotlib is missing or the suffix is not one of these.
        """
        plot_curves(
            {name: self.of(name) for name in self.strategies},
            Path(path),
            title=self.data,
            metric=self.metric,
            full=mean_of(list(self.full.values())).value,
        )


def _saved(one: Summary) -> str:
    if not one.savings:
        return "–"
    saved = one.savings[SHARES.index(_HEADLINE)]
    return str(saved) if saved is not None else "–"
