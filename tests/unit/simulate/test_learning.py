"""A simulation learns as the service does: every kind of target, and one single choice quicker but not otherwise."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nextlabel.cli import EXIT_CONFIGURATION, cli
from nextlabel.errors import ConfigurationError
from nextlabel.features.embedding import signature
from nextlabel.features.model_folders import Embeddings
from nextlabel.features.source import Source
from nextlabel.features.work import InPlace
from nextlabel.labeling import (
    KINDS,
    Input,
    Label,
    LabelSchema,
    ModelVersion,
    Placed,
    ProjectId,
    Span,
    TargetKind,
)
from nextlabel.labeling.ranking import CandidatePool, Floats, Ranking
from nextlabel.learning.scoring import Scorer
from nextlabel.learning.targets import TargetsWorkbench
from nextlabel.ports.state import Labeled
from nextlabel.simulate import LabeledData, simulate
from nextlabel.simulate.datasets import load
from nextlabel.simulate.learning import Problem, ServiceLearning, Split
from nextlabel.simulate.runs import Curve, Plan, run
from nextlabel.strategies.builtin import built_in
from tiny_models import static

HAM, SPAM = ("meeting", "lunch", "report", "agenda", "hello"), ("prize", "cash", "winner", "click", "money")
N = 90


def texts(seed: int = 3) -> tuple[str, ...]:
    rng = np.random.default_rng(seed)
    return tuple(" ".join(rng.choice((HAM, SPAM)[n % 2], 3)) for n in range(N))


def labels() -> tuple[str, ...]:
    return tuple(("ham", "spam")[n % 2] for n in range(N))


def of_words() -> LabeledData:
    """One in nine rows is blank: it comes last whatever the strategy."""
    return LabeledData("mails", labels(), texts=tuple(" " if n % 9 == 4 else one for n, one in enumerate(texts())))


def of_numbers() -> LabeledData:
    rng = np.random.default_rng(7)
    truth = np.arange(N) % 3
    return LabeledData("blobs", tuple(map(str, truth)), numbers=rng.normal(size=(N, 4)) + np.eye(4)[truth])


def of_records() -> LabeledData:
    rng = np.random.default_rng(7)
    records = tuple(
        {"size": float(rng.normal() + n % 2), "colour": ("red", "blue", "")[int(rng.integers(3))], "note": one}
        for n, one in enumerate(texts())
    )
    return LabeledData("records", labels(), records=records, read=tuple(map(Input, ("size", "colour", "note"))))


def picture(n: int) -> Image.Image:
    pixels = np.random.default_rng(n).integers(0, 90, (12, 12), dtype=np.uint8)
    pixels[:, 6:] += np.uint8(90 * (n % 2))
    return Image.fromarray(pixels)


def of_pictures() -> LabeledData:
    files = [BytesIO() for _ in range(N)]
    for n, file in enumerate(files):
        picture(n).save(file, "PNG")
    records = tuple({"image": f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"} for file in files)
    return LabeledData("pictures", labels(), records=records, read=(Input("image", "image"),))


@dataclass
class Watched:
    """Another strategy, and which rows were open whenever it was asked."""

    spec: str
    pools: list[CandidatePool] = field(default_factory=list)

    def utilities(self, probabilities: Floats) -> Floats:
        return built_in(self.spec).utilities(probabilities)

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        self.pools.append(pool)
        return built_in(self.spec).rank(pool, size)


def ran(
    data: LabeledData, cache: Path, spec: str, *, fast: bool, embeddings: str = "", metric: str | None = None
) -> tuple[Curve, Sequence[CandidatePool]]:
    plan = Plan(40, 10, 10, "diverse", metric or KINDS[data.kind].metrics[0], 0.3, scale=True)
    watched = Watched(spec)
    return run(
        Problem(data, cache, embeddings=Embeddings(embeddings)), plan, watched, spec, 5, fast=fast
    ), watched.pools


@pytest.mark.parametrize("spec", ["adaptive", "badge", "committee?members=3"])
@pytest.mark.parametrize("make", [of_words, of_numbers, of_records, of_pictures])
def test_the_fast_path_makes_the_choices_of_the_service_and_has_its_scores(make, spec: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (fast, there), (slow, here) = (ran(make(), tmp_path, spec, fast=fast) for fast in (True, False))
    assert len(there) == 3
    assert [one.tasks for one in there] == [one.tasks for one in here]
    for one, other in zip(there, here, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=1e-5, atol=1e-7)
    assert (fast.labels, fast.scores) == (slow.labels, slow.scores)


def test_the_fast_path_has_the_scores_of_the_service_on_embeddings_and_in_random_order(tmp_path: Path) -> None:
    model, data = str(static(tmp_path)), of_words()
    data = replace(data, texts=tuple(one.replace("lunch", "good").replace("cash", "bad") for one in data.texts or ()))
    for spec, metric in (("margin", "accuracy"), ("random", "macro_f1")):
        fast, slow = (
            ran(data, tmp_path / "cache", spec, fast=fast, embeddings=model, metric=metric)[0] for fast in (True, False)
        )
        assert (fast.labels, fast.scores) == (slow.labels, slow.scores)


def test_a_workbench_that_is_given_labels_one_after_the_other_is_like_a_new_one_with_all_of_them() -> None:
    data = of_words()
    schema, tasks = LabelSchema((data.target,)), data.tasks()
    known = {task.id: {"label": label} for task, label in zip(tasks[:40], data.labels[:40], strict=True)}
    new = TargetsWorkbench(
        schema, Labeled(tuple(tasks[:40]), tuple(known.values()), (None,) * 40), tasks[40:], Source(), seed=1
    )
    grown = TargetsWorkbench(schema, Labeled((), (), ()), tasks, Source(), seed=1)
    for start in (0, 20):
        grown.take(dict(list(known.items())[start : start + 20]))
        learned = grown.learn(None, lambda: None)
    scorer = Scorer(ProjectId(""), ModelVersion(""), InPlace(), 60, 3)
    one = grown.candidates(learned.model, scorer)
    other = new.candidates(new.learn(None, lambda: None).model, scorer)
    assert (grown.digest, [task.id for task in grown.open]) == (new.digest, [task.id for task in new.open])
    assert one.pool.tasks == other.pool.tasks
    np.testing.assert_allclose(one.pool.probabilities, other.pool.probabilities, rtol=1e-6)


def of_kind(kind: TargetKind) -> LabeledData:
    """Every second text is about money, and how many times that word is in it is its number."""
    words = [one.split() for one in texts()]
    money = [[word for word in one if word in SPAM] for one in words]
    found: Mapping[TargetKind, Sequence[Label]] = {
        "choice": labels(),
        "choices": [tuple(sorted({word for word in one if word in ("cash", "lunch", "prize")})) for one in words],
        "number": [float(len(one)) + len(set(one)) / 7 for one in money],
        "ranking": [tuple(Placed("", word) for word in sorted(set(one), key=_by_money)) for one in words],
        "spans": [
            tuple(sorted(Span(one.find(word), one.find(word) + len(word), "money") for word in set(some)))
            for one, some in zip(texts(), money, strict=True)
        ],
    }
    if kind == "ranking":
        given = tuple({"items": [{"id": word, "title": word} for word in dict.fromkeys(one)]} for one in words)
        return LabeledData(kind, tuple(found[kind]), records=given, read=(Input("items", "dialogue"),), kind=kind)
    return LabeledData(kind, tuple(found[kind]), texts=texts(), kind=kind)


def _by_money(word: str) -> int:
    return (*SPAM, *HAM).index(word)


@pytest.mark.parametrize("kind", get_args(TargetKind))
def test_every_kind_of_target_is_simulated(kind: TargetKind) -> None:
    results = simulate(of_kind(kind), ("adaptive", "random"), budget=40, seeds=1, workers=1, progress=False)
    assert results.metric == KINDS[kind].metrics[0]
    assert {curve.labels for curve in results.curves} == {(10, 20, 30, 40)}
    assert min(curve.scores[-1] for curve in results.curves) > 0.7
    assert results.full[0] > 0.7


@pytest.mark.parametrize("kind", get_args(TargetKind))
def test_a_model_that_is_not_judged_answers_the_same(kind: TargetKind, tmp_path: Path) -> None:
    data, rows = of_kind(kind), np.arange(60)
    split = Split(data.target, data.part(rows), data.part(np.arange(60, N)))
    scores = []
    for chances in (True, False):
        learning = ServiceLearning(Problem(data, tmp_path), split, KINDS[kind].metrics[0], 0, chances=chances)
        learning.learn(rows[:40])
        scores.append(learning.score())
    assert scores[0] == scores[1] > 0.7


def test_a_strategy_that_a_kind_of_target_cannot_serve_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"The strategy 'multilabel.*' needs several labels at once"):
        simulate(of_kind("number"), ("multilabel",), budget=40, seeds=1, workers=1, progress=False)


def test_what_does_not_go_with_the_kind_of_target_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="metric is 'accuracy': choose from correlation"):
        simulate(of_kind("number"), metric="accuracy")
    with pytest.raises(ConfigurationError, match="an estimator learns a single choice"):
        from sklearn.svm import SVC

        simulate(of_kind("number"), estimator=SVC())


def jsonl(folder: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def exported(kind: TargetKind, label: Label) -> object:
    """As Label Studio's JSON has it, and its value as files of other tools do."""
    match label:
        case float():
            return [{"rating": label}]
        case str():
            return label
        case tuple() if kind in ("spans", "ranking"):
            return [list(one) for one in label]
        case _:
            return list(label)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", get_args(TargetKind))
