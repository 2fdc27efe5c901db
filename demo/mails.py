"""The demo's e-mails and their true labels, which Label Studio never sees."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nextlabel.labeling import Input, Target

TARGET = Target(name="label", kind="choice", inputs=(Input("text"),), labels=("ham", "spam"))
"""What is to be learned; the labeling config in `stage.py` says the same to Label Studio."""

GUESSING = 1 / len(TARGET.labels)
"""The accuracy that a model without an answer gets: that of a guess among the labels."""

_FILE = Path(__file__).parent / "data" / "spam.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail: its id in the data set, what annotators read, and what it is."""

    id: str
    text: str
    label: str

    @property
    def subject(self) -> str:
        return self.text.partition("\n")[0].removeprefix("Subject:").strip() or "(no subject)"


def read_mails() -> tuple[list[Mail], list[Mail]]:
    """The pool to label from, and the mails held out to measure on."""
    splits: dict[str, list[Mail]] = {"pool": [], "held_out": []}
    for split, mail in _lines():
        splits[split].append(mail)
    return splits["pool"], splits["held_out"]


def accuracy(printed: list[str | None], truth: list[Mail]) -> float:
    """The share of right answers; None, "no idea yet", counts as a guess among the labels."""
    right = [
        GUESSING if label is None else float(label == mail.label) for label, mail in zip(printed, truth, strict=True)
    ]
    return float(np.mean(right))


def _lines() -> Iterator[tuple[str, Mail]]:
    with gzip.open(_FILE, "rt", encoding="utf-8") as file:
        for line in file:
            one = json.loads(line)
            yield one["split"], Mail(one["id"], one["text"], one["label"])
