"""What people submitted for a task, and which of it counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nextlabel.labeling.ids import AnnotationId


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a person submitted for a task.

    ``labels`` maps a target's name to the label as the tool has it: `Target.read` checks whether it still fits. It is
    empty when the annotation was skipped or says nothing of any target. ``updated_at`` is ISO 8601 in UTC, always of
    the same form (``isoformat(timespec="microseconds")``), so that text order is time order. ``whole`` is the
    annotation as models for label-studio-ml read it, with its ``result``; None where it was not asked for. ``seconds``
    is how long it took, where the tool tells; ``ground_truth`` is whether a person marked it as the truth. ``by`` is
    the account that gave it, known where the tool serves a skipped task to everybody but whoever skipped it.
    """

    id: AnnotationId
    labels: Mapping[str, object]
    updated_at: str
    skipped: bool = False
    whole: Mapping[str, object] | None = None
    seconds: float | None = None
    ground_truth: bool = False
    by: str | None = None


def labels_in_force(annotations: tuple[Annotation, ...]) -> dict[str, object]:
    """The label that counts for each target: that of the latest annotation that has one and was not skipped, and before
    all others of one that a person marked as the truth.

    Ties in time go to the higher id, which is the later one in every tool we know.
    """
    labels: dict[str, object] = {}
    for annotation in sorted(annotations, key=lambda a: (a.ground_truth, a.updated_at, len(a.id), a.id)):
        if not annotation.skipped:
            labels |= annotation.labels
    return labels


def seconds_of(annotations: tuple[Annotation, ...]) -> float | None:
    """How long a label took on the average, of those that were not skipped; None where the tool tells it of none."""
    known = [one.seconds for one in annotations if not one.skipped and one.seconds is not None]
    return sum(known) / len(known) if known else None
