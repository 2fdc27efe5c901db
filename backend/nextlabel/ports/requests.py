"""What a tool sends to nextlabel, and how it is answered in the tool's own words."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from nextlabel.errors import PayloadError
from nextlabel.labeling import (
    LabelSchema,
    Prediction,
    QueueVersion,
    Task,
    ToolProjectId,
)


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A webhook as it came over the wire. Header names are lower case."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LabelEvent:
    """Something changed in a project.

    ``train`` is a person's explicit wish to train now. ``project`` means that the project's own settings
    changed; then ``queue_version`` is what it is now, and ``schema_digests`` what stands for the labeling config, so
    that the echo of our own write can be told from a person's change.
    """

    project: ToolProjectId
    kind: Literal["labels", "tasks", "project", "train"]
    queue_version: QueueVersion | None = None
    schema_digests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SetupRequest:
    """The tool introduces a project. ``options`` are per-project settings, None where it sent none."""

    project: ToolProjectId
    schema: LabelSchema
    options: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """The tool asks what the model says of some tasks.

    A task of None is one that could not be read; it still gets an answer. ``context`` is what an annotator has just
    drawn, in the tool's own words, where the tool asks while they are at it.
    """

    project: ToolProjectId
    tasks: tuple[Task | None, ...]
    schema: LabelSchema
    context: Mapping[str, object] | None = None


_ALWAYS_TASKS, _SMALLEST_TASK = 10_000, 250


def check_number_of_tasks(number: int, body: bytes) -> None:
    """Raises `PayloadError` for far more tasks than are worth answering: many, and smaller than any tool's are.

    Label Studio sends all that people select in one request, each with more than 250 bytes around its data; how many of
    those there are is bounded by the size of a request.
    """
    if number > max(_ALWAYS_TASKS, len(body) // _SMALLEST_TASK):
        raise PayloadError(f"The request holds {number:,} tasks: send {_ALWAYS_TASKS:,} at a time.")


def is_same_secret(given: str, expected: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


class Webhooks(Protocol):
    """How webhooks of one tool are read. Pure translation, no I/O."""

    def is_genuine(self, request: WebhookRequest, secret: str) -> bool:
        """Whether the request shows that its sender knows the secret; compared in constant time."""

    def read_event(self, request: WebhookRequest) -> LabelEvent | None:
        """What a webhook says; None when it is nothing that matters to the loop.

        Raises `PayloadError` on a body that is not what the tool promises.
        """


class MLBackend(Protocol):
    """How one tool words its requests to an ML backend, and reads the answers. Pure translation, no I/O.

    All readers raise `PayloadError` on a body that is not what the tool promises.
    """

    def read_setup(self, body: bytes) -> SetupRequest: ...

    def read_predict(self, body: bytes) -> PredictRequest: ...

    def write_predictions(
        self, request: PredictRequest, predictions: Sequence[Prediction | None], version: QueueVersion
    ) -> list[dict[str, object]]:
        """One result per task of the request, whatever happened to the task (None: nothing to say of it)."""
