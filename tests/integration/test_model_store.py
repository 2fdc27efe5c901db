"""Models: nothing half-written ever serves, nobody publishes on a lost lease, no file is trusted with code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sqlalchemy import select, update

from nextlabel.errors import ArtifactError, StaleWorker
from nextlabel.estimators.prior import Prior
from nextlabel.estimators.project import Learned, ProjectModel
from nextlabel.estimators.restoring import restore
from nextlabel.features.encoders import TextEncoder
from nextlabel.labeling import ModelVersion, ProjectId, QueueVersion, TaskId
from nextlabel.measures.out_of_fold import OutOfFold
from nextlabel.measures.target_predictions import ChoicePredictions
from nextlabel.ports.state import ModelRecord, QueueRecord
from nextlabel.storage import artifacts, model_store
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import models
from nextlabel.storage.fences import StoredFences
from nextlabel.storage.model_store import StoredModels
from nextlabel.storage.orders import StoredOrders
from nextlabel.storage.retention import Retention

pytestmark = pytest.mark.every_database

ONE, TWO = ProjectId("1"), ProjectId("2")
V1, V2 = ModelVersion("nextlabel-1"), ModelVersion("nextlabel-2")


def fences(store: StoredModels) -> StoredFences:
    return StoredFences(store._database)


def orders(store: StoredModels) -> StoredOrders:
    return StoredOrders(store._database)


@pytest.fixture
def store(database: Database, tmp_path: Path) -> StoredModels:
    return StoredModels(database, str(tmp_path / "models"))


def record(version: str, **changes: object) -> ModelRecord:
    values: dict[str, object] = {
        "trained_on": {TaskId("7"): {"kind": "spam", "stars": 2.5}},
        "metrics": {"accuracy": 0.75},
        "reason": "why",
    }
    return ModelRecord(ModelVersion(version), "labels", "schema", **(values | changes))  # type: ignore[arg-type]


def queue(version: str, model: str = "nextlabel-1") -> QueueRecord:
    window = (TaskId("9"), TaskId("3"))
    return QueueRecord(QueueVersion(version), ModelVersion(model), "margin", window, 40)


def model(spam: int = 0) -> ProjectModel:
    return ProjectModel({"kind": Learned(TextEncoder(["text"]), Prior(("ham", "spam"), (0, spam)))})


def stored(**changes: object) -> bytes:
    """An artifact in which the state of the only target's parts was changed."""
    state: dict[str, Any] = model(3).state()
    for part, change in changes.items():
        state["targets"]["kind"][part] = change
    return bytes(skops.io.dumps(state))


def archive(schema: bytes) -> bytes:
    """A file of skops's, with this for what it holds."""
    written = BytesIO()
    with ZipFile(written, "w") as packed:
        packed.writestr("schema.json", schema)
    return written.getvalue()


# --- versions ----------------------------------------------------------------------------------------------


def test_a_model_serves_once_it_is_promoted_and_not_before(store: StoredModels) -> None:
    fence = fences(store).next(ONE)
    store.save(ONE, record(V1), model(3), fence=fence)
    assert store.in_service(ONE) is None
    store.promote(ONE, V1, fence=fence)
    serving, whole = store.in_service(ONE), store.in_service(ONE, with_labels=True)
    assert serving is not None
    assert (serving.version, serving.trained_on, serving.metrics) == (V1, {}, {"accuracy": 0.75})
    assert whole == replace(serving, trained_on={TaskId("7"): {"kind": "spam", "stars": 2.5}})
    assert store.load(ONE, V1).state() == model(3).state()


def test_what_a_version_had_missed_of_audit_labels_is_kept_with_it_and_of_older_ones_nothing_is_known(
    store: StoredModels,
) -> None:
    missed = {"kind": {TaskId("7"): 0.25, TaskId("9"): 0.0}}
    store.save(ONE, record(V1), ProjectModel(model().targets, missed), fence=fences(store).next(ONE))
    loaded = store.load(ONE, V1)
    assert isinstance(loaded, ProjectModel)
    assert loaded.misses == missed
    assert restore({name: part for name, part in loaded.state().items() if name != "misses"}).misses == {}


def test_only_one_version_is_in_service_and_the_story_is_kept(store: StoredModels) -> None:
    fence = fences(store).next(ONE)
    for version, state in (
        ("nextlabel-untrained-1", "trained"),
        ("nextlabel-2", "trained"),
        ("nextlabel-3", "turned_down"),
    ):
        store.save(ONE, record(version, state=state), model(), fence=fence)
        if state == "trained":
            store.promote(ONE, ModelVersion(version), fence=fence)
    assert [(it.version, it.state) for it in store.history(ONE)] == [
        ("nextlabel-untrained-1", "retired"),
        ("nextlabel-2", "in_service"),
        ("nextlabel-3", "turned_down"),
    ]
    store.promote(ONE, ModelVersion("nextlabel-untrained-1"), fence=fence)  # a rollback is a promotion
    assert [it.state for it in store.history(ONE)] == ["in_service", "retired", "turned_down"]


