"""`simulate`: many runs in parallel, each strategy under each seed, kept as they finish."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, parallel_config
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from sklearn.base import BaseEstimator

from nextlabel.errors import ConfigurationError
from nextlabel.features.embedding import signature
from nextlabel.features.image_embedding import image_signature
from nextlabel.features.model_folders import Embeddings
from nextlabel.labeling import KINDS
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.simulate.data import LabeledData, of_arrays
from nextlabel.simulate.datasets import load
from nextlabel.simulate.journal import Journal
from nextlabel.simulate.learning import Problem
from nextlabel.simulate.naming import named_strategies
from nextlabel.simulate.results import Results
from nextlabel.simulate.runs import ColdStart, Curve, Plan, run, run_on_all

Strategies = Sequence[str | QueryStrategy] | Mapping[str, str | QueryStrategy]
_FEWEST_TESTED = 15  # rows; of fewer each is worth more than any strategy gains


_Job = tuple[int, str | None]
"""A seed and the strategy to run under it; without one, the score with every label."""


def simulate(
    data: LabeledData | str | Path | tuple[object, object],
    strategies: Strategies = ("adaptive", "random"),
    *,
    budget: int | None = None,
    batch: int = 10,
    initial: int | None = None,
    cold_start: ColdStart = "diverse",
    seeds: int | Iterable[int] = 10,
    test_share: float = 0.3,
    metric: str | None = None,
    estimator: BaseEstimator | None = None,
    scale: bool = True,
    workers: int = 2,
    progress: bool = True,
    embeddings: str | Embeddings = "",
    resume: str | Path | None = None,
    resolve: Callable[[str], QueryStrategy] | None = None,
) -> Results:
    """Let each strategy spend ``budget`` labels under each seed, and measure the model on held-out rows.

    ``data``: a file or a name (see `datasets.load`), (rows, labels), or `LabeledData`. ``strategies``: specs, objects,
    or names to either; all start from the same ``initial`` labels under one seed (default: one batch), which count
    towards the budget (default: 500 or all there are). ``seeds``: how many, or which. A test set that comes with the
    data is used, otherwise each seed splits off ``test_share``. All is learned as in the service, whatever the kind of
    target (``metric``: one of the kind's `metrics`); ``embeddings`` is a folder with a model for texts, or
    `Embeddings`. In its place ``estimator`` may be any scikit-learn classifier of one single choice, for which numbers
    are standardised unless ``scale`` is false. ``resume``: a file that finished runs are kept in. ``resolve`` makes
    strategies of specs.

    The same arguments give the same results. Raises `ConfigurationError` for what cannot be done, saying why.
    """
    labeled = _as_data(data)
    labeled.check_learnable()
    chosen = named_strategies(strategies, resolve)
    which = _seeds(seeds)
    metric = _metric(labeled, metric, estimator)
    rows = len(labeled) if labeled.test is not None else round(len(labeled) * (1 - test_share))
    spent = min(rows, 500 if budget is None else budget)
    first = min(spent, batch if initial is None else initial)
    plan = Plan(spent, batch, first, cold_start, metric, test_share, scale)
    _check_enough(labeled, rows, plan)
    settings = {**asdict(plan), "data": labeled.digest(), "estimator": _signature(estimator)}
    models = Embeddings(embeddings) if isinstance(embeddings, str) else embeddings
    settings |= _signatures(models)
    journal = Journal(Path(resume) if resume is not None else None, settings)
    jobs = _jobs(chosen, which, journal, one_test_set=labeled.test is not None)
    if jobs:
        with tempfile.TemporaryDirectory(prefix="nextlabel-simulate-") as cache:
            problem = Problem(labeled, Path(cache), estimator, scale, models)
            problem.encode()
            _do(problem, plan, chosen, jobs, journal, workers=workers, progress=progress)
    full = {seed: journal.full[0 if labeled.test is not None else seed] for seed in which}
    curves = tuple(journal.curves[name, seed] for name in chosen for seed in which)
    return Results(labeled.name, metric, tuple(chosen), curves, full, settings)


def _as_data(data: LabeledData | str | Path | tuple[object, object]) -> LabeledData:
    if isinstance(data, LabeledData):
        return data
    return load(data) if isinstance(data, str | Path) else of_arrays(*data)


def _metric(data: LabeledData, metric: str | None, estimator: BaseEstimator | None) -> str:
    known = KINDS[data.kind].metrics
    if metric is not None and metric not in known:
        raise ConfigurationError(f"metric is {metric!r}: choose from {', '.join(known)}.")
    if estimator is not None and data.kind != "choice":
        raise ConfigurationError(f"{data.name}: an estimator learns a single choice, and the labels are none.")
    return metric or known[0]


def _seeds(seeds: int | Iterable[int]) -> tuple[int, ...]:
    which = tuple(range(seeds)) if isinstance(seeds, int) else tuple(dict.fromkeys(seeds))
    if not which or min(which) < 0:
        raise ConfigurationError(f"seeds must be 1 or more, or whole numbers from 0; not {seeds!r}.")
    return which


def _check_enough(data: LabeledData, rows: int, plan: Plan) -> None:
    """Raises `ConfigurationError` where no figure could tell one order from another."""
    tested = len(data.test) if data.test is not None else len(data) - rows
    if tested < _FEWEST_TESTED:
        needed = "" if data.test is not None else f" ({ceil(_FEWEST_TESTED / plan.test_share)} labeled rows in all)"
        raise ConfigurationError(
            f"{data.name}: too few labels to tell anything. Of {len(data)} labeled rows {tested} would be tested on, "
            f"and it takes at least {_FEWEST_TESTED}{needed}: label more."
        )
    if plan.budget <= plan.initial:
        raise ConfigurationError(
            f"{data.name}: too few labels to tell anything. All {plan.budget} are among the first ones, which every "
            "strategy shares: label more, or give a smaller --initial, or a larger --budget."
        )


def _signatures(models: Embeddings) -> dict[str, str]:
    """Those of the models that are set. Raises `ConfigurationError` where one is not on this machine."""
    texts, images = models.of_texts(), models.of_images()
    return {
        **({"embeddings": signature(texts)} if texts else {}),
        **({"image_embeddings": image_signature(images)} if images else {}),
    }


def _signature(estimator: BaseEstimator | None) -> str:
    """The estimator with all its parameters, short."""
    if estimator is None:
        return "default"
    parameters = repr(sorted(estimator.get_params().items(), key=lambda item: item[0]))
    return f"{type(estimator).__name__} {hashlib.sha256(parameters.encode()).hexdigest()[:8]}"


def _jobs(names: Iterable[str], seeds: Sequence[int], journal: Journal, *, one_test_set: bool) -> list[_Job]:
    """What is not done yet, seed by seed, so that what is finished can be compared."""
    runs: list[_Job] = [(seed, name) for seed in seeds for name in names if (name, seed) not in journal.curves]
    return [*runs, *((seed, None) for seed in ((0,) if one_test_set else seeds) if seed not in journal.full)]


def _do(
    problem: Problem,
    plan: Plan,
    chosen: Mapping[str, QueryStrategy],
    jobs: Sequence[_Job],
    journal: Journal,
    *,
    workers: int,
    progress: bool,
) -> None:
    if workers < 1:
        raise ConfigurationError(f"workers is {workers}: it must be 1 or more.")
    tasks = (delayed(_do_one)(problem, plan, name and chosen[name], name, seed) for seed, name in jobs)
    processes = min(workers, len(jobs))
    backend: dict[str, Any] = {"backend": "loky", "inner_max_num_threads": 1} if processes > 1 else {}
    with _bar(len(jobs), shown=progress) as advance, parallel_config(n_jobs=processes, **backend):
        # Copy on write: workers share the rows' memory, and code that insists on writable arrays still runs.
        for seed, done in Parallel(return_as="generator_unordered", mmap_mode="c")(tasks):
            if isinstance(done, Curve):
                journal.add_curve(done)
            else:
                journal.add_full(seed, done)
            advance()


def _do_one(
    problem: Problem, plan: Plan, strategy: QueryStrategy | None, name: str | None, seed: int
) -> tuple[int, Curve | float]:
    if strategy is None or name is None:
        return seed, run_on_all(problem, plan, seed)
    return seed, run(problem, plan, strategy, name, seed)


@contextmanager
def _bar(total: int, *, shown: bool) -> Iterator[Callable[[], None]]:
    columns = (*Progress.get_default_columns(), TimeElapsedColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task("runs", total=total)
        yield lambda: bar.advance(task)
