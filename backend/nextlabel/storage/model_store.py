"""`ModelRegistry`: versions and metrics in SQL, artifacts as skops files wherever fsspec can write."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Row, delete, func, insert, select, update

from nextlabel.errors import ArtifactError, NextlabelError
from nextlabel.estimators.hosted import HostedProject, facts_of
from nextlabel.estimators.project import Model
from nextlabel.estimators.restoring import restore
from nextlabel.hosting.hosts import Hosts
from nextlabel.labeling import ModelVersion, ProjectId, QueueVersion, TaskId
from nextlabel.measures.out_of_fold import OutOfFold
from nextlabel.ports.state import NO_PREDICTIONS, ModelRecord
from nextlabel.storage.artifacts import read_artifact, remove_artifact, write_artifact
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import models
from nextlabel.storage.fences import check_fence, count_up
from nextlabel.storage.folder_artifacts import is_there, read_folder, write_folder
from nextlabel.storage.kept_predictions import as_bytes, read
from nextlabel.storage.orders import PREFIX

_TRUSTING = "-trusting.npz"  # how files end whose predictions are by models that saw no label in doubt


class StoredModels:
    """Models. An artifact is written first, under a name never used before; the row that makes it
    visible comes last and only if the fence still holds, so that a half-written model can never serve.
    """

    def __init__(self, database: Database, models_url: str, hosts: Hosts | None = None) -> None:
        """``hosts`` open a team's own models; without them only nextlabel's own can be loaded."""
        self._database = database
        self._url = models_url.rstrip("/")
        self._hosts = hosts

    def next_version(
        self, project: ProjectId, *, informative: bool, taken: Collection[QueueVersion] = ()
    ) -> ModelVersion:
        kind = "" if informative else "untrained-"
        with self._database.write() as sql:
            while True:
                name = f"{PREFIX}{kind}{count_up(sql, project, 'model')}"
                if name not in taken:
                    return ModelVersion(name)

    def save(
        self,
        project: ProjectId,
        record: ModelRecord,
        model: Model,
        *,
        fence: int,
        out_of_fold: Mapping[str, OutOfFold] = NO_PREDICTIONS,
    ) -> None:
        with self._database.read() as sql:
            check_fence(sql, project, fence)
        state = model.state()
        if model.files is not None:
            state["files"] = write_folder(model.files, f"{self._url}/{project}/{record.version}")
        files = _files_of(state).get("artifact", "")
        content = _dump(state)
        digest = hashlib.sha256(content).hexdigest()
        artifact = f"{self._url}/{project}/{record.version}-{digest[:12]}.skops"
        write_artifact(artifact, content)
        kept = self._keep(project, record.version, out_of_fold)
        self._insert(project, record, fence, artifact=artifact, sha256=digest, files=files, out_of_fold=kept)

    def keep_trusting(
        self, project: ProjectId, version: ModelVersion, predicted: Mapping[str, OutOfFold], *, fence: int
    ) -> None:
        kept = self._keep(project, version, predicted, _TRUSTING)
        mine = (models.c.project == project) & (models.c.version == version)
        with self._database.write() as sql:
            check_fence(sql, project, fence)
            before = sql.execute(select(models.c.out_of_fold).where(mine)).scalar()
            sql.execute(update(models).where(mine).values(out_of_fold=kept))
        if before and before != kept:
            remove_artifact(before)

    def _keep(
        self, project: ProjectId, version: ModelVersion, out_of_fold: Mapping[str, OutOfFold], ending: str = ".npz"
    ) -> str:
        """The name of the file with the predictions, which holds a part of its hash."""
        if not out_of_fold:
            return ""
        content = as_bytes(out_of_fold)
        name = f"{self._url}/{project}/{version}-{_short_hash(content)}{ending}"
        write_artifact(name, content)
        return name

    def out_of_fold(self, project: ProjectId) -> tuple[ModelRecord, Mapping[str, OutOfFold]] | None:
        """The newest version whose out-of-fold predictions are kept, and these by target; None where there is none. A
        version of which they are by models that saw no label in doubt goes before newer ones.

        Raises `ArtifactError` where the file is missing or damaged.
        """
        kept = _of(project, with_labels=True).where(models.c.out_of_fold != "").limit(1)
        trusting = models.c.out_of_fold.like(f"%{_TRUSTING}")
        with self._database.read() as sql:
            row = sql.execute(kept.order_by(trusting.desc(), models.c.number.desc())).first()
        if row is None:
            return None
        content = read_artifact(row.out_of_fold)
        if _short_hash(content) not in row.out_of_fold:
            raise ArtifactError(f"{row.out_of_fold} is damaged: the next version will have its own.")
        return _record(row), read(content, row.out_of_fold)

    def note_failure(self, project: ProjectId, record: ModelRecord, *, fence: int) -> None:
        self._insert(project, replace(record, state="failed"), fence, artifact="", sha256="", files="")

    def forget_failures(self, project: ProjectId) -> None:
        with self._database.write() as sql:
            sql.execute(delete(models).where(models.c.project == project, models.c.state == "failed"))

    def _insert(self, project: ProjectId, record: ModelRecord, fence: int, **stored: str) -> None:
        values = {
            "project": project,
            "version": record.version,
            "number": number_of(record.version),
            "state": record.state,
            "labels_digest": record.labels_digest,
            "schema_digest": record.schema_digest,
            "trained_on": {task: dict(labels) for task, labels in record.trained_on.items()},
            "metrics": dict(record.metrics),
            "reason": record.reason,
            "created_at": datetime.now(UTC),
            "learner": record.learner,
            "labels": len(record.trained_on),
            **stored,
        }
        with self._database.write() as sql:
            check_fence(sql, project, fence)
            sql.execute(insert(models).values(**values))

    def note_seen(self, project: ProjectId, labels_digest: str, *, fence: int) -> None:
        serves = (models.c.project == project) & (models.c.state == "in_service")
        with self._database.write() as sql:
            check_fence(sql, project, fence)
            sql.execute(update(models).where(serves).values(labels_digest=labels_digest))

    def promote(self, project: ProjectId, version: ModelVersion, *, fence: int, chosen: bool = False) -> None:
        mine = models.c.project == project
        with self._database.write() as sql:
            check_fence(sql, project, fence)
            if row := sql.execute(_of(project).where(models.c.version == version)).first():
                _check_kept(row)
            last = sql.execute(select(func.max(models.c.promotion)).where(mine)).scalar() or 0
            sql.execute(update(models).where(mine, models.c.state == "in_service").values(state="retired"))
            sql.execute(update(models).where(mine, models.c.chosen).values(chosen=False))
            serves = {"state": "in_service", "promotion": last + 1, "chosen": chosen}
            sql.execute(update(models).where(mine, models.c.version == version).values(**serves))

    def before(self, project: ProjectId) -> ModelRecord | None:
        """The version that served before the one in service; None where none did, or it was let go."""
        of = models.c
        earlier = _of(project).where(of.state != "in_service", of.promotion > 0, of.artifact != "")
        return self._first(earlier.order_by(of.promotion.desc()).limit(1))

    def make_anchor(self, project: ProjectId, version: ModelVersion, *, fence: int) -> None:
        mine = models.c.project == project
        with self._database.write() as sql:
            check_fence(sql, project, fence)
            sql.execute(update(models).where(mine, models.c.anchor).values(anchor=False))
            sql.execute(update(models).where(mine, models.c.version == version).values(anchor=True))

    def anchor(self, project: ProjectId, *, with_labels: bool = False) -> ModelRecord | None:
        return self._first(_of(project, with_labels).where(models.c.anchor))

    def in_service(self, project: ProjectId, *, with_labels: bool = False) -> ModelRecord | None:
        return self._first(_of(project, with_labels).where(models.c.state == "in_service"))

    def load(self, project: ProjectId, version: ModelVersion) -> Model:
        content, artifact, _ = self._checked(project, version)
        state = _read_state(content, artifact)
        with _readable(artifact):
            if state.get("kind") == HostedProject.kind:
                return self._restore_hosted(project, f"{version}-{hashlib.sha256(content).hexdigest()[:12]}", state)
            return restore(state)

    def _restore_hosted(self, project: ProjectId, name: str, state: Mapping[str, object]) -> HostedProject:
        hosts, facts = self._hosts, facts_of(state)
        if hosts is None:
            raise ArtifactError(f"Version {name} is of a team's own model, which is not opened here.")
        folder = hosts.folder_of(project, name, lambda made: read_folder(_files_of(state), made))
        hosted = hosts.open(project, facts.name, facts.schema, folder, facts.train_output)
        return HostedProject(hosted, facts, folder, lambda: hosts.way(project))

    def is_intact(self, project: ProjectId, version: ModelVersion) -> bool:
        try:
            content, artifact, hosted = self._checked(project, version)
            if not hosted:
                return True
            state = _read_state(content, artifact)
            with _readable(artifact):
                facts_of(state)
            return is_there(_files_of(state))
        except ArtifactError:
            return False

    def _checked(self, project: ProjectId, version: ModelVersion) -> tuple[bytes, str, bool]:
        """A model's bytes, once they are certain to be those that were written; where they are; whether it is of a
        team's own model."""
        with self._database.read() as sql:
            row = sql.execute(_of(project).where(models.c.version == version)).first()
        if row is None:
            raise ArtifactError(f"Project {project} has no model {version}: `nextlabel status` lists those it has.")
        _check_kept(row)
        content = read_artifact(row.artifact)
        if hashlib.sha256(content).hexdigest() != row.sha256:
            raise ArtifactError(f"{row.artifact} is damaged (its hash is not the one noted at training): retrain.")
        return content, row.artifact, bool(row.learner)

    def latest(self, project: ProjectId, *, with_labels: bool = False) -> ModelRecord | None:
        return self._first(_of(project, with_labels).order_by(models.c.number.desc()).limit(1))

    def newest(self, project: ProjectId, size: int, *, before: int | None = None) -> Sequence[ModelRecord]:
        """So many models, or those before a number (`number_of`), newest first; without what they were trained on."""
        found = _of(project) if before is None else _of(project).where(models.c.number < before)
        with self._database.read() as sql:
            return [_record(row) for row in sql.execute(found.order_by(models.c.number.desc()).limit(size))]

    def history(self, project: ProjectId, *, with_labels: bool = False) -> Sequence[ModelRecord]:
        found = _of(project, with_labels)
        with self._database.read() as sql:
            return [_record(row) for row in sql.execute(found.order_by(models.c.number))]

    def _first(self, wanted: Any) -> ModelRecord | None:
        with self._database.read() as sql:
            row = sql.execute(wanted).first()
        return None if row is None else _record(row)


