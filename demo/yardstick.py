"""What as many labels in random order would have given: the same estimator, the same seed, the same mails.

A process of its own (``python -m demo.yardstick 60``), so that it shares no lock with what measures the loop.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Thread

import numpy as np

from demo.errors import DemoFailed
from demo.mails import TARGET, Mail, accuracy, read_mails
from nextlabel.estimators.fitting import fit
from nextlabel.features.encoders import TextEncoder
from nextlabel.features.source import Source
from nextlabel.jobs.embedded_redis import end_with_parent
from nextlabel.labeling import Task, TaskId
from nextlabel.options import ProjectOptions

ORDERS = 10
_POINTS = 20


@dataclass(frozen=True, slots=True)
class Point:
    """The mean accuracy of `ORDERS` random orders with that many labels, and its standard error."""

    labels: int
    accuracy: float
    standard_error: float


@dataclass(slots=True)
class Yardstick:
    """The random orders' learning curve, growing while it is worked out in the background."""

    labels: int
    points: list[Point] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None
    _reader: Thread | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "demo.yardstick", str(self.labels)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_parent(),
            start_new_session=True,
        )
        self._reader = Thread(target=self._read, args=(self._process,), name="yardstick", daemon=True)
        self._reader.start()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def share_done(self) -> float:
        return len(self.points) / len(label_counts(self.labels))

    @property
    def done(self) -> bool:
        """Raises `DemoFailed` when it ended too early."""
        ended = self._reader is not None and not self._reader.is_alive()
        if ended and self.share_done < 1:
            raise DemoFailed("The random orders could not be worked out: see the message above.")
        return ended

    def at(self, labels: int) -> float | None:
        """The accuracy with that many labels, read off the line between the nearest points; None if not yet known."""
        points = list(self.points)
        if not points or points[-1].labels < labels:
            return None
        return float(np.interp(labels, [p.labels for p in points], [p.accuracy for p in points]))

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self.points.append(Point(**json.loads(line)))
        process.wait()


def label_counts(labels: int) -> list[int]:
    """The numbers of labels at which the curve is worked out: from none to all, evenly."""
    step = max(1, labels // _POINTS)
    return [*range(0, labels, step), labels]


def random_curve(labels: int, pool: list[Mail], held_out: list[Mail]) -> Iterator[Point]:
    """Point by point, each order a longer part of the same permutation."""
    encoder, source = TextEncoder([one.field for one in TARGET.inputs]), Source()
    tasks, asked = ([Task(TaskId(mail.id), {"text": mail.text}) for mail in mails] for mails in (pool, held_out))
    counts, unseen = encoder.encode(tasks, source), encoder.encode(asked, source)
    space = encoder.space(counts)
    orders = [np.random.default_rng(seed).permutation(len(pool)) for seed in range(ORDERS)]
    for n in label_counts(labels):
        accuracies = []
        for order in orders:
            rows = order[:n].tolist()
            known = [pool[row].label for row in rows]
            model = fit(TARGET, [tasks[row] for row in rows], counts[rows], known, space, ProjectOptions().seed).model
            guesses = model.predict(asked, unseen).guesses(TARGET.name)
            printed = [str(guess.label) if model.informative else None for guess in guesses]
            accuracies.append(accuracy(printed, held_out))
        yield Point(n, float(np.mean(accuracies)), float(np.std(accuracies, ddof=1) / np.sqrt(ORDERS)))


def _main() -> None:
    os.nice(10)  # the servers of the demo come first
    for point in random_curve(int(sys.argv[1]), *read_mails()):
        print(
            json.dumps({"labels": point.labels, "accuracy": point.accuracy, "standard_error": point.standard_error}),
            flush=True,
        )


if __name__ == "__main__":
    _main()
