"""Learning a project with a team's own model: it is fitted on the labels of people, and orders tasks by its own scores.

A scikit-learn model is fitted on the labels of one target. A model for label-studio-ml gets whole annotations, from a
tool that has them in Label Studio's words.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import orjson

from nextlabel.errors import ConfigurationError, HostedModelError
from nextlabel.estimators.hosted import HostedFacts, HostedProject, task_json
from nextlabel.estimators.project import Model
from nextlabel.evaluation.agreed import agreed_labels
from nextlabel.evaluation.promotion import Promotion
from nextlabel.features.encoders import encoder_of
from nextlabel.features.metadata import is_blank
from nextlabel.features.model_folders import NO_EMBEDDINGS, Embeddings
from nextlabel.features.source import Source
from nextlabel.hosting import HostedModel, HostedPrediction, Meanwhile
from nextlabel.hosting.hosts import Hosts
from nextlabel.labeling import (
    Annotation,
    Label,
    LabelSchema,
    ProjectId,
    Target,
    Task,
    TaskId,
    seconds_of,
)
from nextlabel.labeling.ranking import Features
from nextlabel.learning.pools import blank_last, expected_seconds, rarest_of, unlike_pool
from nextlabel.learning.scoring import Scorer
from nextlabel.learning.workbench import Answer, Candidates, Challenger, Champion, Compared, Labels
from nextlabel.measures.out_of_fold import OutOfFold
from nextlabel.options import ProjectOptions

log = logging.getLogger("nextlabel.hosted")

_MEANWHILE_SECONDS = 30.0  # of a fit, after which annotators are looked after
_TRIED = 8  # tasks that a new version must be able to predict before it serves
_JUDGED, _JUDGED_SECONDS = 200, 20.0  # new labels that the version in service is held to, and time for it to be asked


class HostedWorkbench:
    """The tasks and annotations of one project, and the team's model for it. Fulfils `Workbench`."""

    ranks_all = False

    def __init__(
        self,
        project: ProjectId,
        name: str,
        hosts: Hosts,
        *,
        schema: LabelSchema,
        annotated: Sequence[tuple[Task, tuple[Annotation, ...]]],
        still_open: Sequence[Task],
        source: Source,
        options: ProjectOptions,
        labels_in: Callable[[Sequence[Mapping[str, object]], Mapping[str, object]], Mapping[str, object]] | None,
        embeddings: Embeddings = NO_EMBEDDINGS,
    ) -> None:
        """``name`` is one of the hosts' models; ``labels_in`` reads a result (`MLBackendWords.labels_in`), None where
        the tool has no such words. Raises `SettingsError` where there is no model of that name."""
        self._project, self._name, self._hosts = project, name, hosts
        self._schema = schema if labels_in else replace(schema, source="")
        self._annotated = annotated
        self._labels_in = labels_in
        self._source, self._options, self._embeddings = source, options, embeddings
        self.open = still_open
        self.learner = hosts.learner(project, name)
        self.set_aside: Mapping[str, int] = {}
        self.blank: Sequence[Task] | None = None
        self._by_champion: dict[TaskId, HostedPrediction] = {}

    targets: Sequence[Target] = ()

    @property
    def schema_digest(self) -> str:
        return self._schema.digest if self._labels_in is None else self._schema.source_digest

    @property
    def everyone(self) -> Sequence[Task]:
        return list({task.id: task for task in (*(task for task, _ in self._annotated), *self.open)}.values())

    @cached_property
    def labels(self) -> dict[TaskId, dict[str, Label]]:
        """Of each task what stands for its annotations: they themselves may be large."""
        return {
            task.id: {self._name: _digest([[one.id, _content(one)] for one in annotations])}
            for task, annotations in self._annotated
        }

    @cached_property
    def _agreed(self) -> Mapping[TaskId, Mapping[str, object]]:
        """By task and target what most of those say who labeled it, as nextlabel's own models learn it."""
        return agreed_labels({task.id: annotations for task, annotations in self._annotated})

    @cached_property
    def digest(self) -> str:
        return _digest(sorted((task, labels[self._name]) for task, labels in self.labels.items()))

    def understands(self, learner: str, schema_digest: str) -> bool:
        return learner.rpartition(" ")[0] == self._name

    def ordered_by(self, strategy: str) -> str:
        return f"{strategy}, scores of regions by {self._options.region_scores}"

    def learn(
        self, champion: Champion | None, meanwhile: Callable[[], object], anchor: Champion | None = None
    ) -> Challenger | None:
        """Fit the model on every task with an annotation, from the version in service on; and try whether it predicts.

        None where the fit has changed nothing: the version in service is what there is to be had. Raises
        `HostedModelError` where it fails.
        """
        model = champion.model if champion and champion.same_kind else None
        previous = model if isinstance(model, HostedProject) else None
        if previous and not previous.facts.learns:
            return None
        self._hosts.tidy(self._project)
        foretold = self._foretold(previous, champion.trained_on) if champion and previous else {}
        start = previous if previous and self._annotated else self._unfitted()
        fitted = self._fitted(start, meanwhile) if self._annotated and start.facts.learns else None
        if fitted is None and start is previous:
            return None
        made = fitted or start
        began = time.monotonic()
        predicted = list(made.ask(self._some_tasks()))
        took = time.monotonic() - began
        informative = not all(one.is_empty for one in predicted)
        trained = made.facts.trained
        reason = (
            f"'{self._name}' {'fitted' if trained else 'as it came'}: predicted {len(predicted)} tasks in {took:.1f} s"
        )
        if foretold:
            share, number = foretold["foretold"], foretold["new_labels"]
            reason += f"; the version before agrees with {share:.0%} of {number:.0f} new labels of the tasks asked"
        version = self._version(replace(made.facts, informative=informative), made.hosted, made.files)
        labels = {"labels": float(len(self._annotated))} if made.facts.learns else {}
        return Challenger(version, labels | (foretold if trained else {}), Promotion(True, reason))

    def _foretold(self, previous: HostedProject, trained_on: Labels) -> dict[str, float]:
        """How many of the labels that have come since it was fitted the version in service says as well.

        The only figure about a team's model that costs no further training: it has not seen these labels. Of what
        annotators were asked, which is harder than the average task; and only of targets that nextlabel can read.
        """
        new = [(task, annotations) for task, annotations in self._annotated if task.id not in trained_on][-_JUDGED:]
        right = [one.correctness for one in self._answers(previous, new)]
        return {"foretold": sum(right) / len(right), "new_labels": float(len(right))} if right else {}

    def _answers(self, model: HostedProject, new: Sequence[tuple[Task, tuple[Annotation, ...]]]) -> list[Answer]:
        """By target and task, whether the version in service says what was given; of as many tasks as there is time
        for."""
        try:
            new, predicted = self._predicted(model, new)
        except HostedModelError:  # what it cannot say any more it has not foretold; the fit will tell
            return []
        learned = model.facts.target
        return [
            Answer(target.name, task.id, float(predicts == label), True, predicts)
            for (task, _), guess in zip(new, self._guessed(learned, predicted, new), strict=False)
            for target in ([learned] if learned else self._schema.targets)
            for predicts in [target.read(guess.get(target.name))]
            if (label := target.read(self._agreed[task.id].get(target.name))) is not None
        ]

    def _predicted(
        self, champion: HostedProject, new: Sequence[tuple[Task, tuple[Annotation, ...]]]
    ) -> tuple[Sequence[tuple[Task, tuple[Annotation, ...]]], Sequence[HostedPrediction]]:
        """As many of these as there is time for, and what the version in service says of them: asked once a turn."""
        known = self._by_champion
        asked = [task for task, _ in new if task.id not in known]
        predicted = champion.ask(asked, until=time.monotonic() + _JUDGED_SECONDS) if asked else ()
        known |= {task.id: one for task, one in zip(asked, predicted, strict=False)}
        answered = [pair for pair in new if pair[0].id in known]
        return answered, [known[task.id] for task, _ in answered]

    def _guessed(
        self,
        learned: Target | None,
        predicted: Sequence[HostedPrediction],
        tasks: Sequence[tuple[Task, object]],
    ) -> list[Mapping[str, object]]:
        """By target what was predicted for each task."""
        if learned is not None:
            return [{learned.name: one.label} for one in predicted]
        read = self._labels_in
        return [read(one.result, task.data) if read else {} for one, (task, _) in zip(predicted, tasks, strict=False)]

    def answers(self, champion: Champion, audits: Collection[TaskId]) -> Sequence[Answer]:
        """Of 1 where the version in service says the same, and 0 elsewhere, as far as nextlabel reads the targets."""
        model = champion.model if champion.same_kind else None
        new = [pair for pair in self._annotated if pair[0].id in audits and pair[0].id not in champion.trained_on]
        return self._answers(model, new) if isinstance(model, HostedProject) and new else []

    def compare(self, model: Model, tasks: Sequence[TaskId]) -> Sequence[Compared]:
        """Nothing: it may take a second for each task, and there is no model of audit labels alone."""
        return ()

    def trusting(self) -> Mapping[str, OutOfFold]:
        """Nothing: a team's own model is fitted once."""
        return {}

    def is_cold(self, model: Model, cold_start: int) -> bool:
        """A model that only predicts need not wait for labels."""
        learns = isinstance(model, HostedProject) and model.facts.learns
        return not model.informative or (learns and len(self._annotated) < cold_start)

    def candidates(self, model: Model, scorer: Scorer) -> Candidates:
        """As many open tasks, drawn at random, as the model predicts within the project's ``rank_seconds``."""
        if not isinstance(model, HostedProject):
            raise TypeError(f"{type(model).__name__} is no model of the team's own")
        asked, target_predictions = scorer.target_predictions({model.about: model}, self.open)
        tasks = [self.open[n] for n in asked]
        if len(tasks) < len(self.open):
            log.info("project %s: %d of %d open tasks predicted in time", self._project, len(tasks), len(self.open))
        names = [_names(annotations) for _, annotations in self._annotated]
        codes = rarest_of(names, sorted({name for row in names for name in row}))
        shown = self._schema.shown
        blank = np.array([bool(shown) and is_blank(task.data, shown) for task in tasks], dtype=np.bool_)
        self.blank = [tasks[row] for row in np.flatnonzero(blank)]
        order, readable = blank_last(blank)
        chosen = [tasks[row] for row in readable]
        features, labeled = self._features(chosen)
        predicted = {name: one.of(readable) for name, one in target_predictions.items()}
        timed = [task for task, _ in self._annotated], [seconds_of(annotations) for _, annotations in self._annotated]
        costs = expected_seconds(*timed, chosen, self._schema.shown)
        pool = unlike_pool(chosen, features, predicted, codes, labeled, scorer.seed, costs)
        pool = replace(pool, from_labels=model.facts.learns)
        return Candidates(
            [tasks[row] for row in order], {name: one.of(order) for name, one in target_predictions.items()}, pool
        )

    def _unfitted(self) -> HostedProject:
        """The model as its file makes it, which may well be one that others have trained."""
        folder = self._hosts.new_folder(self._project) / "unfitted"
        hosted = self._hosts.open(self._project, self._name, self._schema, folder)
        schema = LabelSchema((hosted.target,) if hosted.target else (), source=self._schema.source)
        return self._version(HostedFacts(self._name, self.learner, schema, learns=hosted.learns), hosted, folder)

    def _fitted(self, start: HostedProject, meanwhile: Callable[[], object]) -> HostedProject | None:
        folder = self._hosts.new_folder(self._project) / "fitted"
        tasks = self._to_learn_from(start.facts.target)
        train_output = start.hosted.fit(tasks, into=folder, meanwhile=Meanwhile(meanwhile, _MEANWHILE_SECONDS))
        if train_output is None:
            return None
        facts = HostedFacts(self._name, self.learner, start.facts.schema, train_output, trained=True)
        hosted = self._hosts.open(self._project, self._name, facts.schema, folder, train_output)
        return self._version(facts, hosted, folder)

    def _to_learn_from(self, target: Target | None) -> list[dict[str, object]]:
        """The tasks as the model's fit is given them: with a label of its target, or with whole annotations."""
        if target is None:
            return [task_json(task, [_whole(one) for one in annotations]) for task, annotations in self._annotated]
        labels = ((task, target.read(self._agreed[task.id].get(target.name))) for task, _ in self._annotated)
        return [{"data": dict(task.data), "label": label} for task, label in labels if label is not None]

    def _version(self, facts: HostedFacts, hosted: HostedModel, files: Path | None) -> HostedProject:
        return HostedProject(hosted, facts, files, lambda: self._options.region_scores)

    def _some_tasks(self) -> Sequence[Task]:
        return [*self.open[:_TRIED], *(task for task, _ in self._annotated[:_TRIED])][:_TRIED]

    def _features(self, tasks: Sequence[Task]) -> tuple[Features | None, Features | None]:
        """Of the open tasks and of those with an annotation, by what annotators see; None where that cannot be read."""
        labeled = [task for task, _ in self._annotated]
        everyone = [*tasks, *labeled]
        if not self._schema.shown:
            return None, None
        try:
            encoder = encoder_of(self._schema.shown, everyone, self._source, self._embeddings)
            features = encoder.encode(everyone, self._source)
        except ConfigurationError as error:
            log.warning("project %s: batches are not made diverse: %s", self._project, error)
            return None, None
        return features[: len(tasks)], features[len(tasks) :]


def _whole(annotation: Annotation) -> Mapping[str, object]:
    return annotation.whole or {"id": annotation.id, "result": []}


def _content(annotation: Annotation) -> object:
    """What it says, in the tool's own words where those are known."""
    return annotation.labels if annotation.whole is None else annotation.whole.get("result")


def _names(annotations: Sequence[Annotation]) -> list[str]:
    """The labels that were given, of whatever kind: in Label Studio's results they are lists of texts."""
    found: list[str] = []
    for annotation in annotations:
        result = _content(annotation)
        if annotation.whole is None:
            found += _texts(list(annotation.labels.values()))
        for item in result if isinstance(result, list) else ():
            value = item.get("value") if isinstance(item, dict) else None
            for part in value.values() if isinstance(value, dict) else ():
                found += [one for one in part if isinstance(one, str)] if isinstance(part, list) else []
    return found


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for one in value for text in _texts(one)] if isinstance(value, list | tuple) else []


def _digest(value: object) -> str:
    try:
        content = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # half a surrogate pair, or a number beyond 64 bits: real annotations hold both
        content = json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:16]
