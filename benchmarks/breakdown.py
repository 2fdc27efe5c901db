"""Where the time of one `/predict` goes, step by step, in this process and without HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import orjson

from benchmarks import payloads
from benchmarks.figures import Figure, over_repeats, stopwatch
from nextlabel.estimators.project import ProjectModel
from nextlabel.features.source import Source
from nextlabel.labeling import ProjectId
from nextlabel.learning.predictions import predictions_of, utilities_of
from nextlabel.options import ProjectOptions
from nextlabel.strategies import finding
from nextlabel.wiring import Parts
from nextlabel_connectors.label_studio.dialect import LabelStudioDialect

_PARTS = 5


def breakdown(
    parts: Parts, classes: str, project: str, labels: Sequence[str], texts: Sequence[str]
) -> Iterator[Figure]:
    """Yields the steps of five requests with a part of the texts each, per 1,000 texts; the first one warms up."""
    service, dialect = parts.service, LabelStudioDialect()
    size = len(texts) // _PARTS
    taken: dict[str, list[float]] = {}
    strategy = finding.make(ProjectOptions().strategy)  # a service makes it once
    for n in range(_PARTS):
        some = texts[n * size : (n + 1) * size]
        body = payloads.predict(project, some, labels)
        with stopwatch() as json_read:
            orjson.loads(body)
        with stopwatch() as read:
            asked = dialect.read_predict(body)
        with stopwatch() as lookup:
            serving = service.in_service(ProjectId(project))
        ((target, learned),) = cast("ProjectModel", serving.model).targets.items()
        tasks = [task for task in asked.tasks if task is not None]
        with stopwatch() as features:
            counted = learned.encoder.encode(tasks, Source())
        with stopwatch() as scores:
            target_predictions = {target: learned.estimator.predict(tasks, counted)}
        with stopwatch() as objects:
            made = predictions_of(
                tasks,
                target_predictions,
                utilities_of(strategy, target_predictions),
                version=serving.version,
                informative=True,
            )
        with stopwatch() as answers:
            written = dialect.write_predictions(asked, made, serving.version)
        with stopwatch() as json_write:
            orjson.dumps({"results": written}).decode().encode()
        steps = {
            "JSON read": json_read(),
            "JSON to tasks": max(0.0, read() - json_read()),
            "model in service (per request)": lookup() / 1000 * size,
            "features": features(),
            "scores": scores(),
            "predictions": objects(),
            "answers": answers(),
            "JSON write": json_write(),
        }
        if n:
            for step, seconds in steps.items():
                taken.setdefault(step, []).append(seconds * 1000 * 1000 / size)
    for step, milliseconds in taken.items():
        yield over_repeats("inside predict", f"{step}, {classes}", milliseconds, "ms", note="per 1,000 texts")
