"""After a version was learned: whether it is to be checked for whether labeling may stop, and what is found by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nextlabel.estimators.project import Model
from nextlabel.evaluation import savings, stability
from nextlabel.evaluation.forecast import Forecast, forecast
from nextlabel.evaluation.savings import Ahead, Gain, Saved, gain, saved
from nextlabel.evaluation.stopping import Checked, compared_to, is_due, rare_classes, stop_set
from nextlabel.labeling import Label, ModelVersion, ProjectId, TaskId
from nextlabel.labeling.ranking import Floats
from nextlabel.learning.comparing import counts_of
from nextlabel.learning.workbench import Compared, Workbench
from nextlabel.ports.state import AuditsAlone, Checkpoint, Checkpoints, Standing, StopSet

_GROWN = 2  # times the tasks
_MOST_RARE = 100  # classes of a target that are kept by name


@dataclass(frozen=True, slots=True)
class Stopping:
    """Checks versions of projects, those of 5 % more labels than the last one."""

    checkpoints: Checkpoints

    def note(
        self, project: ProjectId, workbench: Workbench, version: ModelVersion, model: Model | None, *, fence: int
    ) -> bool:
        """What is labeled by now, whatever became of the version that was learned of it; ``model`` is None where that
        does not serve. Returns whether the version was checked."""
        tasks = self._stop_set(project, workbench, fence)
        self.checkpoints.note_standing(project, _standing(workbench))
        if model is None:
            return False
        history, labels = self.checkpoints.figures(project), len(workbench.labels)
        if not is_due(labels, history[-1].checked.labels if history else None):
            return False
        found = workbench.compare(model, tasks)
        if not found:
            return False
        checked = self._checked(project, labels, history, found)
        forecasts, saved_labels, gains = self._by_audits(project, checked, history, found)
        predicted = {one.target.name: dict(one.predicted) for one in found}
        unseen = {one.target.name: dict(one.unseen) for one in found}
        done = Checkpoint(version, checked, predicted, unseen, forecasts, saved_labels, gains)
        self.checkpoints.add(project, done, fence=fence)
        return True

    def _stop_set(self, project: ProjectId, workbench: Workbench, fence: int) -> Sequence[TaskId]:
        """Drawn anew where there are twice as many tasks as then: by their hash, so that many of them stay in it."""
        known, everyone = self.checkpoints.stop_set(project, workbench.schema_digest), workbench.everyone
        if known is None or len(everyone) >= _GROWN * max(known.among, 1):
            known = StopSet(stop_set(task.id for task in everyone), len(everyone))
            self.checkpoints.draw(project, workbench.schema_digest, known, fence=fence)
        return known.tasks

    def _checked(
        self, project: ProjectId, labels: int, history: Sequence[Checkpoint], found: Sequence[Compared]
    ) -> Checked:
        error = {one.target.name: one.error for one in found}
        place = compared_to(labels, [one.checked.labels for one in history])
        before = {} if place is None else self.checkpoints.predicted(project, history[place].version)
        if place is None or not before:
            return Checked(labels, error=error)
        alike, changed = dict[str, float](), dict[str, float]()
        for one in found:
            name, kind = one.target.name, one.target.kind
            both = _both(one, before.get(name, {}))
            alike[name] = stability.alike(kind, *both) if both[0] else 0.0
            changed[name] = stability.changed(kind, *both) if both[0] else 1.0
        return Checked(labels, history[place].checked.labels, alike, changed, error)

    def _by_audits(
        self, project: ProjectId, checked: Checked, history: Sequence[Checkpoint], found: Sequence[Compared]
    ) -> tuple[dict[str, Forecast], dict[str, Saved], dict[str, Gain]]:
        """What the next labels bring, and what was saved and gained; by target, where there are enough audit labels."""
        forecasts, saved_labels, gains = dict[str, Forecast](), dict[str, Saved](), dict[str, Gain]()
        earlier = self.checkpoints.unseen(project)
        labels = [*(one.checked.labels for one in history), checked.labels]
        for one in found:
            name = one.target.name
            versions = [*(_known(one, some.get(name, {})) for some in earlier), one.unseen]
            tasks = [task for task in one.truth if task in one.unseen]
            right = np.stack([_right(one, tasks, some) for some in versions])
            if (ahead := forecast(labels, right, checked.changed.get(name, 1.0))) is not None:
                forecasts[name] = ahead
            if (alone := self._alone(project, one)) is not None:
                beside = [_ahead(one, some, _known(one, alone.predicted)) for some in versions]
                curves = labels, beside, alone.labels, alone.variance, checked.labels
                saved_labels[name] = saved(*curves)
                if (more := gain(*curves)) is not None:
                    gains[name] = more
        return forecasts, saved_labels, gains

    def _alone(self, project: ProjectId, one: Compared) -> AuditsAlone | None:
        """Models of audit labels alone: fitted anew once there are a quarter more of these."""
        known, audits = self.checkpoints.alone(project, one.target.name), len(one.truth)
        if one.alone is None or audits < savings.FEWEST:
            return known
        if known is not None and audits < min(known.audits * savings.GROWN, savings.MOST):
            return known
        latest = [one.unseen[task] for task in one.others]
        found = savings.alone(one.alone, _same(one), latest, audits, audits)
        predicted = dict(zip(one.truth, found.audits, strict=True)) | dict(zip(one.others, found.others, strict=True))
        fresh = AuditsAlone(one.target.name, audits, found.labels, found.variance, predicted)
        self.checkpoints.note_alone(project, fresh)
        return fresh


def _same(one: Compared) -> savings.Same:
    """By the kind of the target."""
    kind = one.target.kind
    width = stability.width_of(one.target.scale, list(one.truth.values())) if kind == "number" else 1.0
    return lambda predicted, other: stability.correctness(kind, predicted, other, width)


def _ahead(one: Compared, version: Mapping[TaskId, Label], alone: Mapping[TaskId, Label]) -> Ahead:
    """How much more right a version is than models of audit labels alone."""
    same = _same(one)
    audits, others = (
        [task for task in some if task in version and task in alone and task in one.unseen]
        for some in (one.truth, one.others)
    )

    def apart(tasks: Sequence[TaskId], right: Mapping[TaskId, Label]) -> Floats:
        mine, theirs, truth = ([some[task] for task in tasks] for some in (version, alone, right))
        return same(mine, truth) - same(theirs, truth)

    return Ahead(apart(audits, one.truth), apart(audits, one.unseen), apart(others, one.unseen))


def _both(one: Compared, before: Mapping[TaskId, object]) -> tuple[list[Label], list[Label]]:
    """What two versions predict of those tasks that both were asked about."""
    pairs = [(_read(one, before[task]), now) for task, now in one.predicted.items() if task in before]
    known = [(earlier, now) for earlier, now in pairs if earlier is not None]
    return [earlier for earlier, _ in known], [now for _, now in known]


def _right(one: Compared, tasks: Sequence[TaskId], predicted: Mapping[TaskId, Label]) -> Floats:
    """How right a version was about each of some audit tasks; NaN where it was not asked."""
    found, places = np.full(len(tasks), np.nan), [n for n, task in enumerate(tasks) if task in predicted]
    found[places] = _same(one)([predicted[tasks[n]] for n in places], [one.truth[tasks[n]] for n in places])
    return found


def _known(one: Compared, stored: Mapping[TaskId, object]) -> dict[TaskId, Label]:
    """What was predicted, as far as the target still has room for it."""
    read = ((task, _read(one, label)) for task, label in stored.items())
    return {task: label for task, label in read if label is not None}


def _read(one: Compared, stored: object) -> Label | None:
    """As of a label that was stored: it has been through JSON."""
    return one.target.read(stored)


def _standing(workbench: Workbench) -> Standing:
    rare = {
        target.name: rare_classes(counts_of(target, workbench.labels), target.separator) for target in workbench.targets
    }
    few = {name: dict(sorted(some.items(), key=lambda one: one[1])[:_MOST_RARE]) for name, some in rare.items() if some}
    return Standing(len(workbench.labels), few)
