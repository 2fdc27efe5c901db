"""What a query strategy may need of a project."""

from __future__ import annotations

from enum import Enum


class Needs(Enum):
    """What a query strategy may need of a project, in words; it declares them as its ``needs``."""

    FEATURES = "fields of the task that nextlabel can read"
    CLASSES = "labels to choose from, with a chance for each"
    LABEL_CHANCES = "several labels at once, with a chance for each of them by itself"
    NUMBERS = "numbers, with a mean and a deviation for each task"
    LEARNER = "a model of one control that can be fitted again"
    CLASSIFIER = "a classifier of one single choice that can be fitted again"
    COSTS = "labels of which the tool tells how long they took"
