"""How many tasks to label between two versions: few while the model is unsure, more where a label takes long."""

from __future__ import annotations

from dataclasses import dataclass

_UNSURE, _SURE = 0.25, 0.05
_SHORT, _LONG = 10.0, 60.0  # seconds of one label
_LEAST, _FEW, _USUAL, _MANY, _MOST = 5, 10, 20, 50, 100


@dataclass(frozen=True, slots=True)
class Batch:
    """To label from ``least`` to ``most`` tasks at a time, and why; ``window`` is how many to keep in order."""

    least: int
    most: int
    window: int
    sentence: str


def batch_advice(*, error: float | None, seconds: float | None, own: bool = False) -> Batch:
    """``error`` is the expected share of wrong predictions among all tasks, ``seconds`` how long a label takes; ``own``
    is whether a model of the team's own serves, of which the former is not known."""
    if own:
        least, most = (_MANY, _MOST) if seconds is not None and seconds >= _LONG else (_USUAL, _MANY)
        why = "how often your own model is wrong among all tasks is not known"
        return _batch(least, most, f"Label {least} to {most} at a time: {why}.")
    if error is None:
        why = "the model knows too little to tell"
        return _batch(_LEAST, _FEW, f"Label {_LEAST} to {_FEW} at a time: {why}.")
    unsure = f"the model expects to be wrong in {error:.0%} of the tasks"
    if error >= _UNSURE:
        return _batch(_LEAST, _USUAL, f"Label {_LEAST} to {_USUAL} at a time: {unsure}, and each label changes much.")
    if seconds is not None and seconds >= _LONG:
        why = f"a label takes {seconds:.0f} s, so that people wait little for a version"
        return _batch(_MANY, _MOST, f"Label {_MANY} to {_MOST} at a time: {why}, and {unsure}.")
    if error <= _SURE:
        return _batch(_MANY, _MOST, f"Label {_MANY} to {_MOST} at a time: {unsure}, and one label changes little.")
    return _batch(_USUAL, _MANY, f"Label {_USUAL} to {_MANY} at a time: {unsure}.")


def _batch(least: int, most: int, sentence: str) -> Batch:
    return Batch(least, most, 4 * most, sentence)
