"""From a model's stored state back to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from nextlabel.errors import OutdatedModel
from nextlabel.estimators.by_kind import BY_KIND, Restored
from nextlabel.estimators.prior import Prior
from nextlabel.estimators.project import Estimator, Learned, Misses, ProjectModel
from nextlabel.features.encoders import restore_encoder
from nextlabel.labeling import TaskId

_State = Mapping[str, object]
_STORED: tuple[type[Restored], ...] = (Prior, *(model for one in BY_KIND.values() for model in one.models))
_MODELS = {model.kind: model for model in _STORED}


def restore(state: _State) -> ProjectModel:
    """The model that `state` was taken from. Raises `OutdatedModel` for a kind that this version lacks."""
    if state.get("kind") != ProjectModel.kind:
        raise _unknown(state.get("kind"))
    targets = cast("Mapping[str, Mapping[str, _State]]", state["targets"])
    try:
        learned = {
            name: Learned(restore_encoder(parts["encoder"]), _estimator(parts["estimator"]))
            for name, parts in targets.items()
        }
    except KeyError as error:
        raise _unknown(error.args[0]) from error
    return ProjectModel(learned, _misses(state))


def _misses(state: _State) -> Misses:
    """None of a model that was stored before these were kept."""
    kept = cast("Mapping[str, Mapping[str, Sequence[Any]]]", state.get("misses", {}))
    return {
        name: dict(zip(map(TaskId, one["tasks"]), map(float, one["misses"]), strict=True)) for name, one in kept.items()
    }


def _estimator(state: _State) -> Estimator:
    return _MODELS[str(state["kind"])].from_state(state)


def _unknown(kind: object) -> OutdatedModel:
    return OutdatedModel(
        f"The model was written by another release (its kind is {kind!r}). "
        "A worker makes it again from its labels: ask again in a minute, or see that `nextlabel work` runs."
    )
