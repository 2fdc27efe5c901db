"""How much each target counts where several of them make one order."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nextlabel.errors import SettingsError
from nextlabel.labeling import LabelSchema
from nextlabel.measures.target_predictions import TargetPredictions

Weights = Mapping[str, float]
"""By the target's name, 0 or more; one that is not named has 1."""

NO_WEIGHTS: Weights = MappingProxyType({})
_NAMED, _LONGEST_NAME = 10, 60  # controls in a message, and of a name


def weight_of(target: str, weights: Weights) -> float:
    return weights.get(target, 1.0)


def counting(target_predictions: Mapping[str, TargetPredictions], weights: Weights) -> Mapping[str, TargetPredictions]:
    """Those that count in the order; all of them where nothing is known yet of any that does."""
    found = {name: one for name, one in target_predictions.items() if weight_of(name, weights)}
    return found or target_predictions


def check_weights(weights: Weights, schema: LabelSchema, hosted: str) -> None:
    """Raises `SettingsError` where weights name controls that order no tasks, or leave none that does. ``hosted`` is
    the team's own model, "" for nextlabel's."""
    if not weights:
        return
    names = [target.name for target in schema.targets]
    known = ", ".join(f"'{name[:_LONGEST_NAME]}'" for name in names[:_NAMED]) + (" …" if names[_NAMED:] else "")
    if hosted:
        raise SettingsError(
            f"'weights' weighs controls that nextlabel learns, and your own model '{hosted}' says one thing of each "
            "task: set weights to {}."
        )
    if strange := next((name for name in weights if name not in names), None):
        left_out = f" It is left out: {schema.left_out[strange]}" if strange in schema.left_out else ""
        raise SettingsError(
            f"'weights' names the control '{strange[:_LONGEST_NAME]}', by which no task is ordered.{left_out} Name one "
            f"of {known}."
        )
    if not any(weight_of(name, weights) for name in names):
        raise SettingsError(f"'weights' leaves no control to order tasks by: give one of {known} more than 0.")
