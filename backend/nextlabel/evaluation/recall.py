"""Recall of a rare class: of all tasks that are of a class, the share that a version finds, with a binomial bound.

Audit tasks that people labeled with the class are a random sample of all tasks of it, whatever a strategy chose beside
them. A version finds one if it gives it the class without having seen its label. As many of them must be found as make
a one-sided bound of 95 % for the share among all (Clopper & Pearson, 1934) reach what is wanted: the quantile binomial
confidence bound (QBCB) of Lewis, Yang & Frieder (2021, "Certifying One-Phase Technology-Assisted Reviews"). It holds
for one look at this number of labels: simulated, a share that is just what is wanted is surpassed in 13 % of runs at
some of 60 labels, and in 21 % at some of 200.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, log

from scipy.special import betaincinv

from nextlabel.errors import SettingsError
from nextlabel.evaluation import accuracy
from nextlabel.evaluation.beside import MOST_KEPT, counts_by_class
from nextlabel.labeling import LabelSchema, counted, quoted

_SURE = 0.95
_MOST = 1_000_000  # audit tasks of the class, beyond which there is no use in a number
OF_OWN_MODEL = "the recall is not measured of a team's own model"
_NAMED, _LONGEST_NAME = 10, 60  # labels in a message, and of a name


@dataclass(frozen=True, slots=True)
class Recall:
    """A version finds ``found`` of ``labels`` audit tasks of the class ``name`` of a ``target``; ``wanted`` is the
    share that it is to find of all. ``audits`` are all audit labels of the target."""

    name: str
    target: str
    wanted: float
    found: int
    labels: int
    audits: int

    @property
    def value(self) -> float | None:
        """The share; None without labels."""
        return self.found / self.labels if self.labels else None

    @property
    def low(self) -> float:
        """Above it the share of all tasks of the class is with a chance of 95 %."""
        return lower(self.found, self.labels)

    @property
    def high(self) -> float:
        """Below it the share of all tasks of the class is with a chance of 95 %."""
        return 1 - lower(self.labels - self.found, self.labels)

    @property
    def holds(self) -> bool | None:
        """Whether so many are surely found; None while there are too few labels, whatever is found of them."""
        return None if self.labels < fewest(self.wanted) else self.low >= self.wanted

    @property
    def more(self) -> int | None:
        """How many more audit tasks of the class it takes: with too few labels if all of these are found, else about,
        if as large a share is found as so far. 0 where it holds; None where no number is enough."""
        if self.holds:
            return 0
        missed, share = self.labels - self.found, self.value or 0.0
        if self.holds is None:
            needed = _least(lambda n: lower(n - missed, n), self.wanted, self.labels)
        elif share > self.wanted:
            needed = _least(lambda n: lower(share * n, n), self.wanted, self.labels)
        else:
            return None
        return needed - self.labels if needed <= _MOST else None

    @property
    def sentence(self) -> str:
        """For a person."""
        of = f"the recall of {quoted(self.name)}"
        seen = f"{self.found} of {counted(self.labels, 'audit task')} of it are found"
        if self.holds is None:
            so_far = seen if self.labels else "no audit task of it is labeled"
            return f"{of} is not known yet ({so_far}): it takes at least {self._more_tasks()}"
        surely = f"({seen}, so {self.low:.1%} or more of all with a chance of 95 %)"
        if self.holds:
            return f"{of} has reached {self.wanted:.1%} {surely}"
        ahead = f": it takes about {self._more_tasks()} to show it at that share" if self.more else ""
        return f"{of} may be below {self.wanted:.1%} {surely}{ahead}"

    def _more_tasks(self) -> str:
        """With how many audit labels of any class that makes, at the share that the class has among them."""
        more = self.more or 0
        tasks = f"{counted(more, 'more audit task')} of it"
        return f"{tasks} (of about {ceil(more * self.audits / self.labels)} of any class)" if self.labels else tasks


def lower(found: float, labels: int) -> float:
    """The one-sided lower bound at 95 % of a share of which ``found`` of n ``labels`` are a random sample."""
    return float(betaincinv(found, labels - found + 1, 1 - _SURE)) if found > 0 else 0.0


def fewest(wanted: float) -> int:
    """Audit tasks of a class, all of which must be found, before the bound can reach that share; 0 < wanted < 1."""
    return ceil(log(1 - _SURE) / log(wanted))


def _least(bound: Callable[[int], float], wanted: float, labels: int) -> int:
    """The least number of labels, more than there are, with which a bound that rises with them is what is wanted."""
    return bisect_left(range(_MOST + 1), wanted, lo=labels + 1, key=bound)


def of_version(metrics: Mapping[str, float], name: str, wanted: float) -> Recall | None:
    """Of a version, by the figures that are kept with it; of the target where it is lowest, if several have a class of
    that name. None where none has, or nothing is measured yet."""
    counts = {target: classes[name] for target, classes in counts_by_class(metrics).items() if name in classes}
    audits = {target: one.n for target, one in accuracy.of_version(metrics).items()}
    found = [Recall(name, target, wanted, *of, audits.get(target, 0)) for target, of in counts.items()]
    return min(found, key=lambda one: one.low, default=None)


def why_not(metrics: Mapping[str, float], name: str) -> str:
    """Why there is no `Recall` of the class, for a person."""
    if not counts_by_class(metrics):
        return f"the recall of {quoted(name)} is not measured yet: it takes {accuracy.FEWEST} audit labels"
    return (
        f"the recall of {quoted(name)} is not measured: it is none of the {MOST_KEPT} labels with the most audit "
        "tasks. Where nobody can choose it any more, set recall_class to a label that people can choose"
    )


def check_recall(name: str, schema: LabelSchema, hosted: str) -> None:
    """Raises `SettingsError` where no recall of the class of that name, "" for none, can ever be measured. ``hosted``
    is the team's own model, "" for nextlabel's."""
    if not name:
        return
    nothing = "set it to nothing (`--option recall_class=`)"
    if hosted:
        raise SettingsError(
            f"'recall_class' is measured of nextlabel's own models, and the project is learned by your own model "
            f"'{hosted}': {nothing}."
        )
    choices = [one for one in schema.targets if one.kind in ("choice", "choices")]
    labels = list(dict.fromkeys(label for one in choices for label in one.labels))
    if not choices:
        raise SettingsError(f"'recall_class' is a label that people choose, and no control is a choice: {nothing}.")
    if name not in labels and not any(one.options for one in choices):
        known = ", ".join(quoted(one[:_LONGEST_NAME]) for one in labels[:_NAMED]) + (" …" if labels[_NAMED:] else "")
        raise SettingsError(
            f"'recall_class' is {quoted(name[:_LONGEST_NAME])}, which nobody can choose: name one of {known}, or "
            f"{nothing}."
        )
