"""Any scikit-learn estimator as a model of one target; in the child only."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
from sklearn.base import clone

from nextlabel.errors import SchemaError, SettingsError
from nextlabel.hosting.estimator_answers import Amount, Answer, Label, OneLabel, SomeLabels, for_several_labels
from nextlabel.hosting.estimator_inputs import Data, Shown
from nextlabel.hosting.estimator_steps import reads, tags_of, with_vectoriser
from nextlabel.hosting.estimator_tables import Columns
from nextlabel.hosting.plain_targets import read_target
from nextlabel.hosting.state import fingerprints
from nextlabel.labeling import KINDS, Target

_FILE = "estimator.joblib"
_NAMED = 10  # targets in a message
_LEARNED = {"classifier": (("choice", "choices"), "one or several labels"), "regressor": (("number",), "a number")}

Learned = OneLabel | SomeLabels | Amount


class HostedEstimator:
    """An estimator as the child asks it. It learns the first target that suits it."""

    learns = True

    def __init__(self, found: Any, question: Mapping[str, Any]) -> None:
        """``found`` is what the team has named. Raises what `estimator_of` and `target_for` raise."""
        estimator = estimator_of(found, question["parameters"])
        targets = [read_target(one) for one in question["targets"]]
        target = target_for(_learner(estimator), targets, question["left_out"])
        self.target = target.name
        self._folder, self._known = Path(question["folder"]), question["train_output"]
        self._model = EstimatorModel(estimator, target, self._known)

    def predict(self, tasks: Sequence[Mapping[str, Any]], context: object = None) -> dict[str, Any]:
        """A label for each task, and how likely it is right."""
        return {"predictions": self._model.predict([task["data"] for task in tasks]), "version": None}

    def fit(self, tasks: Sequence[Mapping[str, Any]], event: str) -> dict[str, Any]:
        """Learn from labeled tasks. ``changed`` is whether the state or the file are others than before."""
        files = fingerprints(self._folder)
        state = self._model.fit([task["data"] for task in tasks], [task["label"] for task in tasks], self._folder)
        return {"state": state, "changed": state != self._known or fingerprints(self._folder) != files}


class EstimatorModel:
    """An estimator that learns one target: a classifier one of several labels or any of them, a regressor a number.

    What it is given of the tasks depends on what its first step reads, see `estimator_steps`. Until labels differ there
    is nothing to learn, and it says nothing.
    """

    def __init__(self, estimator: Any, target: Target, train_output: Mapping[str, Any]) -> None:
        self._estimator = estimator
        self._target = target
        self._shown = Shown(target.inputs)
        # What was learned of another target says nothing of this one.
        known = train_output.get("control") == self._identity
        self._fitted = _Fitted.restored(target, train_output["model_file"]) if known else None

    def predict(self, tasks: Sequence[Data]) -> list[tuple[Label | None, float | None]]:
        """A label for each task (None: it says nothing), and how likely it is right, where the estimator says that."""
        if self._fitted is None:
            return [(None, None) for _ in tasks]
        return [_finite(label, likely) for label, likely in self._fitted.answers(self._shown, tasks)]

    def fit(self, tasks: Sequence[Data], labels: Sequence[Any], folder: Path) -> dict[str, Any]:
        """Learn from labeled tasks, from the start; the state names a file in ``folder``, {} if labels are alike."""
        file = folder / _FILE
        given = [tuple(label) if isinstance(label, list) else label for label in labels]
        if len(set(given)) < 2:
            file.unlink(missing_ok=True)  # that of the version before
            return {}
        _Fitted.of(self._estimator, self._target, self._shown, tasks, given).store(file)
        return {"model_file": str(file), "control": self._identity}  # as earlier releases have it, to go back to them

    @property
    def _identity(self) -> list[str]:
        return [self._target.name, self._target.kind]


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A fitted estimator, what it learned, and the columns of the tables that it reads (None: it reads none)."""

    estimator: Any
    learned: Learned
    columns: Columns | None

    @classmethod
    def of(cls, estimator: Any, target: Target, shown: Shown, tasks: Sequence[Data], labels: Sequence[Label]) -> Self:
        learned = _learned(target, labels)
        if isinstance(learned, SomeLabels):
            estimator = for_several_labels(estimator)
        estimator = with_vectoriser(estimator, shown, tasks)
        columns = Columns.of([shown.cells(task) for task in tasks]) if reads(estimator) == "table" else None
        y = learned.target(labels)
        unfitted = cls(estimator, learned, columns)
        return cls(unfitted._given(shown, tasks, lambda x: clone(estimator).fit(x, y)), learned, columns)

    @classmethod
    def restored(cls, target: Target, file: str) -> Self:
        state = joblib.load(file)
        columns = None if state["usual"] is None else Columns(state["usual"])
        kind: type[Learned] = type(_learned(target, []))
        return cls(state["estimator"], kind(**state["learned"]), columns)

    def store(self, file: Path) -> None:
        """As plain values beside the estimator, because a class of ours may be renamed some day."""
        usual = None if self.columns is None else dict(self.columns.usual)
        joblib.dump({"estimator": self.estimator, "learned": asdict(self.learned), "usual": usual}, file)

    def answers(self, shown: Shown, tasks: Sequence[Data]) -> list[Answer]:
        answers: list[Answer] = self._given(shown, tasks, lambda x: self.learned.answers(self.estimator, x))
        return answers

    def _given(self, shown: Shown, tasks: Sequence[Data], do: Callable[[Any], Any]) -> Any:
        """Do it with X, as the estimator reads it."""
        if self.columns is None:
            read = shown.fields if reads(self.estimator) == "fields" else shown.text
            return do([read(task) for task in tasks])
        rows = [shown.cells(task) for task in tasks]
        try:
            return do(self.columns.frame(rows, filled=False))
        except ValueError:
            if not self.columns.has_gaps(rows):
                raise
            return do(self.columns.frame(rows, filled=True))  # no step of the team's pipeline takes gaps


