"""What changed in a project of doccano since a cursor.

doccano lists no labels but those of one task, and gives no time of a change that can be asked for. So each pull lists
the tasks that have each label, and compares them with the cursor. The labels of one task are asked for where that shows
a change, and where it cannot show one: of spans it does not show the place, and of a label not who gave it.

Of the tasks themselves doccano can list those first that were changed last, without the time: they are read until they
stand as the cursor has them.
"""

from __future__ import annotations

import hashlib
from base64 import b85encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import orjson

from nextlabel.errors import ToolUnavailable
from nextlabel.labeling import Annotation, AnnotationId, Cursor, TaskId
from nextlabel.ports.tool import ChangePage, TaskSeen, Unreadable
from nextlabel_connectors.doccano.client import DoccanoClient, NotFound, Row, as_list, as_row
from nextlabel_connectors.doccano.project import DoccanoProject, Given, in_utc, task_in

_PAGE = 200
_REMEMBERED = 2_000  # tasks that changed last
_UNCHANGED = 10  # of them that follow each other as they did: what comes after them has not changed either


class _Task(NamedTuple):
    """Of a task that changed lately: a digest of what it says, and its score."""

    content: str
    score: float


class _Labeled(NamedTuple):
    """Of a task with labels or a confirmation: digests of what lists show of it and of its labels, and how many of
    these people have given."""

    outline: str
    labels: str
    by_people: int


@dataclass(slots=True)
class _State:
    """What a cursor keeps: the tasks that changed last, in that order, and the labeled ones.

    ``schema`` is what the labels were read by.
    """

    schema: str
    latest: dict[str, _Task] = field(default_factory=dict)
    labeled: dict[str, _Labeled] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Cursor | None, schema: str) -> _State:
        """Nothing is known where there is no cursor, or one by another schema."""
        try:
            known, latest, labeled = orjson.loads(cursor or "")
            if known != schema:
                return cls(schema)
            return cls(
                schema,
                {task: _Task(*one) for task, one in latest.items()},
                {task: _Labeled(*one) for task, one in labeled.items()},
            )
        except (ValueError, TypeError, AttributeError):
            return cls(schema)

    def write(self) -> Cursor:
        kept = ({task: list(one) for task, one in part.items()} for part in (self.latest, self.labeled))
        return Cursor(orjson.dumps([self.schema, *kept]).decode())


class _Labels(NamedTuple):
    """All labels on one task, and the row that shows whether it is confirmed."""

    row: Row
    given: tuple[Given, ...]

    def noted(self, outline: str) -> _Labeled:
        labels = [(one.id, one.content, one.updated_at, one.is_guess) for one in self.given]
        people = sum(not one.is_guess for one in self.given)
        return _Labeled(outline, _digest([labels, self.row.get("is_confirmed")]), people)


def changed_tasks(client: DoccanoClient, since: Cursor | None) -> Iterator[ChangePage]:
    """All but the last page leave the cursor as it was: what is read halfway is read again."""
    project = DoccanoProject.read(client)
    project.check_shared()
    schema = project.schema.digest
    before, now = _State.read(since, schema), _State(schema)
    labels, now.labeled = _read_labels(client, project, before.labeled)
    changed = _changed_rows(client, before, now, labels)

    def read(row: Row) -> TaskSeen | Unreadable:
        """Also the labels that are as they were, of a task that changed itself."""
        task = str(row["id"])
        found = labels.get(task) or (_labels_on(client, project, task, row) if task in now.labeled else None)
        return _seen(client, project, row, found)

    page = list(islice(changed, _PAGE))
    if not page and now != before:
        yield ChangePage((), now.write())
    while page:
        following = list(islice(changed, _PAGE))
        found = client.each(read, page)
        seen = tuple(one for one in found if isinstance(one, TaskSeen))
        unreadable = tuple(one for one in found if isinstance(one, Unreadable))
        yield ChangePage(seen, since or Cursor("") if following else now.write(), unreadable)
        page = following


def _read_labels(
    client: DoccanoClient, project: DoccanoProject, known: Mapping[str, _Labeled]
) -> tuple[dict[str, _Labels], dict[str, _Labeled]]:
    """The labels of the tasks of which they were read, and what is to be kept of all labeled ones.

    Where people have given as many labels as is known, none is on a task where only ours are known.
    """
    rows, outlines = _outlines(client, project)
    sure = {
        task: known[task]
        for task, row in rows.items()
        if task in known and known[task].outline == outlines[task]
        if (not project.is_spans if row.get("is_confirmed") else not known[task].by_people)
    }

    def read(tasks: Iterable[str]) -> dict[str, _Labels]:
        found = client.each(lambda task: _labels_on(client, project, task, rows.get(task)), list(tasks))
        return {str(one.row["id"]): one for one in found if one is not None}

    labels = read(task for task in {**rows, **known} if task not in sure)
    counted = sum(not one.is_guess for found in labels.values() for one in found.given)
    if counted + sum(one.by_people for one in sure.values()) != _given_by_people(client, project):
        labels |= read(sure)
    noted = {task: one.noted(outlines.get(task, "")) for task, one in labels.items()}
    return labels, {task: one for task, one in {**sure, **noted}.items() if task in rows or one.by_people}


