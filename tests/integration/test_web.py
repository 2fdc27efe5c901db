"""Label Studio's ML-backend protocol and our own API, as a client sees them."""

from __future__ import annotations

import base64
import io
import logging
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from benchmarks.hostile import bodies
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from nextlabel import wiring
from nextlabel.estimators.fitting import fit
from nextlabel.estimators.project import Learned, ProjectModel
from nextlabel.features.encoders import encoder_for
from nextlabel.features.source import Source
from nextlabel.jobs.embedded_redis import EmbeddedRedis
from nextlabel.labeling import Input, Label, LabelSchema, ProjectId, Scale, Target, Task, TaskId
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import ModelRecord, QueueRecord
from nextlabel.ports.tool import ToolAccess
from nextlabel.service import answering as serving
from nextlabel.settings import Settings
from nextlabel.testing import connection_to
from nextlabel.web import create_app
from nextlabel.wiring import Parts

CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="kind" toName="text"><Choice value="spam"/><Choice value="ham"/></Choices></View>'
)
TARGET = Target("kind", "choice", (Input("text"),), ("spam", "ham"))
SCHEMA = LabelSchema((TARGET,)).digest
SECRETS = ("hush-password", "hush-webhook-secret", "hush-token")
ONE, TWO, STRANGER = ProjectId("1"), ProjectId("2"), ProjectId("77")

BASIC = {"Authorization": "Basic " + base64.b64encode(b"nextlabel:hush-password").decode()}
WRONG = {"Authorization": "Basic " + base64.b64encode(b"nextlabel:hush").decode()}
SECRET = {"X-Nextlabel-Secret": "hush-webhook-secret"}


