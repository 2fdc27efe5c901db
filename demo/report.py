"""What came out: for a person as a short table, for programs as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from demo.annotator import Labeling
from demo.mails import GUESSING
from demo.measures import Learned, Switch, middle, seconds_to_reorder, served_in_rank_order
from demo.watch import Examined
from demo.yardstick import ORDERS, Point
from nextlabel.labeling import QueueVersion


@dataclass(frozen=True, slots=True)
class Report:
    """One simulation, start to end."""

    tasks: int
    labelings: Sequence[Labeling]
    switches: Sequence[Switch]
    examined: Sequence[Examined]
    learned: Learned
    random: Sequence[Point]
    label_studio_version: str
    seconds: float

    @property
    def versions(self) -> list[QueueVersion]:
        """Every order that was in force, in turn."""
        return [switch.version for switch in self.switches]

    @property
    def curve(self) -> list[tuple[int, float]]:
        """Labels learned and accuracy on the held-out mails, from nothing on."""
        learned = {one.labels: one.accuracy for one in self.examined}
        return sorted({0: GUESSING, **learned}.items())

    def as_json(self) -> dict[str, object]:
        """The last line of `make demo ANNOTATIONS=…`.

        ``accuracy_start`` is that of a guess: before the first label the model gives no answer.
        """
        waits = seconds_to_reorder(self.labelings, self.switches, self.learned)
        return {
            "tasks": self.tasks,
            "annotations": len(self.labelings),
            "retrainings": self.learned.retrainings,
            "versions": self.versions,
            "served_in_rank_order": _rounded(self.share_in_rank_order),
            "accuracy_start": self.curve[0][1],
            "accuracy_end": _rounded(self.examined[-1].accuracy),
            "accuracy_random": _rounded(self.random[-1].accuracy),
            "accuracy_random_standard_error": _rounded(self.random[-1].standard_error),
            "random_orders": ORDERS,
            "seconds_label_to_reorder": _rounded(middle(waits)),
            "seconds_label_to_reorder_longest": _rounded(max(waits, default=None)),
            "models_turned_down": self.learned.turned_down,
            "accuracy_curve": [(labels, _rounded(accuracy)) for labels, accuracy in self.curve],
            "random_curve": [(point.labels, _rounded(point.accuracy)) for point in self.random],
            "label_studio": self.label_studio_version,
            "seconds_total": round(self.seconds, 1),
        }

    @property
    def share_in_rank_order(self) -> float:
        return served_in_rank_order(self.labelings, self.learned.windows())

    def rows(self) -> list[tuple[str, str]]:
        """The same in words."""
        end, random = self.examined[-1].accuracy, self.random[-1]
        wait = middle(seconds_to_reorder(self.labelings, self.switches, self.learned))
        hits = round(self.share_in_rank_order * len(self.labelings))
        return [
            ("labels", f"{len(self.labelings)} of {self.tasks} mails"),
            ("trainings", f"{self.learned.retrainings}, of which {self.learned.turned_down} turned down"),
            ("served as the best free task", f"{hits} of {len(self.labelings)}"),
            ("right on held-out mails", f"{end:.1%}, from {GUESSING:.0%} by guessing"),
            ("with as many labels in random order", f"{random.accuracy:.1%} ± {random.standard_error:.1%}"),
            ("from a label to the new order", "–" if wait is None else f"{wait:.1f} s (median, quiet period included)"),
        ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
