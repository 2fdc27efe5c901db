"""The verdict that every fault ends with (`make faults`) finds what it is there to find."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmarks.faults.relay import Behaviour
from benchmarks.faults.scene import Scene, scene
from benchmarks.faults.verdict import look
from sqlalchemy import Executable, insert, literal, select, update

from nextlabel.storage.database import tables
from nextlabel_connectors.label_studio.testing import LabelStudioServer

pytestmark = pytest.mark.everything  # it judges `make faults`, which is run by hand


@pytest.fixture(scope="module")
def calm(label_studio: LabelStudioServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A project where all is right, and nothing that goes wrong is noticed: no webhook, no reconciliation."""
    log = tmp_path_factory.mktemp("faults") / "up.log"
    with scene(label_studio, {"NEXTLABEL_RECONCILE_SECONDS": "86400"}, None, log) as it:
        it.postbox.behaviour = Behaviour(only="/webhook", status=201)
        yield it


def in_database(it: Scene, statement: Executable) -> None:
    with it.parts.database.write() as sql:
        sql.execute(statement)


def test_a_label_that_is_nowhere_is_lost_and_one_that_is_stored_twice_is_double(calm: Scene) -> None:
    before = look(calm.owner, calm.project, calm.parts)
    assert before.right
    calm.label(1)
    found = look(calm.owner, calm.project, calm.parts)
    assert (found.in_tool, found.lost, found.double) == (before.in_tool + 1, 1, 0)
    others = [column for column in tables.annotations.c if column.name != "id"]
    of_first = select(literal("999999"), *others).where(tables.annotations.c.id == str(calm.annotations[0]))
    in_database(calm, insert(tables.annotations).from_select(["id", *(column.name for column in others)], of_first))
    assert look(calm.owner, calm.project, calm.parts).double == 1


def test_an_order_that_is_not_in_force_or_not_the_models_own_is_wrong(calm: Scene) -> None:
    serving = calm.parts.models.in_service(calm.id)
    assert serving is not None
    queue = calm.parts.orders.announced(calm.id)[0]
    in_database(calm, update(tables.queues).where(tables.queues.c.version == queue.version).values(window=[]))
    assert "not the window" in look(calm.owner, calm.project, calm.parts).wrong
    calm.owner.change_project(calm.project, model_version="")
    assert "Label Studio serves" in look(calm.owner, calm.project, calm.parts).wrong
    in_database(calm, update(tables.models).where(tables.models.c.version == serving.version).values(state="retired"))
    assert "no model in service" in look(calm.owner, calm.project, calm.parts).wrong