def test_the_command_takes_every_kind_from_a_file(kind: TargetKind, tmp_path: Path) -> None:
    data = of_kind(kind)
    rows = [
        {**task.data, "label": exported(kind, label)} for task, label in zip(data.tasks(), data.labels, strict=True)
    ]
    path = jsonl(tmp_path, rows)
    assert load(path).labels == data.labels
    quick = ["--seeds", "1", "--budget", "20", "--workers", "1", "--json", "-"]
    done = CliRunner().invoke(cli, ["simulate", str(path), *quick, "--strategy", "random"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["metric"] == KINDS[kind].metrics[0]


RESULTS: Mapping[TargetKind, tuple[str, Mapping[str, object]]] = {
    "choices": ("choices", {"choices": ["a", "b"]}),
    "number": ("rating", {"rating": 4}),
    "spans": ("labels", {"start": 0, "end": 4, "text": "some", "labels": ["a"]}),
}


@pytest.mark.parametrize(("kind", "label"), [("choices", ("a", "b")), ("number", 4.0), ("spans", (Span(0, 4, "a"),))])
def test_an_export_of_label_studio_is_read_for_every_kind(kind: TargetKind, label: Label, tmp_path: Path) -> None:
    """JSON with whole annotations, and JSON_MIN, in which the same stands without them."""
    type_, value = RESULTS[kind]
    result = [{"from_name": "what", "to_name": "text", "type": type_, "value": value}]
    whole = [
        {"id": n, "data": {"text": f"some words {n}"}, "annotations": [{"id": n, "result": result}]} for n in (1, 2)
    ]
    stated = value if kind == "choices" else [value]
    stamps = {"annotator": 1, "annotation_id": 1, "created_at": "2026", "updated_at": "2026", "lead_time": 1.5}
    short = [{"text": f"some words {n}", "id": n, "what": stated, **stamps} for n in (1, 2)]
    for n, rows in enumerate((whole, short)):
        path = tmp_path / f"export-{n}.json"
        path.write_text(json.dumps(rows))
        data = load(path)
        assert (data.kind, data.labels, data.label, data.inputs) == (kind, (label, label), "what", ("text",))


def test_orders_of_items_are_read_from_exports_of_label_studio_and_items_must_be_there(tmp_path: Path) -> None:
    items = [{"id": one, "title": f"item {one}"} for one in "abc"]
    orders = ["abc", "cba", "bca"]
    result = [[{"from_name": "it", "type": "ranker", "value": {"ranker": {"it": list(one)}}}] for one in orders]
    path = tmp_path / "export.json"
    path.write_text(
        json.dumps([{"data": {"q": "?", "list": items}, "annotations": [{"result": one}]} for one in result])
    )
    data = load(path)
    assert (data.kind, data.inputs, data.target.options) == ("ranking", ("list", "q"), "list")
    assert data.labels == tuple(tuple(Placed("", item) for item in one) for one in orders)
    assert list(data.target.offered(data.tasks()[0])) == ["a", "b", "c"]
    without = jsonl(tmp_path, [{"text": f"text {n}", "label": [["", "a"], ["", f"b{n}"]]} for n in range(4)])
    with pytest.raises(ConfigurationError, match="no column holds items"):
        load(without).check_learnable()


def test_who_marks_no_span_says_that_there_is_none(tmp_path: Path) -> None:
    marked = {"from_name": "what", "type": "labels", "value": RESULTS["spans"][1]}
    results: list[list[object]] = [[marked], []]
    path = tmp_path / "export.json"
    path.write_text(json.dumps([{"data": {"text": "some"}, "annotations": [{"result": result}]} for result in results]))
    assert load(path).labels == ((Span(0, 4, "a"),), ())


def test_a_metric_says_what_numbers_and_mixed_choices_are(tmp_path: Path) -> None:
    rated = jsonl(tmp_path, [{"text": f"words {n}", "label": n % 5} for n in range(60)])
    assert load(rated).kind == "choice"
    quick = ["--seeds", "1", "--budget", "20", "--workers", "1", "--json", "-", "--strategy", "random"]
    done = CliRunner().invoke(cli, ["simulate", str(rated), *quick, "--metric", "correlation"])
    assert json.loads(done.stdout)["metric"] == "correlation"
    done = CliRunner().invoke(cli, ["simulate", str(rated), "--metric", "beauty"])
    assert (done.exit_code, "choose from accuracy, macro_f1, micro_f1" in done.stderr) == (EXIT_CONFIGURATION, True)


def test_the_embeddings_of_the_installation_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = jsonl(tmp_path, [{"text": one, "label": label} for one, label in zip(texts(), labels(), strict=True)])
    command = ["simulate", str(path), "--seeds", "1", "--budget", "20", "--strategy", "random", "--json", "-"]
    monkeypatch.setenv("NEXTLABEL_EMBEDDINGS", str(static(tmp_path)))
    settings = json.loads(CliRunner().invoke(cli, command).stdout)["settings"]
    assert settings["embeddings"] == signature(tmp_path)


def test_a_test_set_of_another_kind_is_refused() -> None:
    data = LabeledData("mails", labels(), texts=texts(), test=of_kind("number"))
    with pytest.raises(ConfigurationError, match="texts with a number each instead of texts with 2 classes"):
        simulate(data)


def test_pictures_beside_a_file_are_read_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    for n in range(4):
        picture(n).save(tmp_path / f"{n}.png")
    path = jsonl(
        tmp_path, [{"image": f"{n}.png", "caption": "a long caption of it", "label": "ab"[n % 2]} for n in range(4)]
    )
    data = load(path)
    assert (data.inputs, data.target.inputs) == (("image",), (Input("image", "image"),))
    both = tmp_path / "both.csv"
    both.write_text("image,text,label\nhttp://a/1.png,some words,a\nhttp://a/2.png,more words,b\n")
    assert load(both).inputs == ("text",)
    (tmp_path / "2.png").unlink()
    with pytest.raises(ConfigurationError, match=r"line 3, column 'image': there is no picture '2.png'"):
        load(path)


def test_words_and_numbers_of_a_table_are_learned_together(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("size,colour,label\n" + "".join(f"{n % 7},{('red', 'blue')[n % 2]},{n % 2}\n" for n in range(80)))
    data = load(path)
    assert data.inputs == ("size", "colour")
    results = simulate(data, ("margin",), budget=20, seeds=1, workers=1, progress=False)
    assert results.of("margin")[0].scores[-1] == 1.0
