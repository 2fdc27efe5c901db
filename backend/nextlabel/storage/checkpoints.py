"""`Checkpoints` in SQL: what versions predicted, packed, and what was found by it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from nextlabel.evaluation.forecast import Forecast
from nextlabel.evaluation.savings import Gain, Saved
from nextlabel.evaluation.stopping import Checked, is_of_use
from nextlabel.labeling import ModelVersion, ProjectId, TaskId
from nextlabel.ports.state import AuditsAlone, Checkpoint, Standing, StopSet
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import audits_alone, checkpoints, stop_sets
from nextlabel.storage.fences import check_fence

_MOST_CHECKPOINTS, _MOST_CURVE = 300, 100
_MOST_BYTES = 64_000_000  # that something packed may unpack to

Predicted = Mapping[str, Mapping[TaskId, object]]


class StoredCheckpoints:
    """Those of all projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def stop_set(self, project: ProjectId, schema: str) -> StopSet | None:
        of = stop_sets.c
        mine = select(of.tasks, of.among).where(of.project == project, of.schema_digest == schema)
        with self._database.read() as sql:
            row = sql.execute(mine).one_or_none()
        return None if row is None else StopSet([TaskId(task) for task in row.tasks], row.among)

    def draw(self, project: ProjectId, schema: str, drawn: StopSet, *, fence: int) -> None:
        of, mine = stop_sets.c, stop_sets.c.project == project
        values = {"tasks": list(drawn.tasks), "among": drawn.among}
        with self._database.write() as sql:
            check_fence(sql, project, fence)
            if sql.execute(update(stop_sets).where(mine, of.schema_digest == schema).values(**values)).rowcount:
                return
            for table in (stop_sets, checkpoints, audits_alone):
                sql.execute(delete(table).where(table.c.project == project))
            sql.execute(insert(stop_sets).values(project=project, schema_digest=schema, standing={}, **values))

    def note_standing(self, project: ProjectId, standing: Standing) -> None:
        with self._database.write() as sql:
            mine = update(stop_sets).where(stop_sets.c.project == project)
            sql.execute(mine.values(standing=asdict(standing)))

    def standing(self, project: ProjectId) -> Standing:
        with self._database.read() as sql:
            found = sql.execute(select(stop_sets.c.standing).where(stop_sets.c.project == project)).scalar()
        return Standing(**found) if found else Standing()

    def figures(self, project: ProjectId) -> Sequence[Checkpoint]:
        of = checkpoints.c
        found = select(of.version, of.figures).where(of.project == project).order_by(of.number)
        with self._database.read() as sql:
            return [_checkpoint(row.version, row.figures) for row in sql.execute(found)]

    def predicted(self, project: ProjectId, version: ModelVersion) -> Predicted:
        of = checkpoints.c
        mine = select(of.predicted).where(of.project == project, of.version == version)
        with self._database.read() as sql:
            packed = sql.execute(mine.order_by(of.number.desc()).limit(1)).scalar()
        return _unpacked(packed) if packed else {}

    def unseen(self, project: ProjectId) -> Sequence[Predicted]:
        of = checkpoints.c
        with self._database.read() as sql:
            rows = sql.execute(select(of.unseen).where(of.project == project).order_by(of.number)).scalars().all()
        return [_unpacked(packed) for packed in rows]

    def add(self, project: ProjectId, checkpoint: Checkpoint, *, fence: int) -> None:
        of, mine = checkpoints.c, checkpoints.c.project == project
        figures = {
            "checked": asdict(checkpoint.checked),
            "forecasts": {name: asdict(one) for name, one in checkpoint.forecasts.items()},
            "saved": {name: asdict(one) for name, one in checkpoint.saved.items()},
            "gains": {name: asdict(one) for name, one in checkpoint.gains.items()},
        }
        with self._database.write() as sql:
            check_fence(sql, project, fence)
            number = 1 + (sql.execute(select(func.max(of.number)).where(mine)).scalar() or 0)
            row = {
                "project": project,
                "number": number,
                "version": checkpoint.version,
                "labels": checkpoint.checked.labels,
                "at": datetime.now(UTC),
                "figures": figures,
                "predicted": _packed(checkpoint.predicted),
                "unseen": _packed(checkpoint.unseen),
            }
            sql.execute(insert(checkpoints).values(**row))
            sql.execute(delete(checkpoints).where(mine, of.number <= number - _MOST_CHECKPOINTS))
            kept = sql.execute(select(of.number, of.labels).where(mine, of.predicted.is_not(None))).all()
            old = [one for one in kept if not is_of_use(one.labels, checkpoint.checked.labels)]
            spare = max(old, key=lambda one: (one.labels, one.number), default=None)
            gone = [one.number for one in old if one is not spare]
            sql.execute(update(checkpoints).where(mine, of.number.in_(gone)).values(predicted=None))

    def alone(self, project: ProjectId, target: str) -> AuditsAlone | None:
        of = audits_alone.c
        mine = select(audits_alone).where(of.project == project, of.target == target, of.predicted.is_not(None))
        with self._database.read() as sql:
            row = sql.execute(mine.order_by(of.audits.desc()).limit(1)).one_or_none()
        if row is None:
            return None
        predicted = {TaskId(task): one for task, one in _read(row.predicted).items()}
        return AuditsAlone(target, row.audits, row.figures["labels"], row.figures["variance"], predicted)

    def note_alone(self, project: ProjectId, found: AuditsAlone) -> None:
        of = audits_alone.c
        mine = (of.project == project) & (of.target == found.target)
        figures = {"labels": found.labels, "variance": found.variance}
        with self._database.write() as sql:
            sql.execute(update(audits_alone).where(mine).values(predicted=None))
            sql.execute(delete(audits_alone).where(mine, of.audits == found.audits))
            row = {"project": project, "target": found.target, "audits": found.audits, "figures": figures}
            sql.execute(insert(audits_alone).values(**row, predicted=_packed(found.predicted)))
            numbers = select(of.audits).where(mine).order_by(of.audits.desc()).offset(_MOST_CURVE)
            sql.execute(delete(audits_alone).where(mine, of.audits.in_(sql.execute(numbers).scalars().all())))


def _checkpoint(version: str, figures: Mapping[str, Any]) -> Checkpoint:
    return Checkpoint(
        ModelVersion(version),
        Checked(**figures["checked"]),
        forecasts={name: Forecast(**one) for name, one in figures["forecasts"].items()},
        saved={name: Saved(**one) for name, one in figures["saved"].items()},
        gains={name: Gain(**one) for name, one in figures.get("gains", {}).items()},  # none before 0.4
    )


def _packed(value: Mapping[Any, object]) -> bytes:
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 6)


def _unpacked(packed: bytes) -> Predicted:
    return {target: {TaskId(task): label for task, label in labels.items()} for target, labels in _read(packed).items()}


def _read(packed: bytes) -> dict[str, Any]:
    unpacked = zlib.decompressobj().decompress(packed, _MOST_BYTES)
    return dict(json.loads(unpacked))
