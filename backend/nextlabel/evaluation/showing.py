"""Which of a version's guesses people are shown: by how many labels speak for it, and how likely right each is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from nextlabel.options import ShowFrom


@dataclass(frozen=True, slots=True)
class Showing:
    """What people see of a version's guesses.

    ``labels`` counts by target those that were learned: "" stands for the only target, infinity for a model that does
    not learn from labels. The chances of ``unchecked`` targets were not yet held to labels that the model had not seen.
    ``own`` is a model of the team's own.
    """

    wanted: ShowFrom
    labels: Mapping[str, float]
    unchecked: frozenset[str] = frozenset()
    own: bool = False

    def least(self, target: str) -> float:
        """How likely right a guess about a target must be to be shown; infinity where none is."""
        known = target if target in self.labels else ""
        if self.wanted.chance and known in self.unchecked:
            return inf
        return self.wanted.chance if self.labels.get(known, 0) >= self.wanted.labels else inf

    @property
    def name(self) -> str:
        """Tells apart orders in which different guesses are shown; "" where all are."""
        shown = [target for target, any_shown in self.shown.items() if any_shown]
        if not shown:
            return "no guesses shown" if self.labels else ""
        which = f" of {', '.join(shown)}" if len(shown) < len(self.labels) else ""
        from_chance = f" from {self.wanted.chance:g}" if self.wanted.chance else ""
        return f"guesses{which} shown{from_chance}" if which or from_chance else ""

    @property
    def shown(self) -> Mapping[str, bool]:
        """Whether any guess about a target can be shown."""
        return {target: self.least(target) < inf for target in self.labels}

    @property
    def sentence(self) -> str:
        """For a person."""
        if self.wanted.chance == inf:
            return "never shown"
        of_targets = self.labels or {"": 0.0}
        return "; ".join(f"{f'{target}: ' if target else ''}{self._when(target)}" for target in of_targets)

    def _when(self, target: str) -> str:
        wanted, labels, likely = self.wanted, self.labels.get(target, 0), ""
        if wanted.chance:
            by = ", by your own model's scores" if self.own else ""
            likely = f" where they are right with a chance of {wanted.chance * 100:.4g}%{by}"
        if self.least(target) < inf:
            return f"shown{likely}"
        if labels < wanted.labels:
            return f"withheld until {wanted.labels:.0f} labels are learned ({labels:.0f} so far), then shown{likely}"
        return f"withheld until chances can be checked on labels that the model had not seen, then shown{likely}"


def showing(wanted: ShowFrom, metrics: Mapping[str, float], *, labels: int = 0, own: bool = False) -> Showing:
    """By the figures of a version, as they were taken when it was trained on so many ``labels``.

    For a chance to count, it must have been checked on labels that the model had not seen. The chances of a team's own
    model are its scores, taken at their word.
    """
    counted = {name: number for name, number in metrics.items() if name.rpartition(".")[2] == "labels"}
    if own:
        return Showing(wanted, {"": counted.get("labels", inf)}, own=own)
    if not counted and labels:  # by an earlier release, of too few labels to count them by target
        counted = {"labels": labels}
    targets = {name: name.removesuffix("labels").removesuffix(".") for name in counted}
    unchecked = frozenset(target for name, target in targets.items() if not _judged(name, metrics))
    return Showing(wanted, {target: counted[name] for name, target in targets.items()}, unchecked)


def _judged(name: str, metrics: Mapping[str, float]) -> bool:
    """Whether there are figures about a target beside its number of labels."""
    before = name.removesuffix("labels")
    return any(other.startswith(before) for other in metrics if other != name)
