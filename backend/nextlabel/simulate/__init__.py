"""Active learning with known labels instead of people: which strategy saves labels on my data, and how many?

>>> from nextlabel.simulate import simulate
>>> simulate("mails.csv", ["adaptive", "random"], budget=200).table()  # doctest: +SKIP
"""

from __future__ import annotations

from nextlabel.estimators.learners import LinearLearner, ScikitLearner
from nextlabel.simulate.data import LabeledData
from nextlabel.simulate.datasets import load
from nextlabel.simulate.labels import kind_measured_by
from nextlabel.simulate.results import Results
from nextlabel.simulate.simulation import simulate

__all__ = ["LabeledData", "LinearLearner", "Results", "ScikitLearner", "kind_measured_by", "load", "simulate"]
