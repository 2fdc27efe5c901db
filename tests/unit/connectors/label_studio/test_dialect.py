"""Webhooks and ML-backend requests as Label Studio 1.23 sends them, and as it never should."""

from __future__ import annotations

import json
from collections.abc import Callable

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextlabel.errors import PayloadError, SchemaError
from nextlabel.labeling import Guess, Prediction, QueueVersion, TaskId, ToolProjectId
from nextlabel.ports.requests import LabelEvent, WebhookRequest
from nextlabel_connectors.label_studio.dialect import LabelStudioDialect
from nextlabel_connectors.label_studio.label_config import parse_label_config

CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="kind" toName="text"><Choice value="spam"/><Choice value="ham"/></Choices></View>'
)
SCHEMA = parse_label_config(CONFIG).schema
DIGESTS = frozenset((SCHEMA.digest, SCHEMA.source_digest))
PROJECT: dict[str, object] = {
    "id": 2,
    "label_config": CONFIG,
    "sampling": "Uncertainty sampling",
    "model_version": "0007.2",
}
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
VERSION = QueueVersion("0007")

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
words = st.sampled_from(["PROJECT_UPDATED", "ANNOTATION_CREATED", "START_TRAINING", "OTHER"])


def jsons(fields: dict[str, st.SearchStrategy[object]]) -> st.SearchStrategy[bytes]:
    return st.fixed_dictionaries(fields).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))


def only_payload_errors(read: Callable[[], object]) -> None:
    try:
        read()
    except (PayloadError, SchemaError) as error:
        assert str(error)


@pytest.fixture
def dialect() -> LabelStudioDialect:
    return LabelStudioDialect()


def event(action: object, project: object = PROJECT, **more: object) -> WebhookRequest:
    return WebhookRequest(orjson.dumps({"action": action, "project": project, **more}), {})


def predict_body(*tasks: object, **changes: object) -> bytes:
    body: dict[str, object] = {
        "tasks": list(tasks),
        "project": "2.1795329581",
        "label_config": CONFIG,
        "params": {"login": None, "password": None, "context": None},
    }
    return orjson.dumps(body | changes)


def setup_body(**changes: object) -> bytes:
    body: dict[str, object] = {
        "project": "2.1795329581",
        "schema": CONFIG,
        "hostname": "http://ls",
        "access_token": "x",
    }
    return orjson.dumps(body | changes)


# --- events


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("ANNOTATION_CREATED", "labels"),
        ("ANNOTATION_UPDATED", "labels"),
        ("ANNOTATIONS_CREATED", "labels"),
        ("ANNOTATIONS_DELETED", "labels"),
        ("TASKS_CREATED", "tasks"),
        ("TASKS_DELETED", "tasks"),
        ("START_TRAINING", "train"),
    ],
)
def test_an_event_tells_what_changed_in_which_project(dialect: LabelStudioDialect, action: str, kind: str) -> None:
    received = dialect.read_event(event(action))
    assert received is not None
    assert (received.project, received.kind, received.queue_version) == ("2", kind, None)


def test_a_change_of_the_project_tells_what_is_in_force_so_that_our_own_echo_is_recognised(
    dialect: LabelStudioDialect,
) -> None:
    assert dialect.read_event(event("PROJECT_UPDATED")) == LabelEvent(
        project=ToolProjectId("2"), kind="project", queue_version=QueueVersion("0007.2"), schema_digests=DIGESTS
    )


@pytest.mark.parametrize(
    "changes", [{"sampling": "Sequential sampling"}, {"model_version": ""}, {"model_version": None}]
)
def test_no_version_is_in_force_under_another_sampling_or_without_one(
    dialect: LabelStudioDialect, changes: dict[str, object]
) -> None:
    received = dialect.read_event(event("PROJECT_UPDATED", PROJECT | changes))
    assert received is not None
    assert received.queue_version is None


def test_a_project_whose_config_cannot_be_read_has_no_digest(dialect: LabelStudioDialect) -> None:
    received = dialect.read_event(event("PROJECT_UPDATED", PROJECT | {"label_config": "<View"}))
    assert received is not None
    assert received.schema_digests == frozenset()


def test_an_event_of_no_concern_is_none(dialect: LabelStudioDialect) -> None:
    assert dialect.read_event(event("LABEL_LINK_CREATED", None)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"action":null}',
        b'{"action":["ANNOTATION_CREATED"]}',
        b'{"action":"ANNOTATION_CREATED"}',
        b'{"action":"ANNOTATION_CREATED","project":7}',
        b'{"action":"ANNOTATION_CREATED","project":{}}',
        b'{"action":"ANNOTATION_CREATED","project":{"id":true}}',
        b'{"action":"ANNOTATION_CREATED","project":{"id":-1}}',
        b'{"action":"ANNOTATION_CREATED","project":{"id":"2"}}',
        b'{"action":"ANNOTATION_CREATED","project":{"id":99999999999999999999999999}}',
        b'{"action":"PROJECT_UPDATED","project":{"id":2}}',
        b'{"action":"PROJECT_UPDATED","project":{"id":2,"model_version":7,"label_config":""}}',
        b"[" * 100_000,
        b'{"action":"\xed\xa0\x80"}',
    ],
)
def test_a_malformed_event_is_a_payload_error(dialect: LabelStudioDialect, body: bytes) -> None:
    with pytest.raises(PayloadError):
        dialect.read_event(WebhookRequest(body, {}))


