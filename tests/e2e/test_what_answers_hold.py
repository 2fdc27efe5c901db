"""Controls that no model of nextlabel's fills in, on a real Label Studio: what their answers hold orders the queue."""

from __future__ import annotations

import pytest

from e2e.kinds import HELD
from e2e.test_every_kind import assert_served_in_order, taught
from everything import representing
from nextlabel.testing.installation import Nextlabel
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer

_TASKS, _LABELS = 40, 14


@pytest.mark.parametrize("name", representing(HELD, set(HELD) - {"boxes"}))
def test_what_answers_hold_is_learned_orders_the_queue_and_is_shown_to_nobody(
    name: str, nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    kind = HELD[name]
    project, number = taught(kind, _TASKS, _LABELS, nextlabel, label_studio)
    queue, tasks = nextlabel.queues(project)[0], owner.open_tasks(project)
    shown = [one for task in tasks for one in task["predictions"] if one["model_version"] == queue.version]
    assert len(shown) == len(queue.window)  # Label Studio drops what it cannot read
    assert [one["result"] for one in shown] == [[]] * len(shown)
    known = nextlabel.trained(project)[-1].metrics
    assert max(figure for name, figure in known.items() if name.endswith(("micro_f1", "correlation"))) > 0.7, known
    assert_served_in_order(kind, project, number, nextlabel, owner)
