"""Whether options fit what is labeled in a project: asked wherever they come from, before anything is kept."""

from __future__ import annotations

from collections.abc import Callable, Collection

from nextlabel.evaluation.recall import check_recall
from nextlabel.labeling import LabelSchema
from nextlabel.learning.confidence import check_confidence, without
from nextlabel.learning.weights import check_weights
from nextlabel.loop.relabeling import check_relabel
from nextlabel.options import ProjectOptions
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.strategies.needs import check_project

CHECKED = frozenset(("strategy", "model", "uncertainty_from", "confidence", "weights", "relabel", "recall_class"))
"""The options that fit a labeling config or not."""


def check_options(
    options: ProjectOptions,
    schema: LabelSchema,
    hosted: str,
    make: Callable[[str], QueryStrategy],
    *,
    chosen: Collection[str],
) -> None:
    """Raises `SettingsError` for an option among those ``chosen`` that does not fit, with what to choose instead.
    ``hosted`` is the team's own model, "" for nextlabel's; ``make`` makes a query strategy of its spec."""

    def any_of(*names: str) -> bool:
        return not set(names).isdisjoint(chosen)

    learned = without(schema, options.confidence)
    if any_of("strategy", "model", "uncertainty_from"):
        check_project(make(options.strategy), options.strategy, schema, options.uncertainty_from or hosted)
    if any_of("confidence"):
        check_confidence(options.confidence, schema, options.ordered)
    if any_of("weights", "model"):
        check_weights(options.weights, learned, hosted)
    if any_of("relabel", "model") and options.relabel == "auto":
        check_relabel(learned, hosted)
    if any_of("recall_class"):
        check_recall(options.recall_class, learned, hosted)
