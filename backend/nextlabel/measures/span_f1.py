"""How well spans were found."""

from __future__ import annotations

from collections.abc import Sequence

from nextlabel.labeling import Span


def span_f1(truth: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> tuple[float, float, float]:
    """Precision, recall and F1 over all spans of all texts; a span is right when its extent and label are.

    Where nothing was to be found and nothing was, all three are 1.
    """
    right = sum(len(set(true) & set(found)) for true, found in zip(truth, predicted, strict=True))
    there, found = sum(len(set(spans)) for spans in truth), sum(len(set(spans)) for spans in predicted)
    if not there and not found:
        return 1.0, 1.0, 1.0
    return right / found if found else 0.0, right / there if there else 0.0, 2 * right / (there + found)
