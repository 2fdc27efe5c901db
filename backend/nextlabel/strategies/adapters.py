"""Strategies made elsewhere: scikit-activeml's by class name, modAL-style functions, and any function of one's own.

None of these packages is needed by nextlabel itself: they are imported when such a strategy is made, and a missing
one says what to install. A dotted path in a spec runs code from the service's own import path, nothing else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Features, Floats, Group, Learner, Needs, RankedTask, Ranking
from nextlabel.measures.uncertainty import checked
from nextlabel.strategies.adapted import LearnerClassifier, PoolModel
from nextlabel.strategies.base import PoolStrategy, finite, need_features, need_learner
from nextlabel.strategies.uncertainty import Margin, best_first

_DENSE_CELLS = 100_000_000
_MEMBERS = 8


class ScikitActiveml(PoolStrategy):
    """Uses a pool strategy of scikit-activeml, named by its class: skactiveml:UncertaintySampling?method=entropy.

    It is given all features (dense, without empty columns), the labels, NaN where there is none, and, where it asks
    for a classifier or an ensemble, such as the pool's learner fits. Its order is kept; utilities are places. What
    needs a regressor or an annotator model is refused. (Kottke et al., 2021, for scikit-activeml.)
    """

    group = Group.ELSEWHERE
    needs = frozenset({Needs.FEATURES})

    def __init__(self, strategy: str, *, method: str = "", **options: Any) -> None:
        found: Any = getattr(_installed("skactiveml.pool", "scikit-activeml"), strategy, None)
        if not inspect.isclass(found) or not hasattr(found, "query"):
            raise SettingsError(f"scikit-activeml has no pool strategy '{strategy}': see skactiveml.pool.")
        self.name = f"skactiveml:{strategy}"
        self._class: Callable[..., Any] = found
        self._takes, self._asks = (frozenset(inspect.signature(f).parameters) for f in (found, found.query))
        given = {key: _value(text) for key, text in options.items()} | ({"method": method} if method else {})
        for key in given:
            if key not in self._takes:
                raise SettingsError(f"The strategy '{self.name}' has no option '{key}': it has {_listed(self._takes)}.")
        self._options = given
        if "reg" in self._asks:
            raise SettingsError(
                f"The strategy '{self.name}' needs a regressor of its own: choose 'greedy' for numbers."
            )
        if self._asks & {"clf", "estimator", "ensemble"}:
            self.needs = frozenset({Needs.FEATURES, Needs.CLASSIFIER})

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """Raises `SettingsError` for what the pool lacks, what cannot be given, or what scikit-activeml refuses."""
        features = need_features(pool, self.name)
        k = checked(pool.probabilities).shape[1]
        size = min(size, len(pool))
        if size < 1:
            return Ranking((), self.name)
        x, y, columns = _all_rows(pool, features, self.name)
        seed = {"random_state": pool.seed}
        context = {"classes": list(range(k)), "n_classes": k, "cluster_algo_dict": seed} | seed | self._options
        try:
            made = self._class(**{key: value for key, value in context.items() if key in self._takes})
            order = made.query(x, y, batch_size=size, **self._models(pool, k, _OfColumns(columns, features.shape[1])))
        except (TypeError, ValueError) as error:
            raise SettingsError(f"The strategy '{self.name}' refuses this pool or these settings: {error}.") from error
        return _in_order(pool, order, size, self.name)

    def _models(self, pool: CandidatePool, k: int, shown: _OfColumns) -> dict[str, Any]:
        wrap = _installed("skactiveml.classifier", "scikit-activeml").SklearnClassifier

        def classifier(seed: int, *, bootstrap: bool = False) -> Any:
            learner = replace(shown, learner=need_learner(pool, self.name))
            model = LearnerClassifier(learner, k, seed=seed, bootstrap=bootstrap)
            return wrap(model, classes=list(range(k)), random_state=pool.seed)

        models: dict[str, Any] = {key: classifier(pool.seed) for key in ("clf", "estimator") if key in self._asks}
        if "ensemble" in self._asks:
            models["ensemble"] = [classifier(pool.seed + i, bootstrap=True) for i in range(_MEMBERS)]
        if "discriminator" in self._asks:  # tells labeled from open: no model of the pool's classes
            logistic = import_module("sklearn.linear_model").LogisticRegression()
            models["discriminator"] = wrap(logistic, classes=[0, 1], random_state=pool.seed)
        return models


class Modal(PoolStrategy):
    """Uses a query function written for modAL, named by its path: modal:package.module.function.

    It is called as ``function(classifier, X_pool, n_instances)`` and returns row numbers, alone or first in a tuple.
    ``classifier`` has ``predict_proba``, ``predict``, ``classes_``, ``estimator``, ``X_training``, ``y_training``.
    The order is kept as returned; places that it leaves are filled by margin. (Danka & Horvath, 2018, for modAL.)
    """

    group = Group.ELSEWHERE

    def __init__(self, path: str) -> None:
        self._function, self.name = _function(path, "modal"), f"modal:{path}"

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """Raises `SettingsError` where the answer is not row numbers of the pool, each once."""
        model, size = PoolModel(pool, self.name), min(size, len(pool))
        if size < 1:
            return Ranking((), self.name)
        answer = self._function(model, model.features, n_instances=size)
        return _in_order(pool, answer[0] if isinstance(answer, tuple) else answer, size, self.name)


class Function(PoolStrategy):
    """Uses a function of your own, named by its path: function:package.module.function.

    It is called as ``function(estimator, pool)`` and returns n utilities on any scale, higher is sooner; ties go by
    the pool's seed. ``estimator`` is what `Modal` gives, ``pool`` the `CandidatePool`.
    """

    group = Group.ELSEWHERE

    def __init__(self, path: str) -> None:
        self._function, self.name = _function(path, "function"), f"function:{path}"

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """Raises `SettingsError` where the answer is not one number for each task, ValueError where one is NaN."""
        model = PoolModel(pool, self.name)
        if min(size, len(pool)) < 1:
            return Ranking((), self.name)
        utilities = np.asarray(self._function(model, pool), dtype=np.float64)
        if utilities.shape != (len(pool),):
            raise SettingsError(
                f"The strategy '{self.name}' must return one utility for each of {len(pool)} tasks, "
                f"not an array of shape {utilities.shape}."
            )
        finite(utilities, f"utilities of '{self.name}'")
        low, high = utilities.min(), utilities.max()
        return best_first(pool, (utilities - low) / (high - low or 1), size, self.name)


def _in_order(pool: CandidatePool, rows: Any, size: int, name: str) -> Ranking:
    """These rows first, the rest by margin."""
    order = np.asarray(rows).ravel()[:size]
    if len(np.unique(order)) < len(order) or not np.isin(order, np.arange(len(pool))).all():
        raise SettingsError(f"The strategy '{name}' must return row numbers of the {len(pool)} open tasks, each once.")
    tasks = [pool.tasks[int(i)] for i in order]
    if len(tasks) < size:
        chosen = set(tasks)
        tasks += [task for task in Margin().rank(pool, len(pool)).task_ids() if task not in chosen][: size - len(tasks)]
    return Ranking(tuple(RankedTask(task, 1 - place / len(pool)) for place, task in enumerate(tasks)), name)


@dataclass(frozen=True, slots=True)
class _OfColumns:
    """A `Learner` for features of which only some ``columns`` are shown: it is given all ``width`` of them, for it may
    know each by its place."""

    columns: NDArray[np.integer] | None
    width: int
    learner: Learner | None = None

    def fit(self, features: Features, labels: NDArray[Any], seed: int = 0) -> Callable[[Features], Floats]:
        assert self.learner is not None  # noqa: S101 - by `replace`
        predict = self.learner.fit(self._whole(features), labels, seed)
        return lambda asked: predict(self._whole(asked))

    def _whole(self, features: Features) -> Features:
        if self.columns is None:
            return features
        some = csr_matrix(features)
        return csr_matrix((some.data, self.columns[some.indices], some.indptr), shape=(some.shape[0], self.width))


def _all_rows(pool: CandidatePool, features: Features, name: str) -> tuple[Floats, Floats, NDArray[np.integer] | None]:
    """Open tasks above labeled ones: dense features, and labels as numbers with NaN for the open; and which columns of
    the features these are (None: all)."""
    y = np.full(len(pool), np.nan)
    rows: list[Features] = [features]
    if pool.labeled_features is not None and pool.labels is not None and len(pool.labels):
        rows.append(finite(pool.labeled_features, "labeled_features"))
        y = np.concatenate([y, np.asarray(pool.labels, dtype=np.float64)])
    if all(isinstance(part, np.ndarray) for part in rows):
        return np.concatenate(rows), y, None  # type: ignore[arg-type]
    x = csr_matrix(vstack([csr_matrix(part) for part in rows]))
    columns = np.unique(x.indices) if x.nnz else np.arange(1)
    x = x[:, columns]
    if x.shape[0] * x.shape[1] > _DENSE_CELLS:
        raise SettingsError(
            f"The strategy '{name}' needs dense features, and {x.shape[0]} × {x.shape[1]} are too many: "
            "use embeddings, or choose 'margin'."
        )
    return x.toarray(), y, columns


def _function(path: str, kind: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    if not module or not name:
        raise SettingsError(f"The strategy '{kind}' needs a dotted path: write {kind}:package.module.function.")
    found = getattr(_installed(module, module.partition(".")[0]), name, None)
    if not callable(found):
        raise SettingsError(f"The strategy '{kind}:{path}' cannot be used: {module} has no function '{name}'.")
    return found  # type: ignore[no-any-return]


def _installed(module: str, package: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        raise SettingsError(
            f"{module} cannot be imported ({error}): install it where nextlabel runs, `pip install {package}`, "
            "or put it on PYTHONPATH."
        ) from error
    except Exception as error:  # it is other people's code, and what it does on import can fail in any way
        raise SettingsError(f"{module} fails while it is imported ({type(error).__name__}: {error}).") from error


def _value(text: object) -> object:
    """An option of a spec as what it looks like: whole number, number, true or false, text."""
    if not isinstance(text, str):
        return text
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names - {"missing_label", "random_state"})) or "none"
