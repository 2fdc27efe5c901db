"""Any scikit-learn estimator as a model of label-studio-ml's 1.x; in the child only."""

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

from nextlabel.errors import SettingsError
from nextlabel.hosting.estimator_answers import Amount, Answer, OneLabel, SomeLabels, for_several_labels
from nextlabel.hosting.estimator_controls import Control, Item, Label, control_for, labeled
from nextlabel.hosting.estimator_inputs import Shown
from nextlabel.hosting.estimator_steps import reads, tags_of, with_vectoriser
from nextlabel.hosting.estimator_tables import Columns

_FILE = "estimator.joblib"

Learned = OneLabel | SomeLabels | Amount


class EstimatorModel:
    """An estimator that learns the first control of the labeling config that suits it.

    A classifier learns a `<Choices>`, of one choice or several; a regressor a `<Rating>` or a `<Number>`. What it is
    given of the tasks depends on what its first step reads, see `estimator_steps`. Until labels differ there is nothing
    to learn, and it says nothing.
    """

    def __init__(self, estimator: Any, label_config: str, train_output: Mapping[str, Any]) -> None:
        """Raises `SchemaError` where no control suits, `SettingsError` for an estimator that predicts no labels."""
        self._estimator = estimator
        self._control = control_for(_learner(estimator), label_config)
        self._shown = Shown(self._control.objects)
        # What was learned of another control says nothing of this one.
        known = train_output.get("control") == self._identity
        self._fitted = _Fitted.restored(self._control, train_output["model_file"]) if known else None

    def predict(self, tasks: Sequence[Item]) -> list[Item]:
        """A prediction for each task, with a score where the estimator says how sure it is."""
        if self._fitted is None:
            return [{"result": []} for _ in tasks]
        return [self._prediction(label, score) for label, score in self._fitted.answers(self._shown, tasks)]

    def fit(self, tasks: Sequence[Item], workdir: str) -> dict[str, Any]:
        """Learn from annotated tasks, from the start; the state names a file in ``workdir``, {} if labels are alike."""
        file = Path(workdir) / _FILE
        known, labels = labeled(self._control, tasks)
        if len(set(labels)) < 2:
            file.unlink(missing_ok=True)  # that of the version before
            return {}
        _Fitted.of(self._estimator, self._control, self._shown, known, labels).store(file)
        return {"model_file": str(file), "control": self._identity}

    @property
    def _identity(self) -> list[str]:
        return [self._control.name, self._control.kind]

    def _prediction(self, label: Label, score: float | None) -> Item:
        if isinstance(label, float) and not isfinite(label):
            return {"result": []}
        score = score if score is not None and isfinite(score) else None
        result = self._control.item(label, score)
        is_known = result or label == ()  # of no choice at all it may well be sure
        return {"result": result, "score": score} if is_known and score is not None else {"result": result}


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A fitted estimator, what it learned, and the columns of the tables that it reads (None: it reads none)."""

    estimator: Any
    learned: Learned
    columns: Columns | None

    @classmethod
    def of(cls, estimator: Any, control: Control, shown: Shown, tasks: Sequence[Item], labels: Sequence[Label]) -> Self:
        learned = _learned(control, labels)
        if isinstance(learned, SomeLabels):
            estimator = for_several_labels(estimator)
        estimator = with_vectoriser(estimator, shown, tasks)
        columns = Columns.of([shown.cells(task) for task in tasks]) if reads(estimator) == "table" else None
        target = learned.target(labels)
        unfitted = cls(estimator, learned, columns)
        return cls(unfitted._given(shown, tasks, lambda x: clone(estimator).fit(x, target)), learned, columns)

    @classmethod
    def restored(cls, control: Control, file: str) -> Self:
        state = joblib.load(file)
        columns = None if state["usual"] is None else Columns(state["usual"])
        kind: type[Learned] = type(_learned(control, []))
        return cls(state["estimator"], kind(**state["learned"]), columns)

    def store(self, file: Path) -> None:
        """As plain values beside the estimator, because a class of ours may be renamed some day."""
        usual = None if self.columns is None else dict(self.columns.usual)
        joblib.dump({"estimator": self.estimator, "learned": asdict(self.learned), "usual": usual}, file)

    def answers(self, shown: Shown, tasks: Sequence[Item]) -> list[Answer]:
        answers: list[Answer] = self._given(shown, tasks, lambda x: self.learned.answers(self.estimator, x))
        return answers

    def _given(self, shown: Shown, tasks: Sequence[Item], do: Callable[[Any], Any]) -> Any:
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


def _learned(control: Control, labels: Sequence[Any]) -> Learned:
    match control.kind:
        case "choice":
            return OneLabel()
        case "choices":
            return SomeLabels.of(control.labels, labels)
        case _:
            return Amount(float(np.std(labels)) if labels else 0.0)