class Client:
    """Asks as Label Studio does."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    def get(self, path: str, headers: Mapping[str, str] = BASIC) -> TestResponse:
        return self._client.get(path, headers=headers)

    def post(self, path: str, body: object, headers: Mapping[str, str] = BASIC) -> TestResponse:
        sent = {"wsgi.input": body} if isinstance(body, io.RawIOBase) else {}
        data = b"?" if sent else body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"Content-Type": "application/json", **headers}
        return self._client.post(path, data=data, headers=headers, environ_overrides=sent)

    def setup(self, project: str = "1", **more: object) -> TestResponse:
        return self.post("/setup", {"project": f"{project}.1795329581", "schema": CONFIG, "hostname": "", **more})

    def predict(self, *tasks: object, project: str = "1", context: object = None) -> TestResponse:
        params = {"context": context}
        body = {"tasks": tasks, "project": f"{project}.1795329581", "label_config": CONFIG, "params": params}
        return self.post("/predict", body)

    def event(self, action: str, project: str = "1", **settings: object) -> TestResponse:
        payload = {"action": action, "project": {"id": int(project), "label_config": CONFIG, **settings}}
        return self.post("/webhook", payload, SECRET)


def json(response: TestResponse, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    assert response.content_type == "application/json"
    return response.json


def error(response: TestResponse, status: int) -> str:
    """The sentence of an error: it is one, and no traceback."""
    sentence = json(response, status)["error"]
    assert len(sentence.split()) > 3
    assert "Traceback" not in response.text
    return str(sentence)


def task(number: int, text: str = "win a cash prize") -> dict[str, object]:
    return {"id": number, "data": {"text": text}}


def publish(parts: Parts, project: ProjectId = ONE, *more: Target) -> str:
    """A model that tells spam from ham is trained and its order announced; returns the version to be heard.

    ``more`` are further targets; of ``stars``, how spammy a mail is, it has learned something too.
    """
    texts = [f"{'win cash prize' if n % 2 else 'see you at lunch'} {n}" for n in range(20)]
    tasks = [Task(TaskId(str(n)), {"text": text}) for n, text in enumerate(texts)]
    labels: list[dict[str, Label]] = [{"kind": "spam" if n % 2 else "ham", "stars": 1.0 + n % 2} for n in range(20)]
    models, orders, fence = parts.models, parts.orders, parts.fences.next(project)
    version = models.next_version(project, informative=True)
    trained_on = {task.id: printed for task, printed in zip(tasks, labels, strict=True)}
    models.save(
        project,
        ModelRecord(version, "labels", SCHEMA, trained_on, {}),
        ProjectModel({target.name: learned(target, tasks, labels) for target in (TARGET, *more)}),
        fence=fence,
    )
    models.promote(project, version, fence=fence)
    queue = orders.reserve(project, version, fence=fence)
    orders.announce(project, QueueRecord(queue, version, "margin", (), 0), fence=fence)
    return queue


def learned(target: Target, tasks: Sequence[Task], printed: Sequence[Mapping[str, Label]]) -> Learned:
    """What these labels teach of a target."""
    encoder = encoder_for(target, tasks, Source())
    of_target = [(task, it[target.name]) for task, it in zip(tasks, printed, strict=True) if target.name in it]
    features = encoder.encode([task for task, _ in of_target], Source())
    space = encoder.space(encoder.encode(tasks, Source()))
    model = fit(target, [task for task, _ in of_target], features, [label for _, label in of_target], space, 0).model
    return Learned(encoder, model)


SHOWN = ProjectOptions(show_predictions="always")


def connect(parts: Parts, project: ProjectId, options: ProjectOptions = SHOWN) -> None:
    access = ToolAccess("http://ls:8080", "hush-token")
    parts.connections.save(connection_to(project, "label_studio", access, options))


@pytest.fixture
def client(parts: Parts) -> Client:
    connect(parts, ONE)
    return Client(create_app(parts.service, max_request_mb=parts.settings.max_request_mb).test_client())


@pytest.fixture
def another_process(settings: Settings) -> Iterator[Parts]:
    parts = wiring.build(settings, settings.redis_url or "")
    yield parts
    parts.database.dispose()


# --- every route -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/health"])
def test_health_is_told_to_anyone(client: Client, path: str) -> None:
    assert json(client.get(path, {})) == {"status": "UP", "model_class": "nextlabel"}


def test_setup_tells_the_version_in_service(client: Client, parts: Parts) -> None:
    assert json(client.setup()) == {"model_version": "nextlabel-untrained"}
    version = publish(parts)
    assert json(client.setup()) == {"model_version": version}


def test_setup_welcomes_a_project_that_is_not_connected_yet(client: Client) -> None:
    assert json(client.setup(STRANGER)) == {"model_version": "nextlabel-untrained"}


def test_predict_gives_the_label_with_its_confidence_and_uncertainty_under_the_one_version(
    client: Client, parts: Parts
) -> None:
    version = publish(parts)
    spam, ham = json(client.predict(task(1, "win a prize"), task(2, "see you at lunch")))["results"]
    assert [it["result"][0]["value"]["choices"] for it in (spam, ham)] == [["spam"], ["ham"]]
    for it in (spam, ham):
        assert it["model_version"] == version
        assert 0.5 < it["confidence"] < 1
        assert it["uncertainty"] == pytest.approx(1 - it["confidence"])


def test_what_the_model_is_less_sure_of_gets_the_lower_score_and_nothing_comes_before_the_window(
    client: Client, parts: Parts
) -> None:
    publish(parts)
    results = json(client.predict(task(1), task(2, "win a lunch"), task(3, "see you at lunch")))["results"]
    by_score = sorted(results, key=lambda it: it["score"])
    assert [it["uncertainty"] for it in by_score] == sorted((it["uncertainty"] for it in results), reverse=True)
    assert all(0.5 <= it["score"] <= 1 for it in results)


def test_before_the_first_model_predictions_are_empty_and_say_so(client: Client) -> None:
    (only,) = json(client.predict(task(1)))["results"]
    assert (only["result"], only["model_version"]) == ([], "nextlabel-untrained")


def test_versions_are_told_each_once(client: Client, parts: Parts) -> None:
    connect(parts, TWO)
    assert json(client.get("/versions")) == {"versions": ["nextlabel-untrained"]}
    version = publish(parts, ONE)
    assert json(client.get("/versions")) == {"versions": [version, "nextlabel-untrained"]}


def test_a_webhook_asks_for_a_training(client: Client, parts: Parts) -> None:
    assert json(client.event("ANNOTATION_CREATED"), 201)["job"]
    assert parts.job_queue.dispatch_due() == 0  # it waits until labels pause
    assert json(client.event("PROJECT_DELETED")) == {"status": "ignored"}


def test_start_training_is_answered_with_a_job_whose_status_can_be_asked(client: Client, parts: Parts) -> None:
    job = json(client.post("/webhook", {"action": "START_TRAINING", "project": {"id": 1}}), 201)["job"]
    status = json(client.post("/job_status", {"job": job}))
    assert (status["job"], status["job_status"]) == (job, "queued")
    assert parts.job_queue.dispatch_due() == 1  # a person's wish does not wait
    assert json(client.post("/job_status", {"job": job}))["job_status"] == "queued"
    assert json(client.post("/job_status", {"job": "no-such-job"}), 410)["job_status"] == "unknown"


def test_uncertainty_is_told_for_any_tasks(client: Client, parts: Parts) -> None:
    version = publish(parts)
    answer = json(client.post("/api/projects/1/uncertainty", {"tasks": [task(7), {"data": {"text": "win a lunch"}}]}))
    assert answer["model_version"] == version
    sure, unsure = answer["results"]
    assert (sure["id"], sure["targets"]["kind"]["label"], unsure["id"]) == ("7", "spam", "1")
    for measure in ("least_confidence", "margin", "entropy", "utility"):
        assert 0 <= sure[measure] < unsure[measure] <= 1
    assert sure["targets"]["kind"]["confidence"] > unsure["targets"]["kind"]["confidence"]
    assert sure["targets"]["kind"]["uncertainty"] < unsure["targets"]["kind"]["uncertainty"]
    assert json(client.post("/api/projects/1/uncertainty", {"tasks": []}))["results"] == []


def test_the_uncertainty_of_each_target_is_told_and_theirs_together_is_the_mean(client: Client, parts: Parts) -> None:
    publish(parts, ONE, Target("stars", "number", (Input("text"),), scale=Scale(1, 5)))
    asked = {"tasks": [task(1), task(2, "win a lunch"), {"id": 3, "data": {}}]}
    for it in json(client.post("/api/projects/1/uncertainty", asked))["results"]:
        assert set(it["targets"]) == {"kind", "stars"}
        assert 1 <= it["targets"]["stars"]["label"] <= 5
        doubts = [received["uncertainty"] for received in it["targets"].values()]
        assert all(0 <= doubt <= 1 for doubt in doubts)
        assert it["margin"] == pytest.approx(sum(doubts) / 2)


def test_of_a_target_that_was_not_learned_yet_no_label_is_told(client: Client, parts: Parts) -> None:
    before = json(client.post("/api/projects/1/uncertainty", {"tasks": [task(1)]}))["results"][0]
    assert {received["label"] for received in before["targets"].values()} == {None}
    publish(parts, ONE, Target("tone", "choice", (Input("text"),), ("kind", "rude")))
    time.sleep(0.6)
    known = json(client.post("/api/projects/1/uncertainty", {"tasks": [task(1)]}))["results"][0]
    assert {name: received["label"] for name, received in known["targets"].items() if received["label"]} == {
        "kind": "spam"
    }


# --- who may ask -------------------------------------------------------------------------------------------

ROUTES = {
    "/setup": {"project": "1.1", "schema": CONFIG},
    "/predict": {"project": "1.1", "label_config": CONFIG, "tasks": []},
    "/webhook": {"action": "ANNOTATION_CREATED", "project": {"id": 1}},
    "/job_status": {"job": "learn-1"},
    "/api/projects/1/uncertainty": {"tasks": []},
}


@pytest.mark.parametrize(
    "headers",
    [{}, WRONG, {"Authorization": "Basic !"}, {"Authorization": "Bearer hush-password"}, {"X-Nextlabel-Secret": "é"}]
    + [{"Authorization": f"Basic {one}"} for one in ("\xff\xfe", "//46/w==", "Ye2ggDp4")],
    ids=["none", "wrong", "unreadable", "another kind", "not ascii", "bytes", "bytes inside", "half a pair inside"],
)
@pytest.mark.parametrize("path", ROUTES)
def test_without_the_right_credentials_nothing_is_done_and_the_answer_says_how_to_get_them(
    client: Client, parts: Parts, path: str, headers: dict[str, str]
) -> None:
    assert "nextlabel connect" in error(client.post(path, ROUTES[path], headers), 401)
    assert parts.redis.dbsize() == 0


class Unread(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, _: object) -> int:
        raise AssertionError("a stranger's body was read")


@pytest.mark.parametrize("path", ROUTES)
def test_what_a_stranger_sends_is_not_read(client: Client, path: str) -> None:
    error(client.post(path, Unread(), WRONG), 401)


def test_versions_are_not_told_to_strangers(client: Client) -> None:
    error(client.get("/versions", {}), 401)


def test_a_webhook_may_show_its_secret_or_basic_auth(client: Client) -> None:
    for headers in (SECRET, BASIC):
        json(client.post("/webhook", ROUTES["/webhook"], headers), 201)


def test_the_webhook_secret_opens_nothing_else(client: Client) -> None:
    error(client.post("/predict", ROUTES["/predict"], SECRET), 401)


# --- what is sent wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b"{}"])
@pytest.mark.parametrize("path", ROUTES)
def test_a_malformed_body_is_refused_with_a_sentence(client: Client, path: str, body: bytes) -> None:
    error(client.post(path, body, BASIC), 400)


@pytest.mark.parametrize(
    ("path", "around"),
    [
        ("/predict", b'{"project":"1.1","label_config":%s,"tasks":[%s]}'),
        ("/api/projects/1/uncertainty", b'%.0s{"tasks":[%s]}'),
    ],
)
def test_far_more_tasks_than_any_tool_sends_are_refused_before_one_is_made(
    client: Client, path: str, around: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.Service, "predict", None)
    monkeypatch.setattr(serving.Service, "uncertainty", None)
    body = around % (orjson.dumps(CONFIG), b",".join([b"{}"] * 300_000))
    assert "send 10,000 at a time" in error(client.post(path, body), 400)


def test_as_many_tasks_as_label_studio_sends_in_one_request_are_answered(client: Client) -> None:
    one = b'{"id":%d,"data":{"text":"win"},"annotations":[],"predictions":[]}'
    tasks = b",".join(one % n for n in range(1, 10_001))
    body = b'{"project":"1.1","label_config":%s,"tasks":[%s]}' % (orjson.dumps(CONFIG), tasks)
    assert len(json(client.post("/predict", body))["results"]) == 10_000


@pytest.mark.parametrize("job", ["a|b", "é", "learn 1", "../../etc", "a:b"])
def test_a_job_that_cannot_be_is_gone(client: Client, job: str) -> None:
    assert json(client.post("/job_status", {"job": job}), 410)["job_status"] == "unknown"


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_sent_is_answered_and_no_answer_is_an_error_of_ours(
    client: Client, parts: Parts, seed: int
) -> None:
    publish(parts)
    wrong = []
    for path, body in bodies(500, seed):
        response = client.post(path, body)
        if response.status_code >= 500 or response.content_type != "application/json":
            wrong.append((path, response.status_code, body))
    assert wrong == []


def test_a_body_that_is_too_large_is_refused_with_the_remedy(client: Client) -> None:
    assert "NEXTLABEL_MAX_REQUEST_MB" in error(client.predict(task(1, "x" * 1_100_000)), 413)


def test_a_project_that_is_not_connected_is_not_found_and_the_answer_says_how_to_connect_it(client: Client) -> None:
    assert "nextlabel connect" in error(client.event("ANNOTATION_CREATED", STRANGER), 404)
    assert "nextlabel connect" in error(client.post("/api/projects/77/uncertainty", {"tasks": []}), 404)


def test_an_unknown_path_and_a_wrong_method_are_answered_in_json(client: Client) -> None:
    error(client.get("/no/such/path"), 404)
    error(client.get("/predict"), 405)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"relabel": "auto"}, "weighs single choices, and no control is one: choose off"),
        ({"recall_class": "spam"}, "no control is a choice: set it to nothing"),
        ({"recall_target": "nan"}, "'recall_target' is nan: it must be between 0.1 and 0.99"),
    ],
)
@pytest.mark.parametrize("project", [ONE, STRANGER])
def test_options_that_do_not_fit_the_labeling_config_are_refused_as_connect_refuses_them(
    client: Client, parts: Parts, options: dict[str, object], words: str, project: ProjectId
) -> None:
    stars = '<View><Text name="text" value="$text"/><Rating name="stars" toName="text"/></View>'
    assert words in error(client.setup(project, schema=stars, extra_params=options), 400)
    assert parts.connections.get(ONE).options.in_force == SHOWN.in_force


def test_a_labeling_config_without_anything_to_learn_is_refused_with_what_to_do(client: Client) -> None:
    response = client.setup(schema='<View><Image name="i" value="$i"/></View>')
    assert "nextlabel serve --model" in error(response, 400)


# --- one result per task -----------------------------------------------------------------------------------


def test_what_is_withheld_is_an_empty_result_with_its_score_and_who_asks_while_drawing_is_answered(
    client: Client, parts: Parts
) -> None:
    version = publish(parts)
    (shown,) = json(client.predict(task(5)))["results"]
    connect(parts, TWO, replace(SHOWN, show_predictions="never"))
    publish(parts, TWO)
    (withheld,) = json(client.predict(task(5), project="2"))["results"]
    assert withheld == {"result": [], "model_version": version, **{k: shown[k] for k in ("score", "uncertainty")}}
    (answered,) = json(client.predict(task(5), project="2", context={"result": []}))["results"]
    assert answered["result"] == shown["result"] != []


@pytest.mark.parametrize("trained", [True, False])
def test_every_task_gets_one_result_whatever_happens_to_it(client: Client, parts: Parts, trained: bool) -> None:
    if trained:
        publish(parts)
    tasks = [
        task(1),
        None,
        {"id": 2},
        {"id": 3, "data": None},
        {"id": "four", "data": {"text": "no number"}},
        task(5, ""),
        {"id": 6, "data": {}},
        {"id": 7, "data": {"text": ["not", "a", "text"]}},
        "not a task",
        task(8, "👍" * 1000),
    ]
    results = json(client.predict(*tasks))["results"]
    assert len(results) == len(tasks)
    assert [bool(it["result"]) for it in results] == [trained and n in (0, 5, 6, 7, 9) for n in range(10)]
    assert len({it["model_version"] for it in results}) == 1


@pytest.mark.parametrize("tasks", [[], [None], [None, {"id": 0}]])
def test_a_request_without_a_readable_task_is_answered_all_the_same(
    client: Client, parts: Parts, tasks: list[object]
) -> None:
    publish(parts)
    assert [it["result"] for it in json(client.predict(*tasks))["results"]] == [[]] * len(tasks)


# --- options -----------------------------------------------------------------------------------------------


def test_extra_params_are_the_projects_settings(client: Client, parts: Parts) -> None:
    json(client.setup(extra_params='{"strategy": "entropy", "window": 50}'))
    assert parts.connections.get(ONE).options == replace(SHOWN, strategy="entropy", window=50)
    json(client.setup())
    assert parts.connections.get(ONE).options.window == 50  # what is not sent is not changed


@pytest.mark.parametrize(
    ("params", "named"),
    [
        *(({"windw": 5}, "'windw'"), ({"window": 0}, "'window'"), ({"strategy": "margn"}, "'margn'")),
        ({"show_predictions": "sometimes"}, "write always, never"),
        ({"strategy": "multilabel"}, "'multilabel' needs several labels at once"),
    ],
)
@pytest.mark.parametrize("project", [ONE, STRANGER])
def test_an_unknown_or_bad_option_is_refused_by_name_and_nothing_is_changed(
    client: Client, parts: Parts, params: dict[str, object], named: str, project: ProjectId
) -> None:
    sent = {"quiet_seconds": 9, **params}
    assert named in error(client.setup(project, extra_params=sent), 400)
    assert parts.connections.get(ONE).options == SHOWN


# --- echoes ------------------------------------------------------------------------------------------------


def test_the_echo_of_our_own_order_asks_for_nothing(client: Client, parts: Parts) -> None:
    version = publish(parts)
    echo = {"sampling": "Uncertainty sampling", "model_version": version}
    assert json(client.event("PROJECT_UPDATED", **echo)) == {"status": "ignored"}


@pytest.mark.parametrize(
    "changed",
    [
        {"sampling": "Sequential sampling"},
        {"model_version": "somebody else's"},
        {"model_version": ""},
        {"label_config": CONFIG.replace("ham", "phishing")},
    ],
    ids=["sampling", "version", "no version", "labels"],
)
def test_a_persons_change_of_the_project_is_looked_at(client: Client, parts: Parts, changed: dict[str, str]) -> None:
    echo = {"sampling": "Uncertainty sampling", "model_version": publish(parts)}
    assert json(client.event("PROJECT_UPDATED", **(echo | changed)), 201)["job"]


# --- several processes, several projects -------------------------------------------------------------------


def test_projects_are_answered_apart(client: Client, parts: Parts) -> None:
    connect(parts, TWO)
    publish(parts, ONE)
    assert json(client.predict(task(1), project=ONE))["results"][0]["result"]
    assert not json(client.predict(task(1), project=TWO))["results"][0]["result"]
    one, two = (json(client.event("ANNOTATION_CREATED", project), 201)["job"] for project in (ONE, TWO))
    assert one != two


def test_a_version_that_another_process_publishes_is_served_within_a_second(
    client: Client, another_process: Parts
) -> None:
    for _ in range(2):
        version = publish(another_process)
        time.sleep(0.6)
        assert json(client.predict(task(1)))["results"][0]["model_version"] == version
        assert json(client.setup()) == {"model_version": version}


def test_a_new_order_of_the_same_model_is_noticed_too(client: Client, another_process: Parts) -> None:
    publish(another_process)
    json(client.predict(task(1)))
    orders, fence = another_process.orders, another_process.fences.next(ONE)
    record = another_process.models.in_service(ONE)
    assert record is not None
    refill = orders.reserve(ONE, record.version, fence=fence)
    orders.announce(ONE, QueueRecord(refill, record.version, "margin", (), 0), fence=fence)
    time.sleep(0.6)
    assert json(client.predict(task(1)))["results"][0]["model_version"] == refill == "nextlabel-1.2"


# --- what breaks -------------------------------------------------------------------------------------------


def test_a_model_of_another_release_is_said_to_be_made_again(
    client: Client, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(ProjectModel, "kind", "project/1")
        publish(parts)
    assert "another release" in error(client.predict(task(1)), 503)


def test_while_redis_is_down_a_webhook_is_told_so_and_nothing_is_lost(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedRedis(tmp_path_factory.mktemp("r"))
    parts = wiring.build(settings, server.ensure())
    connect(parts, ONE)
    client = Client(create_app(parts.service).test_client())
    try:
        job = json(client.event("ANNOTATION_CREATED"), 201)["job"]
        server.stop()
        pauses: list[float] = []
        monkeypatch.setattr("redis.retry.sleep", pauses.append)
        sentence = error(client.event("ANNOTATION_CREATED"), 503)
        assert "Redis" in sentence
        assert "Nothing is lost" in sentence
        assert sum(pauses) < 1  # Label Studio waits no longer for a webhook
        assert json(client.predict(task(1)))["results"]
        server.ensure()
        assert json(client.event("ANNOTATION_CREATED"), 201) == {"job": job}
    finally:
        server.stop()


def test_what_pages_show_waits_once_for_a_redis_that_hangs_and_not_for_each_project(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "_WATCH_SECONDS", 0.3)
    server = EmbeddedRedis(tmp_path_factory.mktemp("r"))
    parts = wiring.build(settings, server.ensure())
    for project in (ONE, TWO):
        connect(parts, project)
    redis_process = parts.redis.info()["process_id"]
    os.kill(redis_process, signal.SIGSTOP)
    try:
        began = time.monotonic()
        shown = list(parts.overview.projects())
        assert time.monotonic() - began < 4, "an answer that something depends on may take 5 s"
        assert [one["waiting_since"] for one in shown] == [None, None]
    finally:
        os.kill(redis_process, signal.SIGCONT)
    try:
        assert [one["waiting_since"] for one in parts.overview.projects()] == [None, None]
    finally:
        server.stop()


def test_a_model_whose_file_is_lost_is_told_with_the_remedy(client: Client, parts: Parts) -> None:
    publish(parts)
    for artifact in (parts.settings.home / "models").rglob("*.skops"):
        artifact.unlink()
    assert "retrain" in error(client.predict(task(1)), 500)


@pytest.mark.every_database
def test_no_secret_is_ever_logged_or_answered(client: Client, parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    answers = []
    with caplog.at_level(logging.DEBUG):
        for path, body in ROUTES.items():
            for headers in ({}, WRONG, SECRET, BASIC):
                answers.append(client.post(path, body, headers).text)
                answers.append(client.post(path, b"{", headers).text)
        with parts.database.write() as sql:
            sql.execute(text("ALTER TABLE connections RENAME COLUMN at_tool TO named_there"))
            sql.execute(text("ALTER TABLE connections ADD COLUMN at_tool VARCHAR(10)"))
            sql.execute(text("UPDATE connections SET at_tool = named_there"))
        answers.append(client.setup(extra_params={"window": 50}).text)  # reads well, and cannot be written
    assert "Something went wrong inside nextlabel" in answers[-1]
    assert "IntegrityError" in caplog.text
    leaked = [secret for secret in SECRETS for printed in (caplog.text, *answers) if secret in printed]
    assert leaked == []


def test_secrets_are_not_in_any_repr(parts: Parts) -> None:
    connect(parts, ONE)
    shown = repr([parts, parts.connections.all(), parts.connections.credentials(), replace(parts.settings)])
    assert [secret for secret in SECRETS if secret in shown] == []
