"""The figures about a model, named as what they are: how far it agrees with people on the tasks that they were asked.

That is no accuracy. A query strategy asks what the model is unsure of, so that a model which is right on all of a pool
may agree on a third of what was asked. An accuracy takes tasks that were drawn at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nextlabel.evaluation import accuracy
from nextlabel.labeling import counted

NAME = "agreement on the tasks asked (harder than the average task)"

_NAMES = {
    "accuracy": "agreement",
    "accuracy_standard_error": "agreement_standard_error",
    "foretold": "agreement",  # of a team's own model: by the version before, on the labels that were new to it
    "new_labels": "labels",
}


def named(metrics: Mapping[str, float]) -> dict[str, float]:
    """A model's figures under names that promise no more than they hold; the target's comes first where there are
    several."""
    figures: dict[str, float] = {}
    of_all_labels = accuracy.others(metrics).items()
    for name, figure in sorted(of_all_labels, key=lambda one: one[0] == "new_labels"):  # which are those it is about
        target, dot, last = name.rpartition(".")
        figures[f"{target}{dot}{_NAMES.get(last, last)}"] = figure
    return figures


def targets_of(figures: Mapping[str, float]) -> list[str]:
    """The targets that a version has learned, where it learns several, by its figures as `named` has them."""
    return list(dict.fromkeys(name.rpartition(".")[0] for name in figures if "." in name))


def of_several(figures: Mapping[str, float]) -> bool:
    """Whether a version learns several targets, of which some may not be measured yet, by its figures as `named` has
    them: each must then be named, also where it is the only one."""
    return bool(targets_of(figures))


def in_words(metrics: Mapping[str, float]) -> Iterator[str]:
    """A line for each target that something was learned of, whether or not it could be measured yet."""
    targets: dict[str, dict[str, float]] = {}
    for name, figure in named(metrics).items():
        target, _, last = name.rpartition(".")
        targets.setdefault(target, {})[last] = figure
    for target, figures in targets.items():
        words = _words(figures) or "not measured yet"
        yield f"{f'{target}: ' if target else ''}{words}, on {counted(round(figures.get('labels', 0)), 'label')}"


def _words(figures: Mapping[str, float]) -> str:
    match figures:
        case {"agreement": share, "agreement_standard_error": error}:
            return f"{share:.3f} ± {error:.3f}"
        case {"agreement": share}:
            return f"{share:.3f} by the version before, when they were new to it"
        case {"micro_f1": f1, "all_right": share}:
            return f"F1 {f1:.3f}, every label right in {share:.0%} of the tasks"
        case {"f1": f1, "precision": precision, "recall": recall}:
            return f"F1 {f1:.3f} (precision {precision:.3f}, recall {recall:.3f})"
        case {"mean_absolute_error": off, "correlation": correlation}:
            return f"off by {off:.3g} on average (correlation {correlation:.2f})"
    return ", ".join(_of_items(figures))


def _of_items(figures: Mapping[str, float]) -> Iterator[str]:
    """Of an order of items."""
    if "kendall_tau" in figures:
        yield f"Kendall's tau {figures['kendall_tau']:.2f}"
    if "bucket_agreement" in figures:
        yield f"the right bucket for {figures['bucket_agreement']:.0%} of the items"