def number_of(version: ModelVersion) -> int:
    """By which a project's versions are in order."""
    return int(version.rpartition("-")[2])


def preload() -> None:
    """Load what reading a model needs, which takes a second, before anyone waits for it."""
    import skops.io  # noqa: F401, PLC0415 - imports most of scikit-learn: not for commands that read no model


def _short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _dump(state: Mapping[str, object]) -> bytes:
    import skops.io  # noqa: PLC0415

    return bytes(skops.io.dumps(dict(state)))


def _read_state(content: bytes, artifact: str) -> Mapping[str, object]:
    import skops.io  # noqa: PLC0415

    with _readable(artifact):
        # Only plain values and arrays are trusted, never what a file asks to be trusted.
        return dict(skops.io.loads(content, trusted=[]))


def _files_of(state: Mapping[str, object]) -> Mapping[str, str]:
    return cast("Mapping[str, str]", state.get("files") or {})


@contextmanager
def _readable(artifact: str) -> Iterator[None]:
    try:
        yield
    except NextlabelError:
        raise
    except Exception as error:  # whatever the file holds: it may nest without end, or ask for all memory
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ArtifactError(f"{artifact} cannot be read as a model ({what}): retrain.") from error


def _of(project: ProjectId, with_labels: bool = False) -> Any:
    """Without the labels of each version, unless they are wanted: they may be thousands."""
    columns = [column for column in models.c if with_labels or column is not models.c.trained_on]
    return select(*columns).where(models.c.project == project)


def _check_kept(row: Row[Any]) -> None:
    if row.artifact:
        return
    if row.state == "failed":
        raise ArtifactError(f"Version {row.version} of project {row.project} is a training that failed ({row.reason}).")
    raise ArtifactError(
        f"Version {row.version} of project {row.project} was let go to save room, only its figures are kept: use a "
        "newer one, and set NEXTLABEL_KEEP_MODELS higher to have more of those to come kept."
    )


def _record(row: Row[Any]) -> ModelRecord:
    return ModelRecord(
        version=ModelVersion(row.version),
        labels_digest=row.labels_digest,
        schema_digest=row.schema_digest,
        trained_on={TaskId(task): labels for task, labels in getattr(row, "trained_on", {}).items()},
        metrics=row.metrics,
        state=row.state,
        reason=row.reason,
        queue_version=None if row.queue_version is None else QueueVersion(row.queue_version),
        created_at=row.created_at,
        learner=row.learner,
        labels=row.labels,
        anchor=row.anchor,
        chosen=row.chosen,
    )
