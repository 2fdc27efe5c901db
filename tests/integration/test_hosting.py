"""Teams' own models, untouched, in real processes: they predict and learn, and whatever they do harms nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from nextlabel.errors import HostedModelError
from nextlabel.hosting import HostedModel, HostedPrediction, Limits, ModelSource
from nextlabel.labeling import Input, LabelSchema, Scale, Target
from nextlabel.testing.waiting import CEILING_SECONDS, has_ended, wait_for

MODELS = Path(__file__).parent / "models"
CONFIG = """<View><Text name="text" value="$text"/><Choices name="topic" toName="text">
<Choice value="sport"/><Choice value="money"/></Choices></View>"""
TEACHING = [
    *(
        ("the team won the match", "sport"),
        ("a late goal decided the game", "sport"),
        ("the coach praised them", "sport"),
    ),
    *(("shares fell on friday", "money"), ("the bank raised its rates", "money"), ("profits rose again", "money")),
]
WORDS = LabelSchema((), source=CONFIG)
TEXT = (Input("text"),)
TOPIC = LabelSchema((Target("topic", "choice", TEXT, ("sport", "money")),))
STARS = LabelSchema((Target("stars", "number", TEXT, scale=Scale(1, 5, 1)),))
SIZES: dict[str, list[dict[str, object]]] = {
    "sport": [{"size": 1, "place": "a"}, {"size": 2, "place": "a"}],
    "money": [{"size": 8, "place": "b"}, {"size": 9, "place": None}],
}
Maker = Callable[..., HostedModel]


def task(text: str, id: int = 1) -> dict[str, object]:  # noqa: A002
    return {"id": id, "data": {"text": text}, "annotations": [], "predictions": []}


def annotated() -> list[dict[str, object]]:
    def annotation(label: str) -> dict[str, object]:
        value = {"choices": [label]}
        return {"result": [{"from_name": "topic", "to_name": "text", "type": "choices", "value": value}]}

    return [{**task(text, n), "annotations": [annotation(label)]} for n, (text, label) in enumerate(TEACHING)]


def chosen(predictions: list[HostedPrediction]) -> list[str]:
    return [prediction.result[0]["value"]["choices"][0] for prediction in predictions]


def put_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules in that folder are found before any others by the processes that are started from here."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")])))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Maker]:
    """Makes hosted models, the first version of which lies in one folder; all are closed in the end."""
    made: list[HostedModel] = []

    def make(name: str, *, folder: Path = tmp_path / "0001", **more: object) -> HostedModel:
        source = ModelSource.parse(f"{MODELS}/{name}")
        model = HostedModel(source, project="7.1700000000", schema=WORDS, folder=folder, **more)  # type: ignore[arg-type]
        made.append(model)
        return model

    yield make
    for model in made:
        model.close()


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("one_x.py:TextClassifier", (None, None, None)),
        # It counts its trainings in the cache of strings that 2.x gives each project.
        ("two_x.py:TextClassifier", ("TextClassifier-v0", "TextClassifier-v1", "TextClassifier-v2")),
    ],
)
def test_a_model_of_either_interface_predicts_learns_and_predicts_better_wherever_its_state_is_moved(
    name: str, versions: tuple[str | None, ...], host: Maker, tmp_path: Path
) -> None:
    asked = [task("the match and the goal"), task("rates and shares")]
    first = host(name)
    before = first.predict(asked)
    assert all(prediction.score is not None and 0 < prediction.score < 0.6 for prediction in before)

    state = first.fit(annotated(), into=tmp_path / "fitted")
    (tmp_path / "fitted").rename(tmp_path / "0002")
    second = host(name, folder=tmp_path / "0002", train_output=json.loads(json.dumps(state)))
    after = second.predict(asked)
    assert chosen(after) == ["sport", "money"]
    assert all((new.score or 0) > (old.score or 0) for new, old in zip(after, before, strict=True))
    assert first.predict(asked) == before
    assert list((tmp_path / "0001").iterdir()) == []

    more = [{**task("the cup final was late", 9), "annotations": annotated()[0]["annotations"]}]
    third_state = second.fit([*annotated(), *more], into=tmp_path / "0003")
    third = host(name, folder=tmp_path / "0003", train_output=third_state)
    last = third.predict(asked)
    assert chosen(last) == ["sport", "money"]
    assert tuple(printed[0].model_version for printed in (before, after, last)) == versions


def labeled(labels: Iterable[tuple[dict[str, object], object]]) -> list[dict[str, object]]:
    return [{"data": data, "label": label} for data, label in labels]


def estimator(name: str) -> ModelSource:
    return ModelSource.parse(f"{MODELS}/{name}" if ".py:" in name else name)


TEXTS_CHOSEN = labeled(({"text": text}, label) for text, label in TEACHING)
SIZES_CHOSEN = labeled((data, label) for label, all_of in SIZES.items() for data in all_of)
TEXTS_RATED = labeled(({"text": text}, 1.0 if label == "money" else 5.0) for text, label in TEACHING)
NOTHING = HostedPrediction([], None, (), None)


@pytest.mark.parametrize(
    ("name", "schema", "tasks"),
    [
        pytest.param("sklearn.linear_model.LogisticRegression", TOPIC, TEXTS_CHOSEN, marks=pytest.mark.everything),
        pytest.param("estimators.py:letters", TOPIC, TEXTS_CHOSEN, marks=pytest.mark.everything),
        ("estimators.py:fields", TOPIC, SIZES_CHOSEN),
        ("sklearn.linear_model:BayesianRidge", STARS, TEXTS_RATED),
    ],
    ids=["a class", "a pipeline of their own", "a function for fields", "a regressor"],
)
def test_a_scikit_learn_estimator_says_nothing_then_learns_and_says_the_same_wherever_its_state_is_moved(
    name: str, schema: LabelSchema, tasks: list[dict[str, Any]], tmp_path: Path
) -> None:
    def host(folder: str, state: object = None) -> HostedModel:
        known = json.loads(json.dumps(state or {}))
        return HostedModel(estimator(name), project="7", schema=schema, folder=tmp_path / folder, train_output=known)

    with host("0001") as first:
        assert first.target == schema.targets[0]
        assert first.predict(tasks) == [NOTHING] * len(tasks)
        state = first.fit(tasks, into=tmp_path / "fitted")
        assert first.predict(tasks[:1]) == [NOTHING]
    with host("fitted", state) as second:
        printed = second.predict(tasks)
    assert [one.label for one in printed] == [one["label"] for one in tasks], "just what the annotators gave"
    assert all(one.score is not None and 0.5 < one.score <= 1 for one in printed)
    (tmp_path / "fitted").rename(tmp_path / "moved")
    with host("moved", state) as moved:
        assert moved.predict(tasks) == printed


@pytest.mark.parametrize(
    ("name", "schema", "received"),
    [
        ("sklearn.cluster.KMeans", TOPIC, r"could not start: KMeans is neither a classifier nor a regressor"),
        ("sklearn.svm.SVC", STARS, r"could not start: .* nothing for a classifier, .*'stars' is a number"),
        (
            "estimators.py:scaler",
            TOPIC,
            r"could not start: .* nor a scikit-learn estimator: StandardScaler has no predict",
        ),
        (
            "estimators.py:absent",
            TOPIC,
            r"could not be loaded: AttributeError: it has no absent; it has Lengths, fields",
        ),
    ],
    ids=["a clusterer", "no target", "no predict", "not there"],
)
def test_what_is_no_estimator_for_the_project_is_told_in_a_sentence(
    name: str, schema: LabelSchema, received: str, tmp_path: Path
) -> None:
    with (
        HostedModel(estimator(name), project="7", schema=schema, folder=tmp_path) as model,
        pytest.raises(HostedModelError, match=received) as failed,
    ):
        model.predict([task("hello")])
    assert "\n" not in str(failed.value)


def test_an_estimator_gets_its_parameters_and_what_it_raises_of_them_is_told(tmp_path: Path) -> None:
    given = {"parameters": {"C": -1.0, "of no use to it": ""}, "schema": TOPIC, "folder": tmp_path / "0001"}
    with (
        HostedModel(estimator("estimators.py:fields"), project="7", **given) as model,  # type: ignore[arg-type]
        pytest.raises(HostedModelError, match=r"raised in fit: .*'C' parameter .* Got -1.0(.|\n)*Correct the model"),
    ):
        model.fit(SIZES_CHOSEN, into=tmp_path / "0002")


def test_label_studio_ml_need_not_be_installed_for_an_estimator_but_for_models_that_import_it(
    host: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import sys\nsys.modules['label_studio_ml'] = None\n")
    put_first(tmp_path / "site", monkeypatch)
    with HostedModel(estimator("estimators.py:fields"), project="7", schema=TOPIC, folder=tmp_path) as model:
        assert model.predict(SIZES_CHOSEN[:1]) == [NOTHING]
    received = (
        r"needs a Python module that is not there \(label_studio_ml.*; pip install --no-deps label-studio-ml==1.0.9"
    )
    with pytest.raises(HostedModelError, match=received):
        host("one_x.py:TextClassifier").predict([task("hello")])


def test_a_fit_that_raises_leaves_the_version_before_as_it_was_and_shows_its_last_lines(
    host: Maker, tmp_path: Path
) -> None:
    (tmp_path / "0001").mkdir()
    (tmp_path / "0001" / "weights.txt").write_text("whole")
    model = host("raising.py:Obedient")
    served_by = model.predict([task("hello")])[0].model_version
    with pytest.raises(
        HostedModelError, match=r"raising.py:Obedient raised in fit: RuntimeError: cannot learn"
    ) as received:
        model.fit(annotated(), into=tmp_path / "0002")
    assert 'raising.py", line' in str(received.value)
    assert "nextlabel/hosting" not in str(received.value)
    assert model.predict([task("hello")])[0].model_version == served_by
    assert {path.name: path.read_text() for path in (tmp_path / "0001").iterdir()} == {"weights.txt": "whole"}
    assert not (tmp_path / "0002").exists()
    for taken in (tmp_path / "0001", tmp_path / "0001" / "next", tmp_path):
        with pytest.raises(HostedModelError, match=r"is in use: a version .* needs a new folder"):
            model.fit(annotated(), into=taken)


def test_a_fit_that_never_returns_is_ended_with_all_it_started_and_the_message_shows_where_it_hung(
    host: Maker, tmp_path: Path, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    model = host("hanging.py:Hanging", limits=Limits(fit_seconds=2))
    with pytest.raises(HostedModelError, match=r"did not fit within 2 s .* raise fit_seconds") as received:
        model.fit(annotated(), into=tmp_path / "0002")
    assert "in wait_for_godot" in str(received.value)
    helper = int(str(received.value).split("helper ")[1].split()[0])
    eventually(lambda: has_ended(helper))
    assert model.predict([task("hello")])[0].score == 0.9
    assert not (tmp_path / "0002").exists()


def test_a_fit_that_eats_memory_is_stopped_at_the_limit(host: Maker, tmp_path: Path) -> None:
    model = host("greedy.py:Greedy", limits=Limits(memory_mb=700))
    with pytest.raises(HostedModelError, match=r"ran out of memory in fit: .* 700 MB, or raise memory_mb"):
        model.fit(annotated(), into=tmp_path / "0002")
    assert model.predict([task("hello")])[0].score == 0.9


def test_versions_are_served_while_another_is_fitted(host: Maker, tmp_path: Path) -> None:
    model, begun = host("lengthy.py:Lengthy"), tmp_path / "begun"
    with ThreadPoolExecutor(1) as pool:
        fitting = pool.submit(model.fit, annotated(), into=tmp_path / "0002")
        try:
            wait_for(lambda: begun.exists() or fitting.done())
            assert model.predict([task("hello")])[0].score == 0.9
            assert not fitting.done()
        finally:
            begun.unlink(missing_ok=True)
        assert fitting.result() == {"tasks": len(TEACHING)}


@pytest.mark.parametrize(
    ("does", "received"),
    [
        ("raise", r"raised in predict: ValueError: no such word(.|\n)*raising.py"),
        ("exit", r"ended itself in predict \(SystemExit: 3\): have it raise"),
        ("leave", r"ended itself in predict with exit code 4(.|\n)*leaving now"),
        ("crash", r"crashed in predict \(SIGABRT\)(.|\n)*raising.py"),
        ("too many", r"returned 4 predictions for 2 tasks: it must return one per task"),
        ("none", r"returned nothing \(None\) for 2 tasks"),
        ("object", r"cannot be written as JSON \(a builtins.object\)"),
        ("close everything", r"closed the file descriptor|ended itself"),
        ("write everywhere", r"wrote to the file descriptor of nextlabel's own"),
    ],
)
def test_whatever_a_model_does_is_told_and_the_next_prediction_works(does: str, received: str, host: Maker) -> None:
    model = host("raising.py:Obedient")
    with pytest.raises(HostedModelError, match=received):
        model.predict([task(does), task("hello")])
    assert [prediction.score for prediction in model.predict([task("hello"), task("hello")])] == [0.9, 0.9]


def test_what_a_model_prints_disturbs_nothing_and_little_of_it_is_kept(host: Maker) -> None:
    model = host("raising.py:Obedient")
    assert model.predict([task("print")])[0].score == 0.9
    with pytest.raises(HostedModelError) as received:
        model.predict([task("raise")])
    assert 20 < str(received.value).count("\n") <= 51


def test_a_prediction_that_hangs_is_ended_in_time(host: Maker) -> None:
    model = host("hanging.py:Hanging", limits=Limits(predict_seconds=1))
    model.predict([task("hello")])
    start = time.monotonic()
    with pytest.raises(HostedModelError, match=r"did not predict within 1 s"):
        model.predict([task("hang")])
    assert time.monotonic() - start < CEILING_SECONDS
    with model._lock, pytest.raises(HostedModelError, match=r"was busy with other predictions for 1 s"):
        model.predict([task("hello")])
    assert model.predict([task("hello")])[0].score == 0.9


def test_a_model_that_cannot_be_loaded_says_why(host: Maker, tmp_path: Path) -> None:
    needy = tmp_path / "needy.py"
    needy.write_text("import torch_of_the_future\n")
    for source, received in (
        (f"{MODELS}/raising.py:Missing", r"it has no Missing; it has Obedient, Unmade"),
        (f"{MODELS}/raising.py:Unmade", r"could not be loaded: OSError: weights.bin is not there"),
        (f"{needy}:Needy", r"needs a Python module that is not there .*torch_of_the_future.*: install it"),
        ("sklearn.no_such_module:Mine", r"needs a Python module that is not there .*no_such_module"),
    ):
        model = HostedModel(ModelSource.parse(source), project="1", schema=WORDS, folder=tmp_path / "empty")
        with model, pytest.raises(HostedModelError, match=received):
            model.predict([task("hello")])


def test_threads_that_come_and_go_share_one_process_and_each_gets_its_own_answers(host: Maker) -> None:
    model = host("raising.py:Obedient")
    got: list[tuple[str, HostedPrediction]] = []

    def ask() -> None:
        got.extend((text, model.predict([task(text)])[0]) for text, _ in TEACHING * 10)

    for _ in range(2):
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(got) == 480
    assert all(prediction.result == [{"text": text}] for text, prediction in got)
    assert len({prediction.model_version for _, prediction in got}) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the closed wire ends it")
def test_it_ends_with_a_service_that_was_killed(
    tmp_path: Path, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    serve = f"""if True:
    import time
    from pathlib import Path
    from nextlabel.hosting import HostedModel, ModelSource
    from nextlabel.labeling import LabelSchema
    model = HostedModel(ModelSource.parse({f"{MODELS}/raising.py:Obedient"!r}), project="1",
                        schema=LabelSchema((), source={CONFIG!r}), folder=Path({str(tmp_path)!r}))
    print(model.predict([{{"data": {{"text": "hello"}}}}])[0].model_version, flush=True)
    time.sleep(300)
    """
    with subprocess.Popen([sys.executable, "-c", serve], stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout
        process = int(service.stdout.readline().split()[1])
        assert not has_ended(process)
        service.kill()
    eventually(lambda: has_ended(process))


def test_a_model_that_nobody_asks_any_more_lets_go_of_its_memory_and_answers_again_when_asked(
    host: Maker, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    model = host("raising.py:Obedient", limits=Limits(idle_seconds=2.0))

    def ask() -> int:
        return int(str(model.predict([task("hello")])[0].model_version).split()[1])

    first, asked_at = ask(), time.monotonic()
    asked_until = asked_at + 2.5
    while asked_at < asked_until:
        at_once = time.monotonic() - asked_at < 1  # on a machine that stands still for longer it may have been let go
        now, asked_at = ask(), time.monotonic()
        assert now == first or not at_once, "it is asked all the time"
        first = now
        time.sleep(0.05)
    eventually(lambda: has_ended(first))
    assert ask() != first


def test_a_process_forked_from_the_service_gets_a_model_process_of_its_own(host: Maker) -> None:
    model = host("raising.py:Obedient")
    mine = model.predict([task("hello")])[0].model_version
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(into, str(model.predict([task("hello")])[0].model_version).encode())
        model.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(out, 100).decode() not in ("", mine)
    assert model.predict([task("hello")])[0].model_version == mine


def test_a_model_does_not_see_the_services_secrets(
    host: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTLABEL_WEBHOOK_SECRET", "hush")
    monkeypatch.setenv("REDIS_URL", "redis://:hush@nowhere")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "for the model")
    curious = tmp_path / "curious.py"
    curious.write_text(
        "import os\n"
        "class Curious:\n"
        "    def predict(self, tasks, **kwargs):\n"
        "        first = open('/proc/self/environ').read() if os.path.exists('/proc/self/environ') else ''\n"
        "        seen = 'hush' in first + repr(os.environ), os.environ.get('LABEL_STUDIO_API_KEY')\n"
        "        return [{'result': [], 'model_version': repr(seen)}]\n"
    )
    with HostedModel(ModelSource.parse(f"{curious}:Curious"), project="1", schema=WORDS, folder=tmp_path) as model:
        assert model.predict([task("hello")])[0].model_version == "(False, 'for the model')"


def test_asking_a_warm_process_costs_less_than_five_milliseconds_when_nothing_is_beside_it(host: Maker) -> None:
    """The quickest of many: on a busy machine some are undisturbed."""
    model = host("hanging.py:Hanging")
    model.predict([task("hello")])
    took = []
    for _ in range(200):
        start = time.perf_counter()
        model.predict([task("hello")])
        took.append(time.perf_counter() - start)
    assert min(took) < 0.005