def test_version_numbers_are_never_given_twice_and_say_when_a_model_knows_nothing(store: StoredModels) -> None:
    given = [store.next_version(ONE, informative=informative) for informative in (False, True, False, True)]
    assert given == ["nextlabel-untrained-1", "nextlabel-2", "nextlabel-untrained-3", "nextlabel-4"]
    assert store.next_version(TWO, informative=True) == "nextlabel-1"


def test_projects_do_not_mix(store: StoredModels) -> None:
    for project, spam in ((ONE, 1), (TWO, 2)):
        fence = fences(store).next(project)
        store.save(project, record(V1), model(spam), fence=fence)
        store.promote(project, V1, fence=fence)
    assert store.load(ONE, V1).state() != store.load(TWO, V1).state()
    assert (store.in_service(ONE), len(store.history(ONE))) != (None, 2)


# --- orders ------------------------------------------------------------------------------------------------


def test_an_orders_name_is_never_given_twice_even_if_nothing_came_of_it(store: StoredModels) -> None:
    fence = fences(store).next(ONE)
    assert [orders(store).reserve(ONE, V1, fence=fence) for _ in range(3)] == [
        "nextlabel-1",
        "nextlabel-1.2",
        "nextlabel-1.3",
    ]
    assert orders(store).reserve(ONE, V2, fence=fence) == "nextlabel-2"
    assert orders(store).reserve(ONE, V1, fence=fence) == "nextlabel-1.4"
    assert orders(store).announced(ONE) == []


def test_an_announced_order_names_what_is_served_from_then_on(store: StoredModels) -> None:
    fence = fences(store).next(ONE)
    store.save(ONE, record(V1), model(), fence=fence)
    store.promote(ONE, V1, fence=fence)
    for _ in range(2):
        orders(store).announce(ONE, queue(orders(store).reserve(ONE, V1, fence=fence)), fence=fence)
    serving = store.in_service(ONE)
    assert serving is not None
    assert serving.announced_version == "nextlabel-1.2"
    newest, older = orders(store).announced(ONE)
    assert (newest.version, older.version) == ("nextlabel-1.2", "nextlabel-1")
    assert (newest.window, newest.strategy, newest.pool) == (("9", "3"), "margin", 40)


# --- the fence ---------------------------------------------------------------------------------------------


