"""Learning a project target by target, with nextlabel's own encoders and estimators."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

import joblib
import numpy as np
from numpy.typing import NDArray

from nextlabel.estimators.by_kind import Fitted
from nextlabel.estimators.fitting import fit, trusting
from nextlabel.estimators.project import Learned, Misses, Model, ProjectModel, SlowModel
from nextlabel.estimators.starts import LastFit
from nextlabel.evaluation import accuracy, beside, sanity
from nextlabel.evaluation.metrics import metrics_of
from nextlabel.evaluation.promotion import Promotion, audited, contradicted, judge, sanity_first
from nextlabel.evaluation.sanity import Check
from nextlabel.features.encoders import Encoder, encoder_for, models_for
from nextlabel.features.matrices import rows_of
from nextlabel.features.model_folders import NO_EMBEDDINGS, Embeddings
from nextlabel.features.source import Source
from nextlabel.features.spaces import Space
from nextlabel.labeling import KINDS, Input, Label, LabelSchema, Target, Task, TaskId
from nextlabel.labeling.ranking import Features, Floats
from nextlabel.learning.checking import Evidence, checks
from nextlabel.learning.comparing import MOST_WAITING, Known, compared
from nextlabel.learning.confidence import Confidence, without
from nextlabel.learning.judging import Unseen, held_out, known_misses, misses_of, new_answers, rivals
from nextlabel.learning.pools import Examples, blank_last, candidate_pool, expected_seconds, nothing_to_read
from nextlabel.learning.scoring import Scorer
from nextlabel.learning.weights import NO_WEIGHTS, Weights, counting, weight_of
from nextlabel.learning.workbench import Answer, Candidates, Challenger, Champion, Compared
from nextlabel.measures.out_of_fold import OutOfFold
from nextlabel.measures.target_predictions import TargetPredictions
from nextlabel.ports.state import Labeled

_CHECKED = 200  # open tasks that a new version is tried on


class TargetsWorkbench:
    """The tasks, what is labeled of each target, and their features, encoded once. Fulfils `Workbench`."""

    learner = ""

    def __init__(
        self,
        schema: LabelSchema,
        labeled: Labeled,
        still_open: Sequence[Task],
        source: Source,
        *,
        seed: int,
        embeddings: Embeddings = NO_EMBEDDINGS,
        judged: bool = True,
        weights: Weights = NO_WEIGHTS,
        audits: Collection[TaskId] = (),
        unlabeled: Sequence[Task] = (),
        confidence: Confidence | None = None,
    ) -> None:
        """``embeddings`` are ready-made models (`encoder_for`); ``judged`` is for `fit`; ``weights`` is how much each
        target counts in the order; ``audits`` are the labeled audit tasks, ``unlabeled`` the others, in the order in
        which they are served. ``confidence`` is a control that weighs labels and is not learned itself. Raises
        `SchemaError` where nothing can be learned."""
        schema.check_learnable()
        self.schema = schema if confidence is None else without(schema, confidence.target.name)
        self.open, self.source, self._confidence = still_open, source, confidence
        self._label_weights: dict[TaskId, float] = {}
        self._seed, self._embeddings, self._judged = seed, embeddings, judged
        self._weights, self._audits, self._unlabeled = weights, audits, unlabeled
        self._row_of_labeled = {task.id: row for row, task in enumerate(labeled.tasks)}
        others = [task for task in still_open if task.id not in self._row_of_labeled]
        self.everyone = [*labeled.tasks, *others]
        self._open_behind = still_open if len(others) == len(still_open) else None  # all labeled ones, in `everyone`
        self.labels: dict[TaskId, dict[str, Label]] = {}
        self.set_aside: dict[str, int] = {}
        self.blank: Sequence[Task] | None = None
        self._timed = labeled.tasks, labeled.seconds
        self._encoders: dict[tuple[Sequence[Input], bool], Encoder] = {}
        self._encoded: dict[str, Features] = {}
        self._encoded_unlabeled: dict[str, Features] = {}
        self._spaces: dict[str, Space] = {}
        self._fitted: dict[str, Fitted] = {}
        for task, given in zip(labeled.tasks, labeled.labels, strict=True):
            self._take(task.id, given)

    def _take(self, task: TaskId, given: Mapping[str, object]) -> None:
        """Only what the labeling config still has room for; the rest is kept in the store, not trained on."""
        for target in self.schema.targets:
            if target.name in given:
                label = target.read(given[target.name])
                if label is None:
                    self.set_aside[target.name] = self.set_aside.get(target.name, 0) + 1
                else:
                    self.labels.setdefault(task, {})[target.name] = label
        if self._confidence is not None and task in self.labels:
            self._label_weights[task] = self._confidence.weight(given.get(self._confidence.target.name))

    def take(self, labels: Mapping[TaskId, Mapping[str, object]]) -> None:
        """Labels more, of tasks that were open; what is encoded stays so. For a simulation: a project is read anew."""
        for task, given in labels.items():
            self._take(task, given)
        self.open = [task for task in self.open if task.id not in labels]
        self.__dict__.pop("digest", None)

    @property
    def targets(self) -> Sequence[Target]:
        return self.schema.targets

    @property
    def schema_digest(self) -> str:
        return self.schema.digest

    @cached_property
    def digest(self) -> str:
        """Also of how tasks are read: after an upgrade that reads them otherwise, or with another ready-made model, all
        is learned again."""
        content = sorted((task, sorted(labels.items())) for task, labels in self.labels.items())
        models = models_for([one for target in self.schema.targets for one in target.inputs], self._embeddings)
        weights = [tuple(sorted(self._label_weights.items()))] if self._label_weights else []
        return hashlib.sha256(repr((ProjectModel.kind, content, *models, *weights)).encode()).hexdigest()[:16]

    def understands(self, learner: str, schema_digest: str) -> bool:
        return (learner, schema_digest) == (self.learner, self.schema_digest)

    def ordered_by(self, strategy: str) -> str:
        return f"{strategy}, weights {joblib.hash(sorted(self._weights.items()))[:12]}" if self._weights else strategy

    @property
    def ranks_all(self) -> bool:
        return not any(KINDS[target.kind].slow for target in self.schema.targets)

    def learn(
        self, champion: Champion | None, meanwhile: Callable[[], object], anchor: Champion | None = None
    ) -> Challenger:
        """Fit every target's estimator, and judge the model against the one in service."""
        learned: dict[str, Learned] = {}
        fitted: dict[str, Fitted] = {}
        by_anchor = [] if anchor is None else list(self._unseen(anchor))
        # Then it is to be known at once what the labels that are new to the anchor do to a model.
        folds_anew = anchor is not None and contradicted(*new_answers(anchor, by_anchor, self._audits))
        folds_kept = False
        for target in self.schema.targets:
            encoder = self._encoder(target)
            examples = self._examples(target, encoder)
            space = self._space(encoder)
            known = examples.tasks, examples.features, examples.labels
            others = self._unlabeled_features(target, encoder)
            last = self._last_fit(target, encoder, examples.tasks, folds_anew=folds_anew)
            fitted[target.name] = fit(
                target,
                *known,
                space,
                self._seed,
                judged=self._judged,
                others=others,
                last=last,
                weights=self._weights_of(target),
            )
            learned[target.name] = Learned(encoder, fitted[target.name].model)
            folds_kept |= last is not None and last.folds_kept
        self._fitted = fitted
        metrics = self._metrics(fitted)
        found = [one for target in self.schema.targets for one in self._checks(target, fitted, metrics, champion)]
        misses = {target.name: self._audit_misses(target, fitted[target.name]) for target in self.schema.targets}
        promotion = self._judge(champion, anchor, by_anchor, fitted, misses)
        if champion is None or champion.model is not None:  # else nothing would serve: what fails is shown all the same
            promotion = sanity_first(found, promotion)
        if folds_kept:  # they have not seen the newest labels: that these do no harm is not known yet
            promotion = replace(promotion, anchors=False)
        figures = metrics | sanity.figures_of(found)
        return Challenger(ProjectModel(learned, misses), figures, promotion, self._out_of_fold(fitted))

    def _out_of_fold(self, fitted: Mapping[str, Fitted]) -> dict[str, OutOfFold]:
        return {
            name: OutOfFold(self._labeled(name), one.out_of_fold)
            for name, one in fitted.items()
            if one.out_of_fold is not None
        }

    def _checks(
        self, target: Target, fitted: Mapping[str, Fitted], metrics: Mapping[str, float], champion: Champion | None
    ) -> Sequence[Check]:
        """None in a simulation that asks for no judgement."""
        if not self._judged:
            return ()
        encoder, every = self._encoder(target), max(1, len(self.open) // _CHECKED)
        places = np.arange(len(self.open))[::every][:_CHECKED]
        some = [self.open[place] for place in places.tolist()]

        def encoded(by: Encoder) -> Features:
            return rows_of(self._features(by, self.open), places)

        examples = self._examples(target, encoder)
        evidence = Evidence(fitted[target.name], examples, some, encoder, encoded, self._audits, metrics)
        return list(checks(evidence, champion))

    def answers(self, champion: Champion, audits: Collection[TaskId]) -> Sequence[Answer]:
        return [
            Answer(target.name, task.id, correctness, target.kind == "choice", guess.label)
            for target, examples, rows, predicted in self._unseen(champion)
            for task, correctness, guess in zip(
                [examples.tasks[row] for row in rows],
                predicted.correctness([examples.labels[row] for row in rows]).tolist(),
                predicted.guesses(target.name),
                strict=True,
            )
            if task.id in audits and target.name not in champion.trained_on.get(task.id, {})  # nor an earlier label
        ]

    def _unseen(self, champion: Champion) -> Iterator[Unseen]:
        """By target, the rows whose labels the champion was not trained on, and what it predicts for them."""
        if not (champion.same_kind and isinstance(champion.model, ProjectModel)):
            return
        for target in self.schema.targets:
            known = champion.model.targets.get(target.name)
            if known is None or not known.estimator.informative:
                continue
            examples = self._examples(target, known.encoder)
            rows = [
                row
                for row, (task, label) in enumerate(zip(examples.tasks, examples.labels, strict=True))
                if target.read(champion.trained_on.get(task.id, {}).get(target.name)) != label
            ]
            predicted = known.estimator.predict([examples.tasks[row] for row in rows], examples.features[rows])
            yield target, examples, rows, predicted

    def compare(self, model: Model, tasks: Sequence[TaskId]) -> Sequence[Compared]:
        if not isinstance(model, ProjectModel):
            return ()
        asked = [self.everyone[self._row[task]] for task in tasks if task in self._row]
        waiting = self._unlabeled[:MOST_WAITING]
        found = []
        for target in self.schema.targets:
            learned, fitted = model.targets[target.name], self._fitted.get(target.name)
            if fitted is None or not learned.estimator.informative:
                continue
            examples, encoder = self._examples(target, learned.encoder), learned.encoder
            known = Known(target, examples, fitted, self._space(encoder), self._seed, self._audits)
            of_stop_set = learned.estimator.predict(asked, self._features(encoder, asked))
            of_waiting = learned.estimator.predict(waiting, encoder.encode(waiting, self.source))
            features = partial(self._features, encoder)
            found.append(compared(known, asked, of_stop_set, waiting, of_waiting, features))
        return found

    def trusting(self) -> Mapping[str, OutOfFold]:
        found: dict[str, OutOfFold] = {}
        for target in self.schema.targets:
            fitted = self._fitted.get(target.name)
            if fitted is None or fitted.out_of_fold is None:
                continue
            encoder = self._encoder(target)
            examples = self._examples(target, encoder)
            known = examples.tasks, examples.features, examples.labels
            weights = self._weights_of(target)
            again = trusting(target, *known, fitted.out_of_fold, self._space(encoder), self._seed, weights)
            found[target.name] = OutOfFold(self._labeled(target.name), again or fitted.out_of_fold)
        return found

    def is_cold(self, model: Model, cold_start: int) -> bool:
        """Also while the model knows only of targets that do not count."""
        return not (model.informative and self._knows_what_counts(model)) or len(self.labels) < cold_start

    def _knows_what_counts(self, model: Model) -> bool:
        targets = model.speaking if isinstance(model, ProjectModel) else ()
        return not self._weights or any(weight_of(name, self._weights) for name in targets)

    def candidates(self, model: Model, scorer: Scorer) -> Candidates:
        scorer.progress("rank", len(self.open))
        if not isinstance(model, ProjectModel):
            raise TypeError(f"{type(model).__name__} is none of nextlabel's own models")
        estimators = {name: learned.estimator for name, learned in model.speaking.items()}
        slow = {name: one for name, one in estimators.items() if isinstance(one, SlowModel)}
        tasks, predicted = self.open, dict[str, TargetPredictions]()
        if slow:
            asked, predicted = scorer.target_predictions(slow, self.open)
            tasks = [self.open[n] for n in asked]
        features = {name: self._features(learned.encoder, tasks) for name, learned in model.speaking.items()}
        target_predictions = {
            name: predicted[name] if name in predicted else estimator.predict(tasks, features[name])
            for name, estimator in estimators.items()
        }
        targets = {target.name: target for target in self.schema.targets}
        blank = np.all([nothing_to_read(targets[name], tasks, some) for name, some in features.items()], axis=0)
        self.blank = [tasks[row] for row in np.flatnonzero(blank).tolist()]
        order, readable = blank_last(blank)
        counted = counting(target_predictions, self._weights)
        lead = next(target for target in self.schema.targets if target.name in counted)
        encoder = model.targets[lead.name].encoder
        chosen = [tasks[row] for row in readable]
        pool = candidate_pool(
            chosen,
            rows_of(features[lead.name], readable),
            {name: one.of(readable) for name, one in counted.items()},
            self._examples(lead, encoder),
            lambda: self._space(encoder),
            scorer.seed,
            expected_seconds(*self._timed, chosen, [one for target in self.schema.targets for one in target.inputs]),
            self._weights,
        )
        predicted = {name: one.of(order) for name, one in target_predictions.items()}
        return Candidates([tasks[row] for row in order], predicted, pool, self._weights)

    def _audit_misses(self, target: Target, fitted: Fitted) -> dict[TaskId, float]:
        """What the answer to each labeled audit task cost, out of fold, where that is known."""
        if fitted.out_of_fold is None:
            return {}
        labeled = self._labeled(target.name)
        rows, labels = [row for row, task in enumerate(labeled) if task in self._audits], self._labels_of(target)
        misses = misses_of(target, fitted.out_of_fold.of(rows), [labels[row] for row in rows])
        return dict(zip([labeled[row] for row in rows], misses.tolist(), strict=True))

    def _judge(
        self,
        champion: Champion | None,
        anchor: Champion | None,
        by_anchor: Sequence[Unseen],
        fitted: Mapping[str, Fitted],
        misses: Misses,
    ) -> Promotion:
        """By the labels of all targets that the model in service has not seen, and those of audit tasks alone;
        ``by_anchor`` is what the anchor predicts of those that it has not seen."""
        if champion is None or not champion.same_kind:
            return Promotion(True, "the first model of this labeling config")
        if not isinstance(champion.model, ProjectModel):
            return Promotion(True, "the model in service is lost, damaged or of another release")
        by_champion = by_anchor if anchor is champion else list(self._unseen(champion))
        everywhere = rivals(by_champion, fitted, self.labels, lambda target, predicted, true: predicted.losses(true))
        promotion = judge(everywhere.candidate, everywhere.rival)
        if not self._audits:
            return promotion
        in_service = rivals(by_champion, fitted, self._audits, misses_of)
        if anchor is None:
            return audited(promotion, None, in_service)
        of_anchor, of_champion = (
            known_misses(version, unseen, self._audits)
            for version, unseen in ((anchor, by_anchor), (champion, by_champion))
        )
        held = held_out(misses, of_anchor, of_champion, new_answers(anchor, by_anchor, self._audits))
        return audited(promotion, rivals(by_anchor, fitted, self._audits, misses_of), in_service, held)

    def _encoder(self, target: Target) -> Encoder:
        about = target.inputs, target.compared  # many controls are about the same: its files are opened once for all
        if about not in self._encoders:
            self._encoders[about] = encoder_for(target, self.everyone, self.source, embeddings=self._embeddings)
        return self._encoders[about]

    def _features(self, encoder: Encoder, tasks: Sequence[Task]) -> Features:
        key = _name_of(encoder)
        if key not in self._encoded:
            self._encoded[key] = encoder.encode(self.everyone, self.source)
        return self._encoded[key] if tasks is self.everyone else rows_of(self._encoded[key], self._rows_of(tasks))

    def _unlabeled_features(self, target: Target, encoder: Encoder) -> Features | None:
        """Of some audit tasks without a label, where the accuracy gets surer by what is predicted for them."""
        labels = sum(target.name in self.labels.get(task, ()) for task in self._audits)
        if target.kind != "choice" or target.options or labels < accuracy.POWERED_FROM or not self._unlabeled:
            return None
        key = _name_of(encoder)
        if key not in self._encoded_unlabeled:
            some = self._unlabeled[: accuracy.MOST_UNLABELED]
            self._encoded_unlabeled[key] = encoder.encode(some, self.source)
        return self._encoded_unlabeled[key]

    def _last_fit(self, target: Target, encoder: Encoder, tasks: Sequence[Task], *, folds_anew: bool) -> LastFit | None:
        if self.source.fits is None:
            return None
        same = target.name, target.kind, target.labels, _name_of(encoder), self._seed  # which draws the folds
        return LastFit([task.id for task in tasks], self.source.fits, repr(same), folds_anew=folds_anew)

    def _space(self, encoder: Encoder) -> Space:
        """How the features of that encoder are weighed, given those of all tasks."""
        key = _name_of(encoder)
        if key not in self._spaces:
            self._spaces[key] = encoder.space(self._features(encoder, self.everyone))
        return self._spaces[key]

    @cached_property
    def _row(self) -> Mapping[TaskId, int]:
        """Of each task its place in `everyone`. Of a million this takes a second: a round does without."""
        return {task.id: row for row, task in enumerate(self.everyone)}

    def _rows_of(self, tasks: Sequence[Task]) -> NDArray[np.intp]:
        if tasks is self._open_behind:
            return np.arange(len(self.everyone) - len(tasks), len(self.everyone))
        return self._places([task.id for task in tasks])

    def _places(self, tasks: Sequence[TaskId]) -> NDArray[np.intp]:
        known = self._row_of_labeled
        row = known if all(task in known for task in tasks) else self._row
        return np.fromiter((row[task] for task in tasks), dtype=np.intp, count=len(tasks))

    def _examples(self, target: Target, encoder: Encoder) -> Examples:
        """What is labeled of a target."""
        tasks = [self.everyone[row] for row in self._places(self._labeled(target.name)).tolist()]
        return Examples(target, tasks, self._labels_of(target), self._features(encoder, tasks))

    def _labeled(self, target: str) -> list[TaskId]:
        """The tasks that have a label of it."""
        return [task for task, labels in self.labels.items() if target in labels]

    def _weights_of(self, target: Target) -> Floats | None:
        """How much each label of it counts beside the one that people are surest of, in the order of the tasks; None:
        all alike. Whoever always gives three stars of five has stated nothing of one label against another."""
        if self._confidence is None:
            return None
        weights = np.array([self._label_weights[task] for task in self._labeled(target.name)])
        return None if not len(weights) or weights.min() == weights.max() else weights / weights.max()

    def _labels_of(self, target: Target) -> list[Label]:
        """In the order of the tasks."""
        return [labels[target.name] for labels in self.labels.values() if target.name in labels]

    def _metrics(self, fitted: Mapping[str, Fitted]) -> dict[str, float]:
        """The figures of each target that was learned, under its name where there are several; while there are too few
        labels to judge by, only their number."""
        figures: dict[str, float] = {}
        for target in self.schema.targets:
            predicted, labels = fitted[target.name].out_of_fold, self._labels_of(target)
            others = fitted[target.name].others
            if fitted[target.name].model.informative:
                before = f"{target.name}." if len(self.schema.targets) > 1 else ""
                found = {"labels": float(len(labels))} if predicted is None else metrics_of(predicted, labels)
                figures |= {before + name: figure for name, figure in found.items()}
                if predicted is not None:
                    figures |= self._accuracy(target, predicted, labels, others)
        return figures

    def _accuracy(
        self,
        target: Target,
        out_of_fold: TargetPredictions,
        labels: Sequence[Label],
        others: TargetPredictions | None,
    ) -> Mapping[str, float]:
        """On its audit tasks; ``others`` have no label."""
        labeled = self._labeled(target.name)
        rows = [row for row, task in enumerate(labeled) if task in self._audits]
        audits = out_of_fold.of(rows)
        truth, pool = [labels[row] for row in rows], len(self.everyone) + len(self._unlabeled)
        correctness = audits.correctness(truth)
        sure = None if others is None else accuracy.Confidence(audits.confidence, others.confidence)
        found = accuracy.figures_of(target.name, correctness, pool=pool, sure=sure)
        return found | beside.figures_of(target, audits, truth) if found else found


def _name_of(encoder: Encoder) -> str:
    """The same for encoders that make the same features."""
    return str(joblib.hash(encoder.state()))