def target_for(learner: str, targets: Sequence[Target], left_out: Mapping[str, str]) -> Target:
    """The first target that suits a "classifier" or a "regressor". Raises `SchemaError` where there is none."""
    kinds, what = _LEARNED[learner]
    for target in sorted(targets, key=lambda one: not one.pre_annotated):
        if target.kind in kinds and not target.compared and not target.options:
            return target
    reasons = [f"'{one.name}' is {_in_words(one)}" for one in targets[:_NAMED]]
    reasons += [f"'{name}' is not read: {why}" for name, why in left_out.items()]
    raise SchemaError(
        f"The project has nothing for a {learner}, which learns {what} of a task as a whole: "
        f"{'; '.join(reasons) or 'it asks for nothing'}. Ask for such a thing there, or host another model."
    )


def _in_words(target: Target) -> str:
    if target.options and not KINDS[target.kind].of_items:
        return "a choice among options of each task"
    return "a comparison" if target.compared else KINDS[target.kind].words


def estimator_of(found: Any, parameters: Mapping[str, Any]) -> Any:
    """A new, unfitted estimator of a class, an object, or a function that makes one; what was found stays as it is.

    ``parameters`` are arguments of the class or function, and what `set_params` knows. Raises `SettingsError` for what
    is no estimator, and whatever the making raises.
    """
    made = found
    if inspect.isclass(found) or not hasattr(found, "fit"):
        made = _made(found, parameters)
    missing = [method for method in ("fit", "predict", "get_params") if not callable(getattr(made, method, None))]
    if missing:
        raise SettingsError(
            f"It is neither a class of label-studio-ml nor a scikit-learn estimator: {type(made).__name__} has no "
            f"{', '.join(missing)}."
        )
    new = clone(made)
    known = new.get_params()
    given = {name: value for name, value in parameters.items() if name in known}
    return new.set_params(**given) if given else new


def _made(found: Any, parameters: Mapping[str, Any]) -> Any:
    if not callable(found):
        return found
    try:
        signature = inspect.signature(found)
    except ValueError:  # a builtin, which tells nothing of its arguments
        return found()
    given = {name: value for name, value in parameters.items() if name in signature.parameters}
    try:
        signature.bind(**given)
    except TypeError as error:
        raise SettingsError(
            f"{found.__name__} cannot be made without arguments ({error}): name an object that is made already, or a "
            "function that makes one."
        ) from error
    return found(**given)


def _learner(estimator: Any) -> str:
    kind = tags_of(estimator).estimator_type
    if kind in ("classifier", "regressor"):
        return str(kind)
    raise SettingsError(
        f"{type(estimator).__name__} is neither a classifier nor a regressor by its tags ({kind}): host one that is, "
        "or have it inherit from ClassifierMixin or RegressorMixin, and then from BaseEstimator."
    )


def _learned(target: Target, labels: Sequence[Any]) -> Learned:
    match target.kind:
        case "choice":
            return OneLabel()
        case "choices":
            return SomeLabels.of(target.labels, labels)
        case _:
            return Amount(float(np.std(labels)) if labels else 0.0)


def _finite(label: Label, likely: float | None) -> tuple[Label | None, float | None]:
    if isinstance(label, float) and not isfinite(label):
        return None, None
    return label, likely if likely is not None and isfinite(likely) else None
