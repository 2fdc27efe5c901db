"""Spans on text: found as whole words with exact places, the same after a restart, and from several threads."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.estimators import spans as spans_module
from nextlabel.estimators.spans import NoSpans, SpanTagger, decode, encode, fit_spans
from nextlabel.features.tokens import tokenize
from nextlabel.labeling import Input, Span, Target, Task, TaskId
from nextlabel.measures.span_f1 import span_f1
from nextlabel.measures.target_predictions import SpanPredictions

TARGET = Target("names", "spans", (Input("text"),), ("person", "place", "never used"))
PEOPLE = ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Radia", "Tim", "Margaret", "Leslie"]
PLACES = ["Oslo", "Lima", "Quito", "Dakar", "Hanoi", "Turin", "Perth", "Osaka", "Kyiv", "Accra"]


def letters(n: int, seed: int = 0, people: int = 10) -> tuple[list[Task], list[tuple[Span, ...]]]:
    """n texts of a simple grammar, a third without any span, and their spans; names from the first ``people`` only."""
    rng = np.random.default_rng(seed)
    tasks: list[Task] = []
    spans: list[tuple[Span, ...]] = []
    for i in range(n):
        person = f"{rng.choice(PEOPLE[:people])} {str(rng.choice(PEOPLE[:people]))[0]}."
        place = str(rng.choice(PLACES[:people]))
        before, between = str(rng.choice(["👍🏽 ", "", "\r\n\t"])) + "dear ", " lives in "
        if i % 3 == 0:
            text, found = f"{before}all, no news this time.", list[Span]()
        else:
            text = f"{before}{person}{between}{place} now"
            start = len(before) + len(person) + len(between)
            found = [
                Span(len(before), len(before) + len(person), "person"),
                Span(start, start + len(place), "place"),
            ]
        tasks.append(Task(TaskId(str(i)), {"text": text}))
        spans.append(tuple(found))
    return tasks, spans


@cache
def tagger() -> SpanTagger:
    return fit_spans(TARGET, *letters(60, people=5), judged=False)[0]


@pytest.mark.parametrize(
    ("offered", "found"),
    [
        ([{"value": "person"}, {"value": "place"}], ["person", "place"]),
        ([{"value": "Oslo", "alias": "place"}, {"value": 5}], ["place"]),
        ([{"value": "something else"}], []),
        ([], []),
        ("place", []),
    ],
)
def test_a_task_is_marked_only_with_labels_that_it_offers(offered: object, found: list[str]) -> None:
    (_, task), truth = letters(2)
    (predicted,) = offering_tagger().predict([Task(task.id, {**task.data, "names": offered})]).spans
    assert list(predicted) == [span for span in truth[1] if span.label in found]


def test_nothing_is_unknown_of_a_task_that_offers_no_label() -> None:
    task = letters(2)[0][1]
    assert offering_tagger().predict([task]).uncertainty.tolist() == [0.0]


def test_of_labels_of_tasks_only_the_most_frequent_are_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans_module, "_MOST_LABELS", 1)
    tasks, truth = letters(60)
    often = [tuple(span for span in spans if span.label == "place" or n % 2) for n, spans in enumerate(truth)]
    tasks = [Task(task.id, {**task.data, "names": [{"value": "person"}, {"value": "place"}]}) for task in tasks]
    target = Target("names", "spans", (Input("text"),), options="names")
    predicted = fit_spans(target, tasks, often, judged=False)[0].predict(tasks)
    assert {span.label for spans in predicted.spans for span in spans} == {"place"}


@cache
def offering_tagger() -> SpanTagger:
    target = Target("names", "spans", (Input("text"),), options="names")
    tasks, truth = letters(60)
    return SpanTagger.from_state(fit_spans(target, tasks, truth, judged=False)[0].state())


def same(left: SpanPredictions, right: SpanPredictions) -> bool:
    return (left.spans, left.chances, left.uncertainty.tolist()) == (
        right.spans,
        right.chances,
        right.uncertainty.tolist(),
    )


def test_a_simple_grammar_is_learned_and_found_around_names_never_seen() -> None:
    tasks, truth = letters(60, seed=1)
    predicted = tagger().predict(tasks)
    assert span_f1(truth, predicted.spans)[2] > 0.95
    assert all(0.5 < chance <= 1 for chances in predicted.chances for chance in chances)


@st.composite
def marked_texts(draw: st.DrawFn) -> tuple[str, tuple[Span, ...]]:
    """Any text, with spans over whole words that do not overlap."""
    text = draw(st.text(max_size=40) | st.text("a1 _.\r\n\t👍🏽e\u0301שह东", max_size=40))
    places = tokenize(text)
    spans, n = [], 0
    while n < len(places):
        length = draw(st.integers(0, 3))
        last = min(n + length, len(places)) - 1
        if length:
            spans.append(Span(places[n][0], places[last][1], draw(st.sampled_from(TARGET.labels))))
        n = max(n, last) + 1
    return text, tuple(spans)


@given(marked_texts())
def test_spans_of_whole_words_come_back_as_they_were(marked: tuple[str, tuple[Span, ...]]) -> None:
    text, spans = marked
    places = tokenize(text)
    assert decode(places, encode(places, spans, TARGET.labels), TARGET.labels) == spans


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["B0", "O", "I0"], [(0, 4, "person"), (8, 15, "person")]),  # words between are in neither
        (["B0", "I1", "I1"], [(0, 4, "person"), (5, 15, "place")]),  # goes on with another label
        (["O", "I0", "B0"], [(5, 7, "person"), (8, 15, "person")]),  # goes on without having begun
    ],
)
def test_tags_in_an_order_that_nobody_was_taught_still_stand_for_spans(
    tags: list[str], spans: list[tuple[int, int, str]]
) -> None:
    assert decode(tokenize("Bank of America"), tags, TARGET.labels) == tuple(Span(*span) for span in spans)


@pytest.mark.parametrize(
    ("spans", "kept"),
    [
        ([(9, 11, "place")], [(8, 15, "place")]),  # cuts a word
        ([(0, 5, "person")], [(0, 4, "person")]),  # takes a space along
        ([(4, 5, "person")], []),  # is nothing but a space
        ([(50, 60, "person")], []),  # lies beyond the text
        ([(0, 4, "animal")], []),  # has a label that the target lacks
        ([(8, 15, "place"), (0, 15, "person")], [(0, 15, "person")]),  # lies in a longer one
        ([(0, 6, "place"), (5, 15, "person")], [(5, 15, "person")]),  # reaches into a longer one
        ([(0, 4, "place"), (0, 4, "person")], [(0, 4, "person")]),  # has the same place as another
        ([(0, 4, "place"), (5, 7, "place")], [(0, 4, "place"), (5, 7, "place")]),  # touches its like
    ],
)
def test_what_words_cannot_say_becomes_the_nearest_that_they_can(
    spans: list[tuple[int, int, str]], kept: list[tuple[int, int, str]]
) -> None:
    places = tokenize("Bank of America")
    tags = encode(places, [Span(*span) for span in spans], TARGET.labels)
    assert decode(places, tags, TARGET.labels) == tuple(Span(*span) for span in kept)


@given(st.text(st.characters()))
def test_of_any_text_what_is_said_is_well_formed(text: str) -> None:
    predicted = tagger().predict([Task(TaskId("1"), {"text": text})])
    [spans], [chances] = predicted.spans, predicted.chances
    places = tokenize(text)
    assert list(spans) == sorted(spans)
    assert {span.start for span in spans} <= {start for start, _ in places}
    assert {span.end for span in spans} <= {end for _, end in places}
    assert len(chances) == len(spans)
    assert all(0 <= chance <= 1 for chance in chances)
    assert 0 <= predicted.uncertainty[0] <= 1


def test_a_task_without_text_is_no_trouble_to_the_others() -> None:
    tasks = letters(2, seed=3)[0]
    data: list[dict[str, object]] = [{}, {"text": None}, {"text": 5}, {"text": ["Ada"]}]
    odd = [Task(TaskId("odd"), one) for one in data]
    predicted = tagger().predict([*odd, *tasks])
    assert predicted.spans[:4] == [()] * 4
    assert predicted.uncertainty[:4].tolist() == [0] * 4  # nobody should be asked for them first
    assert same(predicted.of([4, 5]), tagger().predict(tasks))
    assert len(tagger().predict([])) == 0
    labeled, spans = letters(30)
    model, held_out = fit_spans(TARGET, [*odd, *labeled], [()] * 4 + spans)
    assert held_out is not None
    assert len(held_out) == 34
    assert model.state()["model"].tolist() == fit_spans(TARGET, labeled, spans)[0].state()["model"].tolist()  # type: ignore[attr-defined]


def test_an_empty_text_has_nothing_to_be_unsure_of() -> None:
    predicted = tagger().predict([Task(TaskId("1"), {"text": text}) for text in ("", " \r\n")])
    assert predicted.spans == [(), ()]
    assert predicted.uncertainty.tolist() == [0, 0]


def test_what_is_unlike_anything_seen_is_less_sure() -> None:
    known, strange = letters(10, seed=2)[0], "Xylo ##9 met Zed zu Brno yesterday, allegedly"
    predicted = tagger().predict([*known, Task(TaskId("x"), {"text": strange})])
    assert predicted.uncertainty[10] > predicted.uncertainty[:10].max()


def test_the_length_of_a_text_does_not_make_it_unsure() -> None:
    line = str(letters(2, seed=2)[0][1].data["text"])
    page, book = (Task(TaskId(str(n)), {"text": "\n".join([line] * n)}) for n in (10, 400))
    short, long = tagger().predict([page, book]).uncertainty
    assert long == pytest.approx(short, rel=0.25)


def test_in_a_long_document_every_span_is_found_where_it_stands_in_linear_time() -> None:
    tasks, spans = letters(700, seed=4)
    text, truth = "", []
    for task, found in zip(tasks, spans, strict=True):
        truth += [Span(len(text) + start, len(text) + end, label) for start, end, label in found]
        text += f"{task.data['text']}\n"
    began = time.process_time()
    predicted = tagger().predict([Task(TaskId("1"), {"text": text})])
    assert time.process_time() - began < 5
    assert span_f1([truth], predicted.spans)[2] > 0.9
    endless = tagger().predict([Task(TaskId("1"), {"text": "Ada lives in Oslo now " * 50_000})]).spans[0]
    assert 99_900 < endless[-1].end <= 100_000  # what lies beyond is not read


def test_a_long_document_teaches_where_its_spans_are() -> None:
    tasks, spans = letters(300, seed=4)
    text, truth = "", list[Span]()
    for task, found in zip(tasks, spans, strict=True):
        truth += [Span(len(text) + start, len(text) + end, label) for start, end, label in found]
        text += f"{task.data['text']}\n"
    model, _ = fit_spans(TARGET, [Task(TaskId("1"), {"text": text})], [tuple(truth)])
    unseen, expected = letters(30, seed=9)
    assert span_f1(expected, model.predict(unseen).spans)[2] > 0.95


@pytest.mark.parametrize(("share", "end"), [(0.6, 3), (0.85, 3), (0.6, 8)])
def test_a_chance_is_the_share_of_such_spans_that_are_right(share: float, end: int) -> None:
    tasks = [Task(TaskId(str(n)), {"text": "Ada Oslo"}) for n in range(200)]
    usual, other = (Span(0, end, "person"),), (Span(0, 11 - end, "person"),)
    model, _ = fit_spans(TARGET, tasks, [usual if n < 200 * share else other for n in range(200)], judged=False)
    predicted = model.predict(tasks[:1])
    p = dict(zip(predicted.spans[0], predicted.chances[0], strict=True))
    shares = {usual[0]: share, other[0]: 1 - share}
    assert len(p) == 1
    assert all(chance == pytest.approx(shares[span], abs=0.05) for span, chance in p.items())


def test_a_span_may_go_on_over_a_line_break() -> None:
    texts = [f"ship to:\n{n} Long Road\nTown {n}\nthank you" for n in range(20)]
    spans = [(Span(9, text.index("\nthank"), "place"),) for text in texts]
    tasks = [Task(TaskId(text), {"text": text}) for text in texts]
    model, _ = fit_spans(TARGET, tasks[:15], spans[:15])
    assert model.predict(tasks[15:]).spans == spans[15:]


def test_a_model_is_the_same_after_a_restart() -> None:
    tasks, _ = letters(20, seed=5)
    stored = skops.io.loads(skops.io.dumps(tagger().state()), trusted=[])
    assert stored["kind"] == SpanTagger.kind
    assert same(SpanTagger.from_state(stored).predict(tasks), tagger().predict(tasks))
    nothing = NoSpans.from_state(skops.io.loads(skops.io.dumps(NoSpans().state()), trusted=[]))
    assert same(nothing.predict(tasks), NoSpans().predict(tasks))


@pytest.mark.parametrize("damage", [lambda model: model[:-1], lambda model: model[:20], lambda model: model[4:]])
def test_a_damaged_model_is_refused_instead_of_read(damage: object) -> None:
    state = tagger().state()
    with pytest.raises(ValueError, match=r"not whole|[Ii]nvalid"):
        SpanTagger.from_state(state | {"model": damage(state["model"])})  # type: ignore[operator]


def test_training_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fit_spans(TARGET, *letters(10))
    assert not list(tmp_path.iterdir())


def test_the_same_labels_and_seed_give_the_same_model_and_judgement() -> None:
    (one, held_out), (other, again) = (fit_spans(TARGET, *letters(40), seed=7) for _ in range(2))
    assert one.state()["model"].tolist() == other.state()["model"].tolist()  # type: ignore[attr-defined]
    assert held_out is not None
    assert again is not None
    assert same(held_out, again)
    different = fit_spans(TARGET, *letters(40), seed=8)[1]
    assert different is not None
    assert not same(held_out, different)


def test_a_text_is_judged_by_taggers_that_had_not_seen_it() -> None:
    tasks, spans = letters(40)
    tasks[1], spans[1] = Task(TaskId("odd"), {"text": "qqq zzz qqq"}), (Span(4, 7, "person"),)
    model, held_out = fit_spans(TARGET, tasks, spans)
    assert held_out is not None
    assert spans[1] == model.predict(tasks).spans[1]
    assert held_out.spans[1] != spans[1]
    assert span_f1(spans, held_out.spans)[2] > 0.9


@pytest.mark.parametrize(("n", "with_spans"), [(9, 6), (30, 1)])
def test_too_few_labels_are_learned_from_but_not_judged(n: int, with_spans: int) -> None:
    tasks, spans = letters(n)
    rows = [row for row, found in enumerate(spans) if found][with_spans:]
    spans = [() if row in rows else found for row, found in enumerate(spans)]
    model, held_out = fit_spans(TARGET, tasks, spans)
    assert model.informative
    assert held_out is None


def test_two_texts_with_spans_among_many_without_are_judged() -> None:
    tasks, spans = letters(30)
    for row in range(5, 30):
        spans[row] = ()
    for row in (2, 4):
        spans[row] = ()
    assert sum(map(bool, spans)) == 1
    spans[29] = letters(30)[1][29]
    assert fit_spans(TARGET, tasks, spans)[1] is not None


@pytest.mark.parametrize(
    "labels", [[(), ()], [(Span(4, 5, "person"),), ()], [(), (Span(0, 3, "place"),)]], ids=["none", "space", "no text"]
)
def test_without_any_span_on_a_word_there_is_no_model(labels: list[tuple[Span, ...]]) -> None:
    tasks = [Task(TaskId("1"), {"text": "dear all"}), Task(TaskId("2"), {})]
    with pytest.raises(ValueError, match="no span is labeled yet"):
        fit_spans(TARGET, tasks, labels)


def test_before_any_span_is_labeled_nothing_is_said() -> None:
    predicted = NoSpans().predict(letters(3)[0])
    assert not NoSpans.informative
    assert [guess.label for guess in predicted.guesses("names")] == [(), (), ()]
    assert predicted.uncertainty.tolist() == [0.5] * 3


@pytest.mark.parametrize("text", ["Ada", "Ada Oslo", "👍"])
def test_one_text_that_is_all_span_can_be_learned(text: str) -> None:
    task = Task(TaskId("1"), {"text": text})
    model, _ = fit_spans(TARGET, [task], [(Span(0, len(text), "person"),)])
    assert model.predict([task, Task(TaskId("2"), {"text": "something else"})]).spans[0]


def test_a_label_may_be_any_text() -> None:
    odd = Target("names", "spans", (Input("text"),), ("a:b\\c\n👍 \ud800", ""))
    task = Task(TaskId("1"), {"text": "Ada lives"})
    spans = tuple(Span(start, end, label) for (start, end), label in zip([(0, 3), (4, 9)], odd.labels, strict=True))
    assert fit_spans(odd, [task] * 10, [spans] * 10)[0].predict([task]).spans == [spans]


def test_threads_can_share_a_tagger() -> None:
    tasks, _ = letters(100, seed=6)
    alone = tagger().predict(tasks)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads interrupt each other wherever they can
    try:
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda _: tagger().predict(tasks), range(12)))
    finally:
        sys.setswitchinterval(interval)
    assert all(same(predicted, alone) for predicted in together)


def test_other_threads_have_their_turns_while_crfsuite_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, stop, while_training = 0, threading.Event(), []
    train = spans_module._Trainer.train

    def counted(trainer: object, path: str) -> None:
        before = turns
        train(trainer, path)
        while_training.append(turns - before)

    def take_turns() -> None:
        nonlocal turns
        while not stop.wait(0.001):
            turns += 1

    monkeypatch.setattr(spans_module._Trainer, "train", counted)
    other = threading.Thread(target=take_turns)
    other.start()
    try:
        fit_spans(TARGET, *letters(1000), judged=False)
    finally:
        stop.set()
        other.join()
    assert while_training[0] > 10
