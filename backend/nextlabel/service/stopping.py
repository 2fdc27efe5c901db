"""Whether labeling may stop, what was saved, and how much to label at a time: read from what the loop has checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nextlabel.evaluation import accuracy, recall
from nextlabel.evaluation.batches import Batch, batch_advice
from nextlabel.evaluation.savings import Gain, Saved
from nextlabel.evaluation.stopping import RECALL, Advice, Criterion, Wanted, advice, named
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import Checkpoint, Connection, ModelRecord, Standing
from nextlabel.storage.checkpoints import StoredCheckpoints
from nextlabel.storage.label_store import SqlLabelStore

_NO_ADVICE = "No advice: of a team's own model it is not known what it would have learned from fewer labels."


@dataclass(frozen=True, slots=True)
class StoppingAdvice:
    """The part of the overview that is about when to stop: plain values throughout."""

    store: SqlLabelStore
    checkpoints: StoredCheckpoints

    def of(self, connection: Connection, serving: ModelRecord | None, labels: int, audits: int) -> dict[str, Any]:
        """By the version in service and those before it that were checked, and how many tasks are labeled by now, and
        of these how many audit tasks. Of a team's own model nothing holds that was found of nextlabel's before."""
        project, options = connection.project, connection.options
        own = bool(serving and serving.learner)
        history = () if own else self.checkpoints.figures(project)
        standing = Standing() if own else self.checkpoints.standing(project)
        last, recalled = history[-1] if history else None, _recall(options, serving)
        found = self._advice(options, history, standing, serving, labels, audits, _criterion(recalled))
        batch = batch_advice(
            error=None if last is None else max(last.checked.error.values(), default=None),
            seconds=self.store.median_seconds(project),
            own=own,
        )
        rare = {target: dict(counts) for target, counts in standing.rare.items()}
        return {
            "stopping": {
                "stop": found.stop,
                "sentence": found.sentence,
                "budget_spent": found.spent,
                "criteria": [asdict(one) for one in found.criteria],
                "checked": [_checked(one) for one in history],
            },
            "labels_saved": _saved(last.saved if last else {}, audits),
            "gain_over_random": _saved(last.gains if last else {}, audits),
            "recall": recalled,
            "at_a_time": _batch(batch, rare, several=_several(last, rare)),
        }

    @staticmethod
    def _advice(
        options: ProjectOptions,
        history: Sequence[Checkpoint],
        standing: Standing,
        serving: ModelRecord | None,
        labels: int,
        audits: int,
        recalled: Criterion | None,
    ) -> Advice:
        last = history[-1] if history else None
        return advice(
            [one.checked for one in history],
            wanted=Wanted(options.worth_points, options.target_accuracy, options.budget),
            labels=labels,
            audits=audits,
            rare=standing.rare,
            accuracy=accuracy.of_version(serving.metrics) if serving else {},
            forecasts=last.forecasts if last else {},
            recall=recalled,
            several=_several(last, standing.rare),
            why_none=_NO_ADVICE if serving and serving.learner else "",
        )


def _checked(one: Checkpoint) -> dict[str, Any]:
    forecasts = {name: asdict(forecast) for name, forecast in one.forecasts.items()}
    return {"version": one.version, **asdict(one.checked), "gain_of_next_100": forecasts}


def _saved(found: Mapping[str, Saved] | Mapping[str, Gain], audits: int) -> dict[str, Any]:
    return {
        name: asdict(one) | {"shown": one.is_shown, "sentence": one.in_words(audits)} for name, one in found.items()
    }


def _several(last: Checkpoint | None, rare: Mapping[str, Mapping[str, int]]) -> bool:
    """Whether there is more than one target, so that each must be named."""
    return len({*rare, *(last.checked.error if last else ())}) > 1


def _recall(options: ProjectOptions, serving: ModelRecord | None) -> dict[str, Any] | None:
    """Of the class that the project names, by the version in service; None where it names none."""
    name, metrics = options.recall_class, serving.metrics if serving else {}
    if not name:
        return None
    found = recall.of_version(metrics, name, options.recall_target)
    if found is None:
        nothing = dict.fromkeys(("target", "found", "labels", "value", "low", "high", "holds", "more"))
        own = serving is not None and bool(serving.learner)
        why_not = recall.OF_OWN_MODEL if own else recall.why_not(metrics, name)
        return {"class": name, "wanted": options.recall_target} | nothing | {"sentence": why_not}
    known = {"target": found.target, "found": found.found, "labels": found.labels}
    share = {"value": found.value, "low": found.low, "high": found.high}
    return {
        "class": name,
        "wanted": found.wanted,
        **known,
        **share,
        "holds": found.holds,
        "more": found.more,
        "sentence": found.sentence,
    }


def _criterion(found: Mapping[str, Any] | None) -> Criterion | None:
    """S5."""
    return None if found is None else Criterion(RECALL, found["holds"], found["low"], found["sentence"])


def _batch(batch: Batch, rare: Mapping[str, Mapping[str, int]], *, several: bool) -> dict[str, Any]:
    classes = named(rare, several=several)
    wanted = f" Ask for tasks of {classes} first: they have fewer than 5 labels." if classes else ""
    return asdict(batch) | {"rare": rare, "sentence": batch.sentence + wanted}
