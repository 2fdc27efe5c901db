"""Per-project settings: what a team may type into Label Studio's "extra params" or `nextlabel connect --option`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from math import inf

from nextlabel.errors import SettingsError

REGION_SCORES = ("score", "mean", "min", "max", "product", "count")
"""How the scores of several regions may make one uncertainty (`nextlabel.hosting.uncertainty`)."""
FROM_LABELS = 30
"""So many labels a target needs before a chance of being right says anything: from here on that of a single choice is
calibrated by labels that the model had not seen."""
_PER_CENT = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s*%")
_SHARE = re.compile(r"0?\.\d{1,6}")
_LONGEST = 60  # of a value in a message
_LONGEST_TEXT, _LARGEST_PARAMETERS = 300, 100_000
_LARGEST_WEIGHT = 1_000
_LABELS = re.compile(r"[1-9]\d{0,6}")
RANGES: Mapping[str, tuple[float, float]] = {
    "cold_start": (0, 10_000),
    "window": (1, 10_000),
    "quiet_seconds": (0.0, 3600.0),
    "max_wait_seconds": (0.0, 86_400.0),
    "seed": (0, 2**32 - 1),
    "rank_seconds": (1.0, 3600.0),
    "audit_share": (0.0, 0.5),
    "worth_points": (0.0, 100.0),
    "target_accuracy": (0.0, 1.0),
    "budget": (0, 100_000_000),
    "recall_target": (0.1, 0.99),
}
"""Between which bounds an option is, each included."""
_WORDS = {"annotators": ("on", "off"), "suspects": ("list", "tab", "queue", "off"), "relabel": ("auto", "off")}
MEANINGS: Mapping[str, str] = {
    "strategy": "which tasks come next: `adaptive`, or any that `nextlabel strategies` lists",
    "cold_start": "before so many labels, tasks that represent the whole pool come first",
    "window": "how many tasks stand in order in the tool",
    "quiet_seconds": "labels are gathered until they pause this long",
    "max_wait_seconds": "learning begins after this long, even if labels do not pause",
    "seed": "fixes all randomness",
    "model": "which of the installation's models of your own; `built-in` for nextlabel's, empty for what the "
    "installation starts with",
    "parameters": "what a model of your own is given, as JSON",
    "region_scores": "how scores of several regions make one uncertainty: `score`, `mean`, `min`, `max`, `product`, "
    "`count`",
    "rank_seconds": "how long a model of your own, or the tagger of spans, may be asked about open tasks for one "
    "order; where that is too short for all, the tasks asked about are drawn at random",
    "show_predictions": "which guesses people see: `always`, `never`, from so many labels on, such as `50`, or from 30 "
    "labels on those that are right with so high a chance: `80%`",
    "audit_share": "the share of tasks that are drawn at random to measure the accuracy, for good with the first round "
    "that draws any; 0 stops it",
    "weights": "where several things are asked, how much each control counts in the order, as JSON: 1 where nothing is "
    'given, 0 for not at all: `{"sentiment": 2, "topic": 0.5}`',
    "uncertainty_from": "the model version of predictions that are on the tasks already, such as those of your "
    "detector: the order goes by their scores, and nothing is hosted",
    "annotators": "`on`, or `off`: nothing is shown about the people who label",
    "ordered": "by control its labels from the lowest to the highest, where they have an order, as JSON: "
    '`{"grade": ["poor", "fair", "good"]}`',
    "confidence": "the control by which people say how sure they are of an annotation, such as `<Rating "
    'name="confidence" …/>`: it is not learned, and weighs the other labels of the annotation, from a fifth at its '
    "lowest value to 1 at its highest, and 1 where none is given; of single and several choices and numbers",
    "suspects": "labels that are likely wrong are found after each round: `list`; their tasks stand in a tab of the "
    "tool too: `tab`; at most 20 of them at a time are served once more to somebody else, one among twenty tasks and "
    "with no guess shown: `queue`, where Label Studio's project asks for one annotation per task; or `off`",
    "relabel": "a new task, or one that is labeled already: `auto` has labeled tasks come again, to somebody else, "
    "where another label of them is worth more than the first of the next new task (ActiveLab), at most one among ten "
    "tasks and three people's labels of each, with no guess shown; of single choices and with two annotators or more, "
    "where Label Studio's project asks for one annotation per task; or `off`",
    "worth_points": "when to stop: how many points of accuracy 100 labels must be worth",
    "target_accuracy": "when to stop: the accuracy that is wanted on all tasks, such as `0.95`; 0: none",
    "budget": "when to stop: how many labels there may be; 0: no matter",
    "recall_class": "when to stop: a rare class of which a large enough share is to be found, by its label, such as "
    "`fraud`; empty: none",
    "recall_target": "when to stop: which share of all tasks of `recall_class` the model is to find, surely by 95 %",
}
"""What each option is for, in the reference of options (`make docs`)."""


@dataclass(frozen=True, slots=True)
class ShowFrom:
    """Which guesses people see: of targets with so many ``labels``, those that are right with so high a ``chance``."""

    labels: float = 0
    chance: float = 0.0


@dataclass(frozen=True, slots=True)
class ProjectOptions:
    """How one project is run.

    ``strategy`` is a query strategy's spec; until there are ``cold_start`` labels, tasks that represent the whole pool
    come first instead, because a model of a few labels is sure and unsure of the wrong things. ``window`` is the number
    of tasks kept in order in the tool; ``quiet_seconds`` how long labels must pause before a training starts, and
    ``max_wait_seconds`` after how long it starts even if they do not pause; ``seed`` fixes all randomness.

    For a model of the team's own: ``model`` is the name of one that the installation has, "built-in" for nextlabel's
    own estimators, "" for what the installation starts with; ``parameters`` is what the model is given as extra params;
    ``region_scores`` how the scores of several regions make one uncertainty (`nextlabel.hosting.uncertainty`).

    ``rank_seconds`` is how long a model that is slow task by task, one of the team's own or the tagger of spans, may be
    asked about open tasks for one order, drawn at random where there are too many.

    ``show_predictions`` is which guesses people see with a task: "always" all, "never" none, "50" all from 50 labels of
    their target on, "80%" those that are right with that chance, from `FROM_LABELS` labels on. An annotator who sees a
    guess agrees with it, so that a wrong one costs more than none. On nine public data sets, with 30 to 200 labels, 47%
    of all guesses in the window were wrong, of those with a chance of 80% or more 8%. How good the model is on the
    whole says little of the tasks that are asked next: where it was right on 80% or more of the labels,
    cross-validated, 28% were wrong.

    ``audit_share`` is the share of tasks, drawn at random, that no strategy chooses, so that the model's accuracy can
    be measured on them (`nextlabel.evaluation.reserve`). It is fixed when the first are drawn; 0 stops audits.

    ``weights`` is by control how much it counts in the order where several are asked: 1 where it is not named, 0 where
    it does not count at all.

    ``uncertainty_from`` is the version of predictions that the team's own model, of which nextlabel knows nothing else,
    has left on the tasks: the order goes by their scores, read by ``region_scores``. "" for none.

    ``annotators`` is whether anything is said about the people who label ("on", "off"). ``ordered`` is by control its
    labels from the lowest to the highest, where they have an order, such as grades: how far people agree is then
    measured by how far apart their labels are.

    ``confidence`` is the control by which people say how sure they are of an annotation, which weighs its labels
    (`nextlabel.learning.confidence`); "" for none.

    ``suspects`` is whether labels that are likely wrong are found after each round ("list"), stand in a tab of the tool
    too ("tab"), are served once more to somebody else among the open tasks ("queue"), or none of it ("off").

    ``relabel`` is whether labeled tasks come again where another label is worth more than a new task ("auto", "off").

    When to stop (`nextlabel.evaluation.stopping`): ``worth_points`` is how many points of accuracy 100 labels must be
    worth, ``target_accuracy`` the accuracy that is wanted on all tasks, ``budget`` how many labels there may be; 0
    where it does not matter. ``recall_class`` is a class of which the model is to find the share ``recall_target``
    (`nextlabel.evaluation.recall`); "" for none.

    ``set_aside`` is what the database holds and this release cannot use, such as an option of a later one: the default
    stands in, and what is stored stays.
    """

    strategy: str = "adaptive"
    window: int = 200
    quiet_seconds: float = 1.0
    max_wait_seconds: float = 10.0
    seed: int = 0
    cold_start: int = 10
    model: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    region_scores: str = "score"
    rank_seconds: float = 60.0
    show_predictions: str = "80%"
    audit_share: float = 0.1
    weights: Mapping[str, float] = field(default_factory=dict)
    uncertainty_from: str = ""
    annotators: str = "on"
    ordered: Mapping[str, Sequence[str]] = field(default_factory=dict)
    confidence: str = ""
    suspects: str = "list"
    relabel: str = "off"
    worth_points: float = 0.5
    target_accuracy: float = 0.0
    budget: int = 0
    recall_class: str = ""
    recall_target: float = 0.8
    set_aside: Mapping[str, object] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.strategy:
            raise SettingsError("'strategy' is empty: give a query strategy's name, e.g. \"margin\".")
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"'{name}' is {_short(value)}: it must be between {low} and {high}.")
        for name in ("strategy", "model", "uncertainty_from", "confidence", "recall_class"):
            if len(getattr(self, name)) > _LONGEST_TEXT:
                raise SettingsError(f"'{name}' is longer than {_LONGEST_TEXT} characters: give a name.")
        if not _is_small(self.parameters):
            raise SettingsError(f"'parameters' is larger than {_LARGEST_PARAMETERS:,} characters, or nested too deep.")
        if self.region_scores not in REGION_SCORES:
            raise SettingsError(
                f"'region_scores' is {_short(self.region_scores)}: it must be one of {', '.join(REGION_SCORES)}."
            )
        for name, words in _WORDS.items():
            if (value := getattr(self, name)) not in words:
                known = f"{', '.join(words[:-1])} or {words[-1]}"
                raise SettingsError(f"'{name}' is {_short(value)}: it must be {known}.")
        _check_weights(self.weights)
        _check_ordered(self.ordered)
        _show_from(self.show_predictions)

    @property
    def show_from(self) -> ShowFrom:
        """What ``show_predictions`` stands for."""
        return _show_from(self.show_predictions)

    @property
    def serves_again(self) -> bool:
        """Whether labeled tasks are to be served once more, for whatever reason."""
        return self.suspects == "queue" or self.relabel == "auto"

    @classmethod
    def stored(cls, row: object) -> ProjectOptions:
        """What the database holds of a project, whoever wrote it; never refused."""
        options, set_aside = cls(), dict[str, object]()
        if isinstance(row, Mapping):
            with suppress(SettingsError):  # nearly always all of it can be used
                return options.updated(row)
        for name, value in row.items() if isinstance(row, Mapping) else [("options", row)]:
            try:
                options = options.updated({name: value})
            except SettingsError:
                set_aside[name] = value
        return replace(options, set_aside=set_aside)

    @property
    def row(self) -> dict[str, object]:
        """What the database is to hold."""
        return self.in_force | dict(self.set_aside)

    @property
    def in_force(self) -> dict[str, object]:
        """Every option by name, as it is worked with."""
        return {name: getattr(self, name) for name in _KINDS}

    @property
    def complaint(self) -> str:
        """What was set aside, as a sentence for a person; "" where nothing was."""
        if not self.set_aside:
            return ""
        names = ", ".join(f"'{name[:_LONGEST]}'" for name in list(self.set_aside)[:_NAMED])
        more = " and others" if len(self.set_aside) > _NAMED else ""
        return (
            f"This release of nextlabel cannot use what is stored as {names}{more}: it works with the defaults, and "
            "what is stored stays. Install the release that stored it, or set what is known here with `nextlabel "
            "connect --option NAME=VALUE`; NAME= alone removes what is not."
        )

    def updated(self, changes: Mapping[str, object]) -> ProjectOptions:
        """These options with some changed. Raises `SettingsError` naming the first unknown key or bad value."""
        values, set_aside = self.in_force, {name: it for name, it in self.set_aside.items() if name not in changes}
        for name, value in changes.items():
            if name in _KINDS:
                values[name] = _read(name, _KINDS[name], value)
            elif name not in self.set_aside or value != "":
                raise SettingsError(f"Unknown option '{name[:_LONGEST]}': known are {', '.join(sorted(_KINDS))}.")
        return ProjectOptions(**values, set_aside=set_aside)  # type: ignore[arg-type]


_KINDS = {one.name: str(one.type) for one in fields(ProjectOptions) if one.name != "set_aside"}
_NAMED = 5  # of the options that were set aside


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def _is_small(parameters: Mapping[str, object]) -> bool:
    try:
        return len(json.dumps(dict(parameters), default=str)) <= _LARGEST_PARAMETERS
    except RecursionError:
        return False


def _check_weights(weights: Mapping[str, object]) -> None:
    """Whether controls of these names are asked, only the labeling config tells (`nextlabel.learning.weights`)."""
    if not _is_small(weights):
        raise SettingsError(f"'weights' is larger than {_LARGEST_PARAMETERS:,} characters, or nested too deep.")
    for name, weight in weights.items():
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not 0 <= weight <= _LARGEST_WEIGHT:  # type: ignore[operator]
            raise SettingsError(
                f"'weights' gives the control {_short(name)} {_short(weight)}: a weight is a number from 0 (the "
                f"control does not count) to {_LARGEST_WEIGHT:,}, and 1 where none is given."
            )


def _check_ordered(ordered: Mapping[str, object]) -> None:
    if not _is_small(ordered):
        raise SettingsError(f"'ordered' is larger than {_LARGEST_PARAMETERS:,} characters, or nested too deep.")
    for name, labels in ordered.items():
        texts = isinstance(labels, list | tuple) and all(isinstance(one, str) for one in labels)
        if not texts or not 1 < len(set(labels)) == len(labels):  # type: ignore[arg-type, call-overload]
            raise SettingsError(
                f"'ordered' gives the control {_short(name)} {_short(labels)}: give its labels from the lowest to the "
                'highest, at least two and each once, e.g. {"grade": ["poor", "fair", "good"]}.'
            )


def _object(value: object) -> dict[str, object] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, dict) else None


def _show_from(written: str) -> ShowFrom:
    text = written.strip().lower()
    if text == "always":
        return ShowFrom()
    if text == "never":
        return ShowFrom(inf, inf)
    if _LABELS.fullmatch(text):
        return ShowFrom(int(text))
    per_cent = _PER_CENT.fullmatch(text)
    share = float(per_cent[1]) / 100 if per_cent else float(text) if _SHARE.fullmatch(text) else 0.0
    if 0 < share <= 1:
        return ShowFrom(FROM_LABELS, share)
    raise SettingsError(
        f"'show_predictions' is {written[:_LONGEST]!r}: write always, never, from how many labels on (a whole number, "
        "e.g. 50), or how likely right a guess must be (a share, e.g. 80% or 0.8)."
    )


def _read(name: str, kind: str, value: object) -> object:
    if name == "show_predictions":  # in JSON it may well be a number
        return str(value).strip()
    if kind == "str" and isinstance(value, str):
        return value.strip()
    if kind in ("int", "float") and not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            pass
        else:
            if kind == "float":
                return number
            if number.is_integer():
                return int(number)
    if kind.startswith("Mapping") and (read := _object(value)) is not None:
        return read
    wanted = {"str": "a text", "int": "a whole number", "float": "a number"}.get(kind, "a JSON object")
    shown = "is none" if kind.startswith("Mapping") else f"is {_short(value)}"  # parameters may hold secrets
    raise SettingsError(f"'{name}' {shown}: it must be {wanted}.")
