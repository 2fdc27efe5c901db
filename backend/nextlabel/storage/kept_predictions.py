"""Out-of-fold predictions as bytes: arrays in numpy's own format, which is read without running anything."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlabel.errors import ArtifactError
from nextlabel.labeling import Scale, Span, TaskId
from nextlabel.measures.offered_predictions import OneOfferedPredictions, SomeOfferedPredictions
from nextlabel.measures.out_of_fold import OutOfFold
from nextlabel.measures.ranking_predictions import RankingPredictions
from nextlabel.measures.target_predictions import (
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    SpanPredictions,
    TargetPredictions,
)

MOST_NUMBERS = 10_000_000
"""Of one version, 4 bytes each: those of 100,000 labels among 100 classes."""

Arrays = dict[str, NDArray[Any]]
Plain = dict[str, Any]


def as_bytes(by_target: Mapping[str, OutOfFold]) -> bytes:
    """What `read` takes. Of more than `MOST_NUMBERS` only as many labels are kept as fit; a target of which nothing can
    be kept is left out."""
    arrays: Arrays = {}
    plain: list[Plain] = []
    for name, one in by_target.items():
        kept = one.at_most(_rows_that_fit(one, MOST_NUMBERS // len(by_target)))
        if (taken := _apart(kept.predicted)) is not None:
            arrays |= {f"{len(plain)}.{part}": array for part, array in taken[1].items()}
            plain.append({"name": name, "tasks": list(kept.tasks), **taken[0]})
    file = io.BytesIO()
    arrays["plain"] = np.frombuffer(json.dumps(plain).encode(), dtype=np.uint8)
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def read(content: bytes, name: str) -> dict[str, OutOfFold]:
    """By target. Raises `ArtifactError` for what `as_bytes` has not made; ``name`` is the file's, for its message."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            plain: list[Plain] = json.loads(file["plain"].tobytes())
            return {
                one["name"]: OutOfFold(
                    [TaskId(task) for task in one["tasks"]],
                    _together(one, {part.split(".", 1)[1]: file[part] for part in file if part.startswith(f"{n}.")}),
                )
                for n, one in enumerate(plain)
            }
    except Exception as error:  # whatever the file holds
        raise ArtifactError(f"{name} cannot be read as predictions ({error}): the next version has its own.") from error


def _rows_that_fit(one: OutOfFold, most: int) -> int:
    taken = _apart(one.predicted.of(range(min(len(one.tasks), 1_000))))
    numbers = sum(array.size for array in taken[1].values()) if taken else 0
    return most * min(len(one.tasks), 1_000) // max(numbers, 1)


def _apart(predicted: TargetPredictions) -> tuple[Plain, Arrays] | None:
    """Plain values and arrays; None for predictions of a team's own model, which say nothing of single labels."""
    match predicted:
        case ChoicePredictions(classes, probabilities):
            apart: tuple[Plain, Arrays] = (
                {"kind": "choice", "labels": list(classes)},
                {"chances": _small(probabilities)},
            )
        case ChoicesPredictions(labels, chances, threshold):
            plain = {"kind": "choices", "labels": list(labels), "threshold": threshold}
            apart = plain, {"chances": _small(chances)}
        case NumberPredictions(mean, spread, typical, scale):
            plain = {"kind": "number", "typical": typical, "scale": [scale.low, scale.high, scale.step]}
            apart = plain, {"mean": _small(mean), "spread": _small(spread)}
        case SpanPredictions():
            apart = _spans_apart(predicted)
        case OneOfferedPredictions(offered, some) | SomeOfferedPredictions(offered, some):
            from_on = predicted.threshold if isinstance(predicted, SomeOfferedPredictions) else None
            plain = {"kind": "offered", "offered": [list(labels) for labels in offered], "threshold": from_on}
            apart = plain, {"chances": _joined(some)}
        case RankingPredictions(items, worths, buckets, placed):
            plain = {"kind": "ranking", "items": [list(some) for some in items], "buckets": list(buckets)}
            apart = plain, {"worths": _joined(worths), "chances": _joined([one.ravel() for one in placed])}
        case _:
            return None
    return apart


def _spans_apart(predicted: SpanPredictions) -> tuple[Plain, Arrays]:
    all_spans = list(chain.from_iterable(predicted.spans))
    places = {label: n for n, label in enumerate(dict.fromkeys(span.label for span in all_spans))}
    marked = [(span.start, span.end, places[span.label]) for span in all_spans]
    return {"kind": "spans", "labels": list(places), "lengths": list(map(len, predicted.spans))}, {
        "spans": np.array(marked, dtype=np.int32).reshape(-1, 3),
        "chances": np.array(list(chain.from_iterable(predicted.chances)), dtype=np.float32),
        "uncertainty": _small(predicted.uncertainty),
    }


def _together(plain: Plain, arrays: Arrays) -> TargetPredictions:
    return _READERS[plain["kind"]](plain, arrays)


def _offered_together(plain: Plain, arrays: Arrays) -> TargetPredictions:
    offered = [tuple(labels) for labels in plain["offered"]]
    some = _cut(arrays["chances"], list(map(len, offered)))
    if plain["threshold"] is None:
        return OneOfferedPredictions(offered, some)
    return SomeOfferedPredictions(offered, some, plain["threshold"])


def _spans_together(plain: Plain, arrays: Arrays) -> SpanPredictions:
    labels, lengths = plain["labels"], plain["lengths"]
    spans = [Span(start, end, labels[n]) for start, end, n in arrays["spans"].tolist()]
    ends = [0, *accumulate(lengths)]
    chances = [tuple(some.tolist()) for some in _cut(arrays["chances"], lengths)]
    return SpanPredictions([tuple(spans[a:b]) for a, b in pairwise(ends)], chances, arrays["uncertainty"])


def _ranking_together(plain: Plain, arrays: Arrays) -> RankingPredictions:
    items, buckets = [tuple(some) for some in plain["items"]], tuple(plain["buckets"])
    lengths = list(map(len, items))
    worths = _cut(arrays["worths"], lengths)
    if not buckets:
        return RankingPredictions(items, worths)
    flat = _cut(arrays["chances"], [n * len(buckets) for n in lengths])
    return RankingPredictions(items, worths, buckets, [one.reshape(-1, len(buckets)) for one in flat])


def _small(numbers: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(numbers, dtype=np.float32)


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    return np.concatenate([np.empty(0), *parts]).astype(np.float32)


def _cut(numbers: NDArray[Any], lengths: Sequence[int]) -> list[NDArray[Any]]:
    return [numbers[start:end] for start, end in pairwise([0, *accumulate(lengths)])]


_READERS: Mapping[str, Callable[[Plain, Arrays], TargetPredictions]] = {
    "choice": lambda plain, arrays: ChoicePredictions(tuple(plain["labels"]), arrays["chances"]),
    "choices": lambda plain, arrays: ChoicesPredictions(tuple(plain["labels"]), arrays["chances"], plain["threshold"]),
    "number": lambda plain, arrays: NumberPredictions(
        arrays["mean"], arrays["spread"], plain["typical"], Scale(*plain["scale"])
    ),
    "spans": _spans_together,
    "offered": _offered_together,
    "ranking": _ranking_together,
}