def _outlines(client: DoccanoClient, project: DoccanoProject) -> tuple[dict[str, Row], dict[str, str]]:
    """The rows of all tasks that are confirmed or have a label, and what lists show of each."""
    rows: dict[str, Row] = {}
    texts: dict[str, list[str]] = {}
    for text in project.types.values():
        for row in client.rows("examples", {"label": text}):
            rows[str(row["id"])] = row
            texts.setdefault(str(row["id"]), []).append(text)
    if client.count("examples", {"confirmed": "true"}) != sum(row.get("is_confirmed") is True for row in rows.values()):
        rows |= {str(row["id"]): row for row in client.rows("examples", {"confirmed": "true"})}
    shown = {task: (row.get("is_confirmed"), row.get("annotation_approver")) for task, row in rows.items()}
    return rows, {task: _digest([shown[task], texts.get(task)]) for task in rows}


def _labels_on(client: DoccanoClient, project: DoccanoProject, task: str, row: Row | None) -> _Labels | None:
    try:
        return _Labels(row or as_row(client.get(f"examples/{task}")), project.labels_on(client, task))
    except NotFound:
        return None


def _given_by_people(client: DoccanoClient, project: DoccanoProject) -> int | None:
    """How many labels all accounts but ours have given; None where doccano cannot say, as when one was removed."""
    try:
        found = as_row(client.get(f"metrics/{project.name}-distribution"))
    except ToolUnavailable:
        return None
    counts = (as_row(labels).values() for user, labels in found.items() if user != project.our_name)
    return sum(number for labels in counts for number in labels if isinstance(number, int))


def _changed_rows(client: DoccanoClient, before: _State, now: _State, labels: Mapping[str, _Labels]) -> Iterator[Row]:
    """The rows of tasks that changed themselves, then of those whose labels did; notes in ``now`` what it sees."""
    seen: set[str] = set()
    places = {task: n for n, task in enumerate(before.latest)}
    last, unchanged = -1, 0
    for row in client.rows("examples", {"ordering": "-updated_at"}):
        task, one = str(row["id"]), _Task(_digest([row.get("text"), row.get("meta")]), float(str(row.get("score"))))
        seen.add(task)
        if len(now.latest) < _REMEMBERED:
            now.latest[task] = one
        known = before.latest.get(task)
        stands = known == one and places[task] > last
        last, unchanged = (places[task], unchanged + 1) if stands else (-1, 0)
        if known is None or known.content != one.content or before.labeled.get(task) != now.labeled.get(task):
            yield row
        if unchanged == _UNCHANGED:
            break
    rest = {task: one for task, one in before.latest.items() if task not in seen}
    now.latest |= dict(islice(rest.items(), max(0, _REMEMBERED - len(now.latest))))
    for task, found in labels.items():
        if task not in seen and before.labeled.get(task) != now.labeled.get(task):
            yield found.row


def _seen(client: DoccanoClient, project: DoccanoProject, row: Row, one: _Labels | None) -> TaskSeen | Unreadable:
    task = task_in(row)
    if isinstance(task, str):
        return Unreadable(TaskId(str(row["id"])), task)
    found = _annotation(client, project, one) if one else None
    return TaskSeen(task, (found,) if found else (), closed=found is not None)


def _annotation(client: DoccanoClient, project: DoccanoProject, one: _Labels) -> Annotation | None:
    """What people say of a task, whose labels all share: until somebody confirms the task only what people have given,
    then everything that stands there, for whoever confirmed a pre-annotation has looked at it."""
    confirmed_at = _confirmed_at(client, str(one.row["id"])) if one.row.get("is_confirmed") else None
    people = [given for given in one.given if not given.is_guess]
    counted = people if confirmed_at is None or (project.single and people) else one.given
    if confirmed_at is None and not people:
        return None
    label = project.label_of(counted)
    updated_at = max([given.updated_at for given in counted] + ([confirmed_at] if confirmed_at else []))
    return Annotation(
        AnnotationId(str(one.row["id"])),
        {} if label is None else {project.name: label},
        updated_at,
        skipped=label is None,
        ground_truth=one.row.get("annotation_approver") is not None,
    )


def _confirmed_at(client: DoccanoClient, task: str) -> str | None:
    """None where somebody has taken the confirmation back, or deleted the task, since it was listed."""
    try:
        found = as_row(client.get(f"examples/{task}/states"))
    except NotFound:
        return None
    return max((in_utc(as_row(row).get("confirmed_at")) for row in as_list(found.get("results"))), default=None)


def _digest(what: object) -> str:
    return b85encode(hashlib.blake2b(orjson.dumps(what), digest_size=8).digest()).decode()
