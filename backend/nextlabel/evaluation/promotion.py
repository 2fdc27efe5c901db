"""The promotion gate: a new model serves unless it is clearly worse than the one in service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nextlabel.evaluation import paired
from nextlabel.evaluation.sanity import Check
from nextlabel.labeling.ranking import Floats

_MIN_FRESH = 10


_ANCHOR_LABELS = 50


@dataclass(frozen=True, slots=True)
class Promotion:
    """Whether the candidate serves, and why, in words for a person.

    ``anchors``: it was held to enough audit labels, and later versions are to be held to it. ``to_anchor``: the version
    in service is of no use either, and the anchor is to serve again.
    """

    promoted: bool
    reason: str
    anchors: bool = False
    to_anchor: bool = False


@dataclass(frozen=True, slots=True)
class Rival:
    """A version that the candidate is held to on n labels that neither has seen, by the losses of both there.

    Those on audit labels are in [0, 1].
    """

    candidate: Floats
    rival: Floats


def audited(promotion: Promotion, anchor: Rival | None, in_service: Rival) -> Promotion:
    """The decision once more, by audit labels, where a candidate would serve.

    Where it is behind the anchor, the anchor serves again; it is turned down also where it is worse beyond doubt than
    the version in service. Else it serves, and becomes the anchor once it was held to enough labels; the first one does
    so at once (no ``anchor``).
    """
    if not promotion.promoted:
        return promotion
    if anchor is None:
        return replace(promotion, anchors=True)
    to_anchor = paired.judge(anchor.candidate, anchor.rival, stop_at=paired.AGAINST_ANCHOR)
    to_other = paired.judge(in_service.candidate, in_service.rival, stop_at=paired.AGAINST_BEFORE)
    if to_anchor.outcome in (paired.Outcome.STOPPED, paired.Outcome.NOT_BETTER):
        return Promotion(False, f"behind the anchor, which serves again: {_words(to_anchor)}", to_anchor=True)
    if to_other.outcome is paired.Outcome.STOPPED:
        return Promotion(False, f"worse than the model in service: {_words(to_other)}")
    return replace(promotion, anchors=to_anchor.n >= _ANCHOR_LABELS)


def sanity_first(checks: Sequence[Check], promotion: Promotion) -> Promotion:
    """The decision where all checks that stop a version pass; else it is turned down."""
    failed = [one.sentence for one in checks if one.stops and not one.passed]
    if not failed:
        return promotion
    return Promotion(False, f"{'; '.join(failed)}. If that is as it should be: `nextlabel models promote`")


def _words(judgement: paired.Judgement) -> str:
    return f"on {judgement.n} audit labels that neither had seen, with an e-value of {judgement.worse:.3g}"


def judge(candidate: Floats, in_service: Floats) -> Promotion:
    """Compare losses on *fresh* labels, those that the model in service was not trained on.

    Both predictions are honest there: the one in service never saw the labels, the candidate's are out of fold.
    The candidate is turned down when it is worse by more than two standard errors of the paired difference.
    Newer labels win whenever there is too little evidence either way.
    """
    n = len(candidate)
    if n < _MIN_FRESH:
        return Promotion(True, f"only {n} new labels to judge by, fewer than {_MIN_FRESH}: the newer model serves")
    worse_by = candidate - in_service
    mean, error = float(worse_by.mean()), float(worse_by.std(ddof=1) / np.sqrt(n))
    figures = f"loss {candidate.mean():.3f} against {in_service.mean():.3f} on {n} new labels of the tasks asked"
    if mean > 2 * error and mean > 0.01:
        return Promotion(False, f"clearly worse than the model in service: {figures}")
    return Promotion(True, f"{'better' if mean < 0 else 'no clear difference'}: {figures}")
