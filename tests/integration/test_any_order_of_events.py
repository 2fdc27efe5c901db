"""Whatever people, webhooks and workers do, and in whatever order: every training saw exactly the labels in force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rq import Queue
from rq.serializers import JSONSerializer

from integration.test_loop import WRITES, Killed
from nextlabel.jobs.job_queue import LEARN_QUEUE
from nextlabel.labeling import AnnotationId, TaskId
from nextlabel.ports.requests import WebhookRequest
from nextlabel.ports.tool import Callback
from nextlabel_connectors.memory import JsonDialect
from nextlabel_connectors.memory.tool import TARGET

if TYPE_CHECKING:
    from integration.conftest import Team

Step = tuple[str, int]
"""What happens, and a number that says to which task or annotation, or at which write of the loop."""

_MOMENTS = [(write, moment) for write in WRITES for moment in ("before", "after")]
_PEOPLE = ("label", "label again", "change", "withdraw", "skip", "delete", "import")
_WEBHOOKS = ("deliver", "deliver twice", "deliver backwards", "lose")
_WORKERS = ("work", "be killed", "work meanwhile", "reconcile")
_CALLBACK = Callback("http://nextlabel.invalid", "nextlabel", "password", "secret")

steps = st.lists(
    st.tuples(st.sampled_from((*_PEOPLE, "label", "label", *_WEBHOOKS, *_WORKERS)), st.integers(0, 99)), max_size=12
)


@dataclass
class History:
    """One project, from its start: what people do, what is told of it, and when a worker comes by.

    Nothing runs by itself: a worker comes only to a project that is due, by a webhook or a reconciliation.
    """

    team: Team
    made: list[AnnotationId] = field(default_factory=list)
    asked: bool = False

    def begin(self) -> None:
        self.team.parts.redis.flushall()
        self.team.tool.sent.clear()
        self.team.choose(quiet_seconds=0, max_wait_seconds=0)
        list(self.team.tool.connector(self.team.at_tool).connect(_CALLBACK))
        self.team.import_mails(12)
        self.team.run()
        self.team.tool.sent.clear()

    def happen(self, what: str, n: int) -> None:
        """One step; what cannot be done now, such as a withdrawal where there is no label, is passed over."""
        if what in _PEOPLE:
            self._person(what, n)
        elif what in _WEBHOOKS:
            self._webhooks(what)
        elif what == "reconcile":
            self.ask()
        else:
            self.work(what, n)

    # --- people ----------------------------------------------------------------------------------------------

    def _person(self, what: str, n: int) -> None:
        tool = self.team.tool
        if what == "import":
            self.team.import_mails(2)
        elif what in ("label", "skip"):
            if (taken := tool.take_next(self.team.at_tool, "ann")) is not None:
                if what == "skip":
                    tool.skip(self.team.at_tool, taken[0], "ann")
                else:
                    self.made.append(tool.submit(self.team.at_tool, taken[0], ("ham", "spam")[n % 2], "ann"))
        elif self.made:
            self._about(self.made[n % len(self.made)], what, ("ham", "spam")[n % 2])

    def _about(self, annotation: AnnotationId, what: str, label: str) -> None:
        tool = self.team.tool
        with tool.opened(self.team.at_tool) as it:
            row = it.row_of(annotation)
            task, lost = row.task.id, list(row.annotations) if what == "delete" else [annotation]
        if what == "label again":
            self.made.append(tool.submit(self.team.at_tool, task, label, "ben"))
        elif what == "change":
            tool.change(self.team.at_tool, annotation, label)
        elif what == "withdraw":
            tool.withdraw(self.team.at_tool, annotation)
        else:
            tool.delete_task(self.team.at_tool, task)
        if what in ("withdraw", "delete"):
            self.made = [one for one in self.made if one not in lost]

    @property
    def in_force(self) -> dict[TaskId, object]:
        """The labels in force by the tool: of each task the one that was said or changed last."""
        with self.team.tool.opened(self.team.at_tool) as it:
            received = {
                row.task.id: [(one.updated_at, one.labels[TARGET]) for one in row.annotations.values() if one.labels]
                for row in it.rows.values()
            }
        return {task: max(labels)[1] for task, labels in received.items() if labels}

    # --- webhooks --------------------------------------------------------------------------------------------

    def _webhooks(self, what: str) -> None:
        sent = list(self.team.tool.sent)
        self.team.tool.sent.clear()
        if what == "deliver twice":
            sent = [one for one in sent for _ in range(2)]
        for one in () if what == "lose" else reversed(sent) if what == "deliver backwards" else sent:
            self._deliver(one)

    def _deliver(self, webhook: WebhookRequest) -> None:
        event = JsonDialect().read_event(webhook)
        if event is not None and self.team.parts.service.event(("memory",), event) is not None:
            self.asked = True

    # --- workers ---------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """A reconciliation, as `nextlabel work` does it on a schedule."""
        self.team.parts.job_queue.request_retraining(self.team.project, quiet=0, max_wait=0)
        self.asked = True

    def work(self, what: str, n: int) -> None:
        """A worker does what is due, and so has learned what is in force; or is killed, or people go on meanwhile."""
        if not self._is_due():
            return
        write, moment = _MOMENTS[n % len(_MOMENTS)]
        with pytest.MonkeyPatch.context() as patch:
            if what == "be killed":
                self._at(write, moment, self._die, patch)
            elif what == "work meanwhile":
                self._at(write, moment, lambda: self._person(_PEOPLE[n % len(_PEOPLE)], n), patch)
            try:
                self.team.parts.turns.take(self.team.project)
            except Killed:
                return
        if what == "work":
            assert self.learned == self.in_force

    def _is_due(self) -> bool:
        """Takes the project's job from the queue; there is one if and only if it was asked for."""
        self.team.parts.job_queue.dispatch_due()
        queue = Queue(LEARN_QUEUE, connection=self.team.parts.redis, serializer=JSONSerializer)
        jobs = queue.jobs
        self.team.parts.redis.delete(queue.key)
        assert [job.args for job in jobs] == [[self.team.project]] * self.asked
        self.asked = False
        return bool(jobs)

    def _at(self, write: str, moment: str, act: Callable[[], object], patch: pytest.MonkeyPatch) -> None:
        owner, name = WRITES[write](self.team)
        whole, acts = getattr(owner, name), [act]

        def interrupted(*args: object, **kwargs: object) -> object:
            if moment == "before" and acts:
                acts.pop()()
            done = whole(*args, **kwargs)
            if moment == "after" and acts:
                acts.pop()()
            return done

        patch.setattr(owner, name, interrupted)

    def _die(self) -> None:
        raise Killed

    @property
    def learned(self) -> dict[TaskId, object]:
        """What the last training saw, whether or not its model serves."""
        last = self.team.parts.models.latest(self.team.project, with_labels=True)
        assert last is not None
        assert last.metrics.get("labels", len(last.trained_on)) == len(last.trained_on)
        return {task: printed[TARGET] for task, printed in last.trained_on.items()}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
@example([("label", 0), ("label", 1), ("lose", 0), ("label", 0), ("deliver", 0), ("be killed", 4), ("withdraw", 0)])
@example([("label", 0), ("label", 1), ("deliver", 0), ("work meanwhile", 45), ("deliver backwards", 0), ("work", 0)])
def test_whatever_happens_in_whatever_order_every_training_saw_exactly_the_labels_in_force(
    team: Team, happened: Sequence[Step]
) -> None:
    other = type(team)(team.tool, team.parts, team.tool.create_project(["ham", "spam"]))
    history = History(other)
    history.begin()
    for what, n in happened:
        history.happen(what, n)
    history.ask()
    history.work("work", 0)
    assert history.learned == history.in_force
    trained = len(other.parts.models.history(other.project))
    done = other.run()
    assert (done.trained, done.receipt) == (None, None)
    assert len(other.parts.models.history(other.project)) == trained
