"""The promotion gate: a new model serves unless it is clearly worse than the one in service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nextlabel.evaluation import paired
from nextlabel.evaluation.sanity import Check
from nextlabel.labeling import counted
from nextlabel.labeling.ranking import Floats

_MIN_FRESH = 10
_ANCHOR_LABELS = 50
_BEHIND, _NOT_BEHIND = 1.67, 1.0  # standard errors: the first is one side of 95 % of Student's t
_MATTERS = 0.005  # of loss: about half a point of accuracy
_CONTRADICTED, _EXCESS = 5.0, 0.1  # standard errors, and the share of labels; honest ones came to 3 of them
_WHICH_SERVES, _ANCHOR_SERVES = "which serves again", "the anchor serves again"


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

    def without_anchor(self, chosen: str) -> Promotion:
        """The same where the version in service is one that a person chose, which stays."""
        stays, reason = f"{chosen} stays, which a person chose", self.reason
        if self.to_anchor:
            reason = reason.replace(_WHICH_SERVES, stays).replace(_ANCHOR_SERVES, stays)
        return replace(self, reason=reason, to_anchor=False)


@dataclass(frozen=True, slots=True)
class Rival:
    """A version that the candidate is held to on n labels that neither has seen, by the losses of both there.

    Those on audit labels are in [0, 1].
    """

    candidate: Floats
    rival: Floats


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Three versions on all n audit labels, also on those that they were trained on, each by models that had not seen
    the label: losses in [0, 1] of the ``candidate``, of the ``anchor``, and of the one ``in_service``.

    ``sure`` and ``right`` are of m other tasks that are new to the anchor: its confidence, and which share of their
    labels it was right about.
    """

    candidate: Floats
    anchor: Floats
    in_service: Floats
    sure: Floats
    right: Floats

    @property
    def no_worse(self) -> bool:
        return len(self.candidate) >= _ANCHOR_LABELS and bool(self.candidate.sum() <= self.anchor.sum())

    @property
    def contradicted(self) -> bool:
        """Whether the new labels say something else than the anchor far more often than it can be wrong."""
        return contradicted(self.sure, self.right)

    def judge(self) -> Promotion | None:
        """The decision where the candidate is turned down by these; else None."""
        if len(self.candidate) < _ANCHOR_LABELS:
            return None
        far = paired.held_out_t(self.candidate, self.anchor)
        losses = f"loss {self.candidate.mean():.3f} against {self.anchor.mean():.3f} out of fold"
        figures = f"{losses} on all {len(self.candidate)} audit labels"
        stays = paired.held_out_t(self.in_service, self.anchor) < _NOT_BEHIND
        serves = "the model in service stays" if stays else _ANCHOR_SERVES
        if far >= _BEHIND and self.candidate.mean() - self.anchor.mean() >= _MATTERS:
            return Promotion(False, f"behind the anchor, {serves}: {figures}", to_anchor=not stays)
        if far > 0 and self.contradicted:
            of_what = f"the labels of {counted(len(self.right), 'new task')}"
            wrong = f"{1 - self.right.mean():.0%} of {of_what}, {1 - self.sure.mean():.0%} expected"
            reason = f"the new labels contradict the anchor ({wrong}) and audit labels do not bear them out, {serves}"
            return Promotion(False, f"{reason}: {figures}", to_anchor=not stays)
        return None


def contradicted(sure: Floats, right: Floats) -> bool:
    """Whether the labels of m tasks say something else than a version far more often than it can be wrong, by how
    ``sure`` it was of each, and which share of its labels was ``right``."""
    excess = float(sure.mean() - right.mean()) if len(sure) else 0.0
    return excess >= _EXCESS and paired.overconfidence(sure, right) >= _CONTRADICTED


def audited(
    promotion: Promotion, anchor: Rival | None, in_service: Rival, held_out: HeldOut | None = None
) -> Promotion:
    """The decision once more, by audit labels, where a candidate would serve.

    Where it is behind the anchor, the anchor serves again; it is turned down also where it is worse beyond doubt than
    the version in service. Else it serves, and becomes the anchor once it was held to enough labels; the first one does
    so at once (no ``anchor``).

    Audit labels that neither has seen are few while they come rarely. So it is also held to the anchor on all of them,
    ``held_out``: clearly worse there, it is turned down, and where it is no worse, it becomes the anchor. So the loss
    of the anchors on the same labels never rises, by however small steps labels become worse.
    """
    if not promotion.promoted:
        return promotion
    if anchor is None:
        return replace(promotion, anchors=True)
    to_anchor = paired.judge(anchor.candidate, anchor.rival, stop_at=paired.AGAINST_ANCHOR)
    to_other = paired.judge(in_service.candidate, in_service.rival, stop_at=paired.AGAINST_BEFORE)
    if held_out is not None and (turned_down := held_out.judge()):
        return turned_down
    if to_anchor.outcome in (paired.Outcome.STOPPED, paired.Outcome.NOT_BETTER):
        return Promotion(False, f"behind the anchor, {_WHICH_SERVES}: {_words(to_anchor)}", to_anchor=True)
    if to_other.outcome is paired.Outcome.STOPPED:
        return Promotion(False, f"worse than the model in service: {_words(to_other)}")
    no_worse = held_out is not None and held_out.no_worse
    return replace(promotion, anchors=no_worse or to_anchor.n >= _ANCHOR_LABELS)


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
        only = counted(n, "new label")
        return Promotion(True, f"only {only} to judge by, fewer than {_MIN_FRESH}: the newer model serves")
    worse_by = candidate - in_service
    mean, error = float(worse_by.mean()), float(worse_by.std(ddof=1) / np.sqrt(n))
    figures = f"loss {candidate.mean():.3f} against {in_service.mean():.3f} on {n} new labels of the tasks asked"
    if mean > 2 * error and mean > 0.01:
        return Promotion(False, f"clearly worse than the model in service: {figures}")
    return Promotion(True, f"{'better' if mean < 0 else 'no clear difference'}: {figures}")
