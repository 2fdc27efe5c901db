"""Which of a version's guesses people are shown: by how many labels speak for it, and how likely right each is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from nextlabel.options import ShowFrom


@dataclass(frozen=True, slots=True)
class Showing:
    """What people see of a version's guesses.

    ``labels`` counts by target those that speak for it: "" stands for the only target, infinity for a model that does
    not learn from labels. ``own`` is a model of the team's own.
    """

    wanted: ShowFrom
    labels: Mapping[str, float]
    own: bool = False

    def least(self, target: str) -> float:
        """How likely right a guess about a target must be to be shown; infinity where none is."""
        labels = self.labels.get(target, self.labels.get("", 0))
        return self.wanted.chance if labels >= self.wanted.labels else inf

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
        of_targets = (self.labels or {"": 0.0}).items()
        return "; ".join(f"{f'{target}: ' if target else ''}{self._when(labels)}" for target, labels in of_targets)

    def _when(self, labels: float) -> str:
        wanted, likely = self.wanted, ""
        if wanted.chance:
            by = ", by your own model's scores" if self.own else ""
            likely = f" where they are right with a chance of {wanted.chance * 100:.4g}%{by}"
        if labels >= wanted.labels:
            return f"shown{likely}"
        return f"withheld until {wanted.labels:.0f} labels are learned ({labels:.0f} so far), then shown{likely}"


def showing(wanted: ShowFrom, metrics: Mapping[str, float], *, labels: int = 0, own: bool = False) -> Showing:
    """By the figures of a version, as they were taken when it was trained on so many ``labels``.

    For a chance to count, it must have been checked on labels that the model had not seen. The chances of a team's own
    model are its scores, taken at their word.
    """
    counted = {name: number for name, number in metrics.items() if name.rpartition(".")[2] == "labels"}
    if own:
        return Showing(wanted, {"": counted.get("labels", inf)}, own)
    if not counted and labels:  # by an earlier release, of too few labels to count them by target
        counted = {"labels": labels}
    return Showing(
        wanted,
        {
            name.removesuffix("labels").removesuffix("."): 0 if wanted.chance and not _judged(name, metrics) else number
            for name, number in counted.items()
        },
    )


def _judged(name: str, metrics: Mapping[str, float]) -> bool:
    """Whether there are figures about a target beside its number of labels."""
    before = name.removesuffix("labels")
    return any(other.startswith(before) for other in metrics if other != name)
