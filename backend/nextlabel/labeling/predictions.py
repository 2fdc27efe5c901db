"""What a model says of a task. Tuples: thousands are made for one request, and a frozen dataclass takes three times as
long."""

from __future__ import annotations

from typing import NamedTuple

from nextlabel.labeling.ids import QueueVersion, TaskId
from nextlabel.labeling.kinds import Label


class Guess(NamedTuple):
    """What a model says of one target of one task; ``confidence`` in [0, 1] is how likely it is right.

    ``parts`` are the confidences of each of ``choices`` or ``spans`` by itself, in their order. Where it is not
    ``scored`` the model does not say how sure it is, and the confidence tells nothing.
    """

    target: str
    label: Label
    confidence: float
    parts: tuple[float, ...] = ()
    scored: bool = True


class Prediction(NamedTuple):
    """What a model says of a task.

    ``uncertainty`` and ``utility`` are in [0, 1]; higher is less sure, and sooner to be labeled.
    ``guesses`` is empty where the model has nothing to say of this task.
    """

    task: TaskId
    version: QueueVersion
    guesses: tuple[Guess, ...]
    uncertainty: float
    utility: float
