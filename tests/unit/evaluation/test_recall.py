"""A class counts as found once audit tasks of it surely show that; before that people read how many more it takes."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from nextlabel.errors import SettingsError
from nextlabel.evaluation import accuracy, beside
from nextlabel.evaluation.recall import Recall, check_recall, fewest, lower, of_version, why_not
from nextlabel.labeling import Input, LabelSchema, Target
from nextlabel.labeling.scales import Scale
from nextlabel.measures.target_predictions import ChoicePredictions

SHARES = st.floats(0.1, 0.99)


def recall(found: int, labels: int, wanted: float = 0.8, audits: int = 1_000) -> Recall:
    return Recall("fraud", "kind", wanted, found, labels, audits)


@pytest.mark.parametrize(("true", "audited"), [(0.3, 1_500), (0.8, 200), (0.95, 1_500)])
def test_the_bounds_hold_for_all_tasks_of_the_class_in_19_of_20_projects(true: float, audited: int) -> None:
    """2,000 projects of 10,000 tasks, 300 of them of the class, of which the model finds a fixed share; audit tasks are
    drawn at random, so that it is random too how many of them are of the class."""
    rng = np.random.default_rng(0)
    is_found, projects = round(300 * true), 2_000
    labels = rng.hypergeometric(300, 9_700, audited, projects)
    found = rng.hypergeometric(is_found, 300 - is_found, labels)
    seen = [recall(*one) for one in zip(found.tolist(), labels.tolist(), strict=True)]
    share = is_found / 300
    for held in ([one.low <= share for one in seen], [one.high >= share for one in seen]):
        assert np.mean(held) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / projects)
    reached = [replace(one, wanted=share + 0.005).holds is True for one in seen]
    assert np.mean(reached) <= 0.05, "what is not reached is seldom taken to be"


@given(SHARES, st.integers(1, 400), st.data())
def test_it_holds_from_the_quantile_of_the_sample_on_that_qbcb_names(
    wanted: float, labels: int, data: st.DataObject
) -> None:
    """At least j of r are found, with the least j that so many finds of a lower share reach in at most one in 20."""
    found = data.draw(st.integers(0, labels))
    j = next((n for n in range(labels + 1) if binom.sf(n - 1, labels, wanted) <= 0.05), labels + 1)
    near = abs(binom.sf(found - 1, labels, wanted) - 0.05) < 1e-9
    assert near or (recall(found, labels, wanted).holds or False) == (found >= j)
    assert (j > labels) == (labels < fewest(wanted))


@given(SHARES, st.integers(0, 120), st.data())
def test_the_number_of_tasks_that_is_still_lacking_is_the_least_that_is_enough(
    wanted: float, labels: int, data: st.DataObject
) -> None:
    found = data.draw(st.integers(0, labels))
    one = recall(found, labels, wanted)
    if one.holds:
        assert one.more == 0
    elif one.holds is None:
        assert one.more is not None
        assert recall(found + one.more, labels + one.more, wanted).holds
        assert not recall(found + one.more - 1, labels + one.more - 1, wanted).holds
    elif one.more is None:
        assert found / labels <= wanted + 0.01, "no number shows what is not so"
    else:
        share, more = found / labels, labels + one.more
        assert lower(share * more, more) >= wanted > lower(share * (more - 1), more - 1)


def test_people_read_how_many_audit_tasks_it_takes_and_then_what_is_sure() -> None:
    nothing, early, short, vain, done = (recall(*one) for one in ((0, 0), (3, 3), (20, 24), (18, 29), (29, 29)))
    assert nothing.sentence.endswith("(no audit task of it is labeled): it takes at least 14 more audit tasks of it")
    assert early.sentence.endswith("at least 11 more audit tasks of it (of about 3667 of any class)")
    assert "may be below 80.0% (20 of 24 audit tasks of it are found, so 65.8% or more" in short.sentence
    assert short.sentence.endswith(
        "it takes about 385 more audit tasks of it (of about 16042 of any class) to show it at that share"
    )
    assert vain.sentence.endswith("so 45.1% or more of all with a chance of 95 %)")
    assert done.sentence.startswith("the recall of 'fraud' has reached 80.0% (29 of 29 audit tasks of it are found")
    assert done.low == pytest.approx(0.05 ** (1 / 29)), "as is known of a sample without a miss"


def test_it_is_read_from_what_is_kept_of_a_version_whatever_the_class_is_called() -> None:
    names = ("fine", "fraud. of 10 %", "never")
    target = Target("kind", "choice", (Input("text"),), names)
    truth = [names[n % 4 == 0] for n in range(40)]
    given_ = [names[n % 8 == 0] for n in range(40)]
    predicted = ChoicePredictions(names, np.array([[one == name for name in names] for one in given_]) * 1.0)
    metrics = accuracy.figures_of("kind", predicted.correctness(truth), pool=400)
    metrics |= beside.figures_of(target, predicted, truth)
    assert of_version(metrics, "fraud. of 10 %", 0.5) == Recall("fraud. of 10 %", "kind", 0.5, 5, 10, 40)
    assert of_version(metrics, "never", 0.5) == Recall("never", "kind", 0.5, 0, 0, 40)
    assert of_version(metrics, "frau", 0.5) is None
    assert "set recall_class to a label that people can choose" in why_not(metrics, "frau")
    assert "it takes 10 audit labels" in why_not({}, "fraud")
    other = {name.replace("kind.", "topic."): 1.0 if " fraud" in name else n for name, n in metrics.items()}
    found = of_version(metrics | other, "fraud. of 10 %", 0.5)
    assert found is not None
    assert found.target == "topic", "of several, the one that is known to be worst"
    assert found.low == pytest.approx(0.05)


CHOICE = Target("label", "choice", (Input("text"),), ("fraud", "other"))
TOPICS = Target("topics", "choices", (Input("text"),), tuple(f"topic {n}" for n in range(30)))
OFFERED = Target("answer", "choice", (Input("text"),), options="answers")
STARS = Target("stars", "number", (Input("text"),), scale=Scale(1, 5))


@pytest.mark.parametrize(
    ("name", "targets", "hosted", "words"),
    [
        ("Fraud", (CHOICE, STARS), "", "'Fraud', which nobody can choose: name one of 'fraud', 'other', or set it"),
        ("x", (CHOICE, TOPICS), "", "'topic 7' …, or set it to nothing (`--option recall_class=`)."),
        ("x" * 300, (CHOICE,), "", f"'{'x' * 60}', which"),
        ("fraud", (STARS,), "", "no control is a choice: set it to nothing"),
        ("fraud", (CHOICE,), "sentiment", "learned by your own model 'sentiment': set it to nothing"),
    ],
)
def test_a_class_whose_recall_can_never_be_measured_is_refused_with_those_there_are(
    name: str, targets: tuple[Target, ...], hosted: str, words: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)):
        check_recall(name, LabelSchema(targets), hosted)


@pytest.mark.parametrize(
    ("name", "targets", "hosted"),
    [("fraud", (STARS, CHOICE), ""), ("topic 29", (TOPICS,), ""), ("any", (OFFERED,), ""), ("", (STARS,), "sentiment")],
)
def test_a_class_that_people_can_choose_and_none_are_taken(name: str, targets: tuple[Target, ...], hosted: str) -> None:
    check_recall(name, LabelSchema(targets), hosted)