WRITES: dict[str, Callable[[StoredModels, int], object]] = {
    "check": lambda store, fence: fences(store).check(ONE, fence),
    "save": lambda store, fence: store.save(ONE, record(V2), model(), fence=fence),
    "promote": lambda store, fence: store.promote(ONE, V2, fence=fence),
    "reserve": lambda store, fence: orders(store).reserve(ONE, V1, fence=fence),
    "announce": lambda store, fence: orders(store).announce(ONE, queue("nextlabel-1"), fence=fence),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_worker_whose_lease_was_taken_over_changes_nothing(store: StoredModels, write: str) -> None:
    mine = fences(store).next(ONE)
    store.save(ONE, record(V1), model(), fence=mine)
    store.promote(ONE, V1, fence=mine)
    orders(store).reserve(ONE, V1, fence=mine)
    later = fences(store).next(ONE)
    before = store.history(ONE), orders(store).announced(ONE), store.in_service(ONE)
    with pytest.raises(StaleWorker, match="project 1"):
        WRITES[write](store, mine)
    assert (store.history(ONE), orders(store).announced(ONE), store.in_service(ONE)) == before
    assert orders(store).reserve(ONE, V1, fence=later) == "nextlabel-1.2"


def test_a_lease_of_one_project_is_not_touched_by_those_of_others(store: StoredModels) -> None:
    mine = fences(store).next(ONE)
    fences(store).next(TWO)
    fences(store).check(ONE, mine)


def test_a_worker_that_never_took_a_lease_may_not_write(store: StoredModels) -> None:
    with pytest.raises(StaleWorker):
        fences(store).check(ONE, 1)


def test_a_worker_that_loses_its_lease_while_it_stores_a_model_leaves_no_trace_of_it(
    store: StoredModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = fences(store).next(ONE)
    write = artifacts.write_artifact

    def write_slowly(artifact: str, content: bytes) -> None:
        write(artifact, content)
        fences(store).next(ONE)

    monkeypatch.setattr(model_store, "write_artifact", write_slowly)
    with pytest.raises(StaleWorker):
        store.save(ONE, record(V1), model(), fence=mine)
    assert store.history(ONE) == []


# --- artifacts ---------------------------------------------------------------------------------------------


@pytest.fixture
def artifact(store: StoredModels, tmp_path: Path) -> Path:
    store.save(ONE, record(V1), model(3), fence=fences(store).next(ONE))
    (found,) = (tmp_path / "models" / "1").iterdir()
    return found


def test_a_damaged_artifact_is_refused(store: StoredModels, artifact: Path) -> None:
    content = bytearray(artifact.read_bytes())
    content[len(content) // 2] ^= 255
    artifact.write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match="is damaged"):
        store.load(ONE, V1)


def test_a_missing_artifact_is_named(store: StoredModels, artifact: Path) -> None:
    artifact.unlink()
    with pytest.raises(ArtifactError, match=artifact.name):
        store.load(ONE, V1)


def test_an_unknown_version_is_refused_with_where_to_look(store: StoredModels) -> None:
    with pytest.raises(ArtifactError, match="nextlabel status"):
        store.load(ONE, ModelVersion("0099"))


@pytest.mark.parametrize(
    "content",
    [
        skops.io.dumps(Path),
        stored(estimator={"kind": "prior/2", "classes": print, "counts": []}),
        skops.io.dumps(LogisticRegression()),
        skops.io.dumps(["a", "list"]),
        skops.io.dumps({"kind": ProjectModel.kind}),
        skops.io.dumps(model(3).state() | {"kind": "project/1"}),
        stored(encoder={"kind": "text"}),
        stored(encoder="text"),
        stored(estimator={"kind": "prior/2"}),
        stored(estimator={"kind": "choice/1", "classes": [], "space": {"kind": "as-it-is", "columns": 3}}),
        stored(estimator={"kind": "number/1"}),
        b"not an archive at all",
        archive(b"[" * 100_000),
        archive(b'{"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy"}'),
    ],
    ids=[
        "a type",
        "a function",
        "an estimator",
        "a list",
        "no targets",
        "another release",
        "no fields",
        "no parts",
        "no classes",
        "no weights",
        "no numbers",
        "no archive",
        "nested without end",
        "an array without its file",
    ],
)
def test_a_file_that_holds_anything_but_a_models_plain_values_is_refused_whatever_its_hash(
    store: StoredModels, database: Database, artifact: Path, content: bytes
) -> None:
    artifact.write_bytes(content)
    with database.write() as sql:
        sql.execute(update(models).values(sha256=hashlib.sha256(content).hexdigest()))
    with pytest.raises(ArtifactError):
        store.load(ONE, V1)


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("maximum recursion depth exceeded"), IndexError()])
def test_whatever_reading_a_file_ends_in_is_told_as_a_file_that_cannot_be_read(
    store: StoredModels, artifact: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*given: object, **more: object) -> None:
        raise error

    monkeypatch.setattr(skops.io, "loads", fails)
    with pytest.raises(ArtifactError, match=f"{artifact} cannot be read as a model .{type(error).__name__}"):
        store.load(ONE, V1)


def test_a_folder_that_cannot_be_written_is_said_so_and_no_model_is_noted(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = StoredModels(database, str(tmp_path / "file" / "models"))
    with pytest.raises(ArtifactError, match="NEXTLABEL_MODELS_URL"):
        store.save(ONE, record(V1), model(), fence=fences(store).next(ONE))
    assert store.history(ONE) == []


def test_artifacts_may_stand_wherever_fsspec_can_write(database: Database) -> None:
    store = StoredModels(database, "memory://models/")
    store.save(ONE, record(V1), model(3), fence=fences(store).next(ONE))
    assert store.load(ONE, V1).state() == model(3).state()
    with database.read() as sql:
        assert sql.execute(select(models.c.artifact)).scalar_one().startswith("memory://models/1/nextlabel-1-")


def predicted(spam: float) -> dict[str, OutOfFold]:
    return {"kind": OutOfFold([TaskId("7")], ChoicePredictions(("ham", "spam"), np.array([[1 - spam, spam]])))}


def test_predictions_by_models_that_saw_no_label_in_doubt_go_before_those_of_newer_versions(
    store: StoredModels, database: Database, tmp_path: Path
) -> None:
    fence = fences(store).next(ONE)
    store.save(ONE, record(V1), model(), fence=fence, out_of_fold=predicted(0.25))
    store.keep_trusting(ONE, V1, predicted(0.75), fence=fence)
    store.save(ONE, record(V2), model(), fence=fence, out_of_fold=predicted(0.5))
    known = store.out_of_fold(ONE)
    assert known is not None
    assert len(list((tmp_path / "models" / "1").glob("*.npz"))) == 2  # what was replaced is gone
    assert (known[0].version, known[1]["kind"].predicted.probabilities.tolist()) == (V1, [[0.25, 0.75]])
    with pytest.raises(StaleWorker):
        store.keep_trusting(ONE, V2, predicted(0.75), fence=fence - 1)
    for file in (tmp_path / "models" / "1").iterdir():
        os.utime(file, (0, 0))
    Retention(database, str(tmp_path / "models"), keep=2).sweep(ONE)
    assert sorted(file.name[:11] for file in (tmp_path / "models" / "1").glob("*.npz")) == [V1, V2]
