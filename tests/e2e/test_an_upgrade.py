"""An installation made by the release before, whose orders bear names that a team uses too, on a real Label Studio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from e2e.running import label_of, texts
from earlier_releases import score_windows_by_place
from nextlabel.jobs.embedded_redis import EmbeddedRedis
from nextlabel.labeling import ModelVersion, ProjectId, QueueVersion
from nextlabel.options import ProjectOptions
from nextlabel.settings import Settings
from nextlabel.storage import orders
from nextlabel.storage.database.tables import queues
from nextlabel.testing import connection_to
from nextlabel.testing.installation import Nextlabel
from nextlabel.wiring import Parts, build
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice


@pytest.fixture
def parts(nextlabel: Nextlabel, tmp_path: Path) -> Iterator[Parts]:
    """An installation of its own, without workers: what is to happen is called for."""
    settings = Settings.from_env({"NEXTLABEL_HOME": str(tmp_path / "home")})
    parts = build(settings, EmbeddedRedis(nextlabel.home).url)
    parts.database.migrate()
    yield parts
    parts.database.dispose()


def as_before(model: ModelVersion, used: int) -> Iterator[QueueVersion]:
    """How the release before named the next order of a model."""
    name = f"{int(model.rpartition('-')[2]):04d}"
    yield QueueVersion(f"{name}.{used + 1}" if used else name)


@pytest.mark.everything
def test_of_a_version_that_a_team_uses_too_only_what_nextlabel_wrote_is_removed(
    parts: Parts, owner: LabelStudioPerson, label_studio: LabelStudioServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = owner.create_project("made by the release before", single_choice(("winter", "kitchen")))
    tasks = owner.import_tasks(number, [{"text": text} for text in texts(90)])
    project = ProjectId(str(number))

    def turn(strategy: str) -> None:
        options = ProjectOptions(strategy=strategy, window=30)
        parts.connections.save(connection_to(project, "label_studio", label_studio.legacy_access, options))
        parts.loop.run(project, parts.fences.next(project))

    with monkeypatch.context() as before:
        before.setattr(orders, "_order_names", as_before)
        score_windows_by_place(before)
        turn("margin")
        for task in tasks[:6]:
            owner.submit(task, label_of(texts(90)[tasks.index(task)]))
        for strategy in ("margin", "entropy", "random"):
            turn(strategy)
    with parts.database.write() as sql:
        sql.execute(update(queues).values(own_name=False))
    assert owner.predictions_held(number) == {"0001": 30, "0002": 30, "0002.2": 30, "0002.3": 30}
    # No place of a window of 30 had this score: of two equal predictions of a task neither would be removed.
    owner.import_predictions(number, "0002", dict.fromkeys(tasks[:40], 0.31))
    owner.import_predictions(number, "2023", dict.fromkeys(tasks[:40], 0.31))

    turn("random")
    turn("margin")
    while parts.pruning.remove_old_orders(project):
        pass
    assert owner.predictions_held(number) == {"0002": 40, "2023": 40, "nextlabel-2.4": 30, "nextlabel-2.5": 30}
    assert ["0002 (40)" in one.message for one in parts.findings.of(project)] == [True]