@relaxed
@given(st.binary() | jsons({"action": words | anything, "project": anything}))
def test_no_garbage_makes_reading_an_event_fail_in_another_way(body: bytes) -> None:
    only_payload_errors(lambda: LabelStudioDialect().read_event(WebhookRequest(body, {})))


# --- the ML backend's requests


def test_a_setup_introduces_the_project_by_its_number(dialect: LabelStudioDialect) -> None:
    read = dialect.read_setup(setup_body())
    assert (read.project, read.schema.digest, read.options) == ("2", SCHEMA.digest, None)


@pytest.mark.parametrize(
    ("sent", "options"),
    [
        (None, None),
        ("", None),
        (" ", None),
        ("null", None),
        ({}, {}),
        ({"strategy": "margin"}, {"strategy": "margin"}),
        ('{"window": 50}', {"window": 50}),
    ],
)
def test_extra_params_are_the_projects_options_in_every_form_that_label_studio_sends(
    dialect: LabelStudioDialect, sent: object, options: object
) -> None:
    assert dialect.read_setup(setup_body(extra_params=sent)).options == options


@pytest.mark.parametrize("sent", ["strategy=margin", "[1]", [], 7, True, '"text"'])
def test_extra_params_that_are_no_object_are_named_in_the_error(dialect: LabelStudioDialect, sent: object) -> None:
    with pytest.raises(PayloadError, match="extra_params"):
        dialect.read_setup(setup_body(extra_params=sent))


def test_a_config_with_nothing_to_learn_is_read_for_it_may_be_learned_by_a_model_of_the_teams_own(
    dialect: LabelStudioDialect,
) -> None:
    schema = dialect.read_setup(setup_body(schema="<View/>")).schema
    assert (schema.targets, schema.source) == ((), "<View/>")
    with pytest.raises(SchemaError, match="nothing that nextlabel can learn"):
        schema.check_learnable()


@pytest.mark.parametrize("project", [None, 2, "", "x.1", ".1", "0.1", "-1.2", "²", "9" * 30])
def test_a_project_that_is_not_id_dot_time_is_a_payload_error(dialect: LabelStudioDialect, project: object) -> None:
    with pytest.raises(PayloadError, match="project"):
        dialect.read_setup(setup_body(project=project))


def test_a_task_that_cannot_be_read_does_not_spoil_the_others(dialect: LabelStudioDialect) -> None:
    good = {"id": 5, "data": {"text": "hi"}, "meta": {}}
    read = dialect.read_predict(predict_body(good, None, {"id": 6}, {"id": "7", "data": {}}, {"id": 8, "data": []}))
    assert [task.id if task else None for task in read.tasks] == ["5", None, None, None, None]


def test_a_context_makes_a_request_interactive(dialect: LabelStudioDialect) -> None:
    assert dialect.read_predict(predict_body()).context is None
    assert dialect.read_predict(predict_body(params=None)).context is None
    assert dialect.read_predict(predict_body(params={"context": {"result": []}})).context == {"result": []}


@relaxed
@given(
    st.binary()
    | jsons({"project": anything | st.just("2.1"), "label_config": anything | st.just(CONFIG), "tasks": anything})
    | jsons({"project": anything | st.just("2.1"), "schema": anything | st.just(CONFIG), "extra_params": anything})
)
def test_no_garbage_makes_reading_a_request_fail_in_another_way(body: bytes) -> None:
    only_payload_errors(lambda: LabelStudioDialect().read_predict(body))
    only_payload_errors(lambda: LabelStudioDialect().read_setup(body))


@relaxed
@given(st.lists(st.sampled_from(["spam", "ham", "eggs", None]), max_size=6), st.integers(0, 8))
def test_there_is_exactly_one_result_per_task_whatever_is_predicted(labels: list[str | None], answered: int) -> None:
    dialect = LabelStudioDialect()
    request = dialect.read_predict(predict_body(*({"id": n + 1, "data": {}} for n in range(len(labels)))))
    predictions = [
        Prediction(TaskId(str(n + 1)), VERSION, (Guess("kind", label, 0.6),), 0.4, 0.9) if label else None
        for n, label in enumerate(labels)
    ]
    results = dialect.write_predictions(request, (predictions + [None] * 8)[:answered], VERSION)
    assert len(results) == len(labels)
    assert {result["model_version"] for result in results} <= {"0007"}
    for result, label in list(zip(results, labels, strict=True))[:answered]:
        assert bool(result["result"]) == (label in ("spam", "ham"))


def test_configs_are_remembered_but_not_without_bound() -> None:
    dialect = LabelStudioDialect()
    for n in range(200):
        dialect.read_setup(setup_body(schema=CONFIG.replace("ham", f"ham{n}")))
    assert len(dialect._configs) <= 64
