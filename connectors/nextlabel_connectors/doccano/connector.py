"""The connector for doccano: an order is written into the tasks' scores, by which annotators sort."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from nextlabel.errors import SchemaError, ToolRejected, ToolUnavailable
from nextlabel.labeling import Cursor, LabelSchema, Prediction, QueueVersion, TaskId, counted
from nextlabel.labeling.ranking import Ranking
from nextlabel.ports.tool import ChangePage, Finding, OwnOrder, Pruned, QueueReceipt, SortedView, ToolSetting
from nextlabel_connectors.doccano import guesses, reading
from nextlabel_connectors.doccano.client import DoccanoClient, NotFound, as_row
from nextlabel_connectors.doccano.order import Scored, Standing, whose_scores
from nextlabel_connectors.doccano.project import NOT_SHARED, Content, DoccanoProject
from nextlabel_connectors.doccano.scores import DEFAULT_SCORE, score_of

_HEAD = 5
_AT_A_TIME = 100  # scores that are written before it is asked again whether they may be
_ON_SCREENS = 20
_SORTED = "page=1&isChecked=false&ordering=-score"


class DoccanoConnector:
    """One project of doccano; see `nextlabel.ports.tool.Connector` for the promises.

    The first ``on_screens`` tasks that are served may be open in somebody's browser, who confirms what they see there:
    their pre-annotations stay as they are.
    """

    def __init__(self, client: DoccanoClient, *, on_screens: int = _ON_SCREENS) -> None:
        self._client = client
        self._on_screens = on_screens

    @property
    def order(self) -> SortedView:
        base = f"{self._client.url}/projects/{self._client.project}"
        where = f"{base}/text-classification?{_SORTED} (or {base}/sequence-labeling?{_SORTED} where spans are labeled)"
        return SortedView("score", where)

    # --- reading -------------------------------------------------------------------------------------------

    def label_schema(self) -> LabelSchema:
        return DoccanoProject.read(self._client).schema

    def title(self) -> str:
        return str(as_row(self._client.get("")).get("name") or "")

    def changed_tasks(self, since: Cursor | None, *, whole: bool = False) -> Iterator[ChangePage]:
        return reading.changed_tasks(self._client, since)

    def vanished_tasks(self, known: Collection[TaskId]) -> Collection[TaskId]:
        if self._client.count("examples") == len(known):
            return ()
        found = {str(row["id"]) for row in self._client.rows("examples", {"ordering": "created_at"})}
        return {task for task in known if task not in found}

    # --- the order -----------------------------------------------------------------------------------------

    def place(
        self,
        version: QueueVersion,
        window: Ranking,
        predictions: Iterable[Prediction],
        *,
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        """Pre-annotations first, while their tasks are not served yet; then the scores, from the front.

        Each score takes effect at once, so that ``may_switch`` is asked before the first and again between them. An
        order that is overtaken in between stands behind the newer one.
        """
        ranked = window.task_ids()
        project = DoccanoProject.read(self._client)
        project.check_shared()
        standing = Standing.read(self._client)
        standing.check_room(version, ranked)
        refused = self._show(project, standing, predictions)
        vanished: set[TaskId] = set()
        for start in range(0, len(ranked), _AT_A_TIME):
            may_switch()
            scores = {task: score_of(version, n) for n, task in enumerate(ranked)}
            part = [task for task in ranked[start : start + _AT_A_TIME] if standing.scores.get(task) != scores[task]]
            done = self._client.each(lambda task: self._give(task, scores[task]), part)  # noqa: B023
            vanished.update(task for task, is_done in zip(part, done, strict=True) if not is_done)
        written = len(ranked) - len(vanished)
        if written and self.queue_in_force() != version:
            raise ToolUnavailable(
                f"The order {version} was written to project {self._client.project}, and another one is served: "
                "somebody changes scores at the same time. nextlabel tries again."
            )
        gone = tuple(task for task in ranked if task in vanished)
        return QueueReceipt(version, written, gone, tuple(self.head_of_queue(_HEAD)), refused)

    def queue_in_force(self, *, standing: int = 1) -> QueueVersion | None:
        found = list(islice(Standing.sorted(self._client), max(1, standing)))
        places = [one.place for one in found]
        version = places[0].version if places and places[0] else None
        in_order = sum(place is not None and place.version == version for place in places)
        return version if version and in_order >= standing else None

    def head_of_queue(self, n: int) -> Sequence[TaskId]:
        rows = self._client.rows("examples", {"ordering": "-score", "confirmed": "false"})
        return [TaskId(str(row["id"])) for row in islice(rows, n)]

    # --- old orders ----------------------------------------------------------------------------------------

    def predictions_held(self) -> Mapping[QueueVersion, int]:
        """The places of each order: of a task that several orders have ranked, only the last one's is kept."""
        places = [one.place for one in Standing.read(self._client).tasks]
        return Counter(place.version for place in places if place)

    def prune(self, old: Sequence[OwnOrder], at_most: int, *, at_rest: bool = False) -> Pruned:
        """What is at the front of an old order may still be open in somebody's browser: that waits for ``at_rest``."""
        standing = Standing.read(self._client)
        doomed: list[Scored] = []
        left: set[QueueVersion] = set()
        for order in (one for one in old if one.version != standing.in_force):
            ours = standing.of(order)
            waiting = [] if at_rest else [one for one in ours if not one.confirmed][: self._on_screens]
            lot = [one for one in ours if one not in waiting][: at_most - len(doomed)]
            doomed += lot
            if len(lot) < len(ours):
                left.add(order.version)
        self._forget(doomed)
        emptied = (one.version for one in old if one.version not in {*left, standing.in_force})
        return Pruned(len(doomed), tuple(emptied))

    # --- before and after ----------------------------------------------------------------------------------

    def settings(self, ours: Collection[QueueVersion]) -> Sequence[ToolSetting]:
        """None: the order stands beside all settings of the project, random order included."""
        DoccanoProject.read(self._client)
        return []

    def prepare(self) -> Iterator[Finding]:
        """Only looks: a project needs nothing but scores, and gets those with its orders."""
        try:
            project = DoccanoProject.read(self._client)
            problems = list(self._problems(project))
        except (ToolRejected, SchemaError) as error:
            yield Finding("problem", str(error))
            return
        yield from problems
        if not any(one.level == "problem" for one in problems):
            link = f"{self._client.url}/projects/{self._client.project}/{project.page}?{_SORTED}"
            yield Finding("unchanged", f"Annotators get nextlabel's order at this address, and only there: {link}")

    def _problems(self, project: DoccanoProject) -> Iterator[Finding]:
        me, labels = as_row(self._client.get("/me")), project.schema.left_out
        role = None if me.get("is_superuser") is True else as_row(self._client.get("my-role")).get("rolename")
        if role not in (None, "project_admin"):
            yield Finding(
                "problem",
                f"The account {me.get('username')} is {role} of this project and may not set scores: make it a project "
                "admin under Members.",
            )
        if not project.shared:
            yield Finding("problem", NOT_SHARED)
        yield from (Finding("problem", f"There is nothing to choose: {why}") for why in labels.values())
        if strange := Standing.read(self._client).strangers:
            yield Finding("problem", whose_scores(strange))
        if confirmed := self._confirmed_by(me.get("username")):
            yield Finding(
                "warning",
                f"The account {me.get('username')} has confirmed {counted(confirmed, 'task')}, as a person does: give "
                "nextlabel an account of its own, or its pre-annotations look like that person's labels.",
            )

    def restore(self, settings: Mapping[str, str], orders: Sequence[OwnOrder]) -> Iterator[Finding]:
        """Also the pre-annotations of an order that was never served, because its worker was overtaken."""
        standing, project = Standing.read(self._client), DoccanoProject.read(self._client)
        ours = {one.task: one for order in orders for one in standing.of(order)}
        labels = ({"confirmed": "false", "label": text} for text in project.types.values())
        labeled = {str(row["id"]) for params in labels for row in self._client.rows("examples", params)}
        guessed = sum(self._client.each(lambda task: guesses.hide(self._client, project, task), labeled - set(ours)))
        self._forget(list(ours.values()))
        if ours or guessed:
            yield Finding(
                "done",
                f"{counted(len(ours), 'task')} of nextlabel's orders have doccano's own score {DEFAULT_SCORE:g} again, "
                "and its pre-annotations are gone that nobody confirmed.",
            )
        else:
            yield Finding("unchanged", "There is nothing of nextlabel's here.")

    # --- requests ------------------------------------------------------------------------------------------

    def _show(
        self, project: DoccanoProject, standing: Standing, predictions: Iterable[Prediction]
    ) -> tuple[TaskId, ...]:
        """Returns the tasks whose pre-annotation doccano refused."""
        closed = {one.task for one in standing.tasks if one.confirmed}
        left_alone = closed | set(standing.served(self._on_screens))
        wanted = {one.task: project.wanted(one) for one in predictions if one.task not in left_alone}

        def show(task: TaskId) -> bool:
            contents: dict[Content, float] = wanted[task]
            return guesses.show(self._client, project, task, contents)

        taken = self._client.each(show, wanted)
        return tuple(task for task, is_taken in zip(wanted, taken, strict=True) if not is_taken)

    def _give(self, task: TaskId, score: float) -> bool:
        """Whether the task is still there."""
        try:
            self._client.patch(f"examples/{task}", {"score": score})
        except NotFound:
            return False
        return True

    def _forget(self, tasks: Sequence[Scored]) -> None:
        """Remove our pre-annotations from tasks that nobody has confirmed, then our scores from all."""
        project = DoccanoProject.read(self._client)
        unconfirmed = [one.task for one in tasks if not one.confirmed]
        self._client.each(lambda task: guesses.hide(self._client, project, task), unconfirmed)
        self._client.each(lambda one: self._give(one.task, DEFAULT_SCORE), tasks)

    def _confirmed_by(self, name: object) -> int:
        progress = as_row(self._client.get("metrics/member-progress")).get("progress")
        rows = [as_row(row) for row in progress] if isinstance(progress, list) else []
        return sum(int(str(row.get("done"))) for row in rows if row.get("user") == name)
