"""What changed in a project of doccano since a cursor.

doccano has no list of labels, and no time of their change that can be asked for. So the labels of every labeled task
are read with each pull, and compared with the cursor, which keeps a digest of each. Of the tasks themselves it can list
those first that were changed last, without the time: they are read until they stand as the cursor has them.
"""

from __future__ import annotations

import hashlib
from base64 import b85encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import orjson

from nextlabel.labeling import Annotation, AnnotationId, Cursor, TaskId
from nextlabel.ports.tool import ChangePage, TaskSeen, Unreadable
from nextlabel_connectors.doccano.client import DoccanoClient, NotFound, Row, as_list, as_row
from nextlabel_connectors.doccano.project import DoccanoProject, Given, in_utc, task_in

_PAGE = 200
_REMEMBERED = 1_000  # tasks that changed last
_UNCHANGED = 10  # of them that follow each other as they did: what comes after them has not changed either


@dataclass(slots=True)
class _State:
    """What a cursor keeps: digests of the tasks that changed last, in that order, and of the labels of labeled ones.

    ``schema`` is what the labels were read by.
    """

    schema: str = ""
    latest: dict[str, str] = field(default_factory=dict)
    labeled: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Cursor | None, schema: str) -> _State:
        """Nothing is known where there is no cursor, or one by another schema."""
        try:
            known, latest, labeled = orjson.loads(cursor or "")
            return cls(schema, dict(latest), dict(labeled)) if known == schema else cls(schema)
        except (ValueError, TypeError):
            return cls(schema)

    def write(self) -> Cursor:
        return Cursor(orjson.dumps([self.schema, list(self.latest.items()), list(self.labeled.items())]).decode())


@dataclass(frozen=True, slots=True)
class _Labels:
    """Of one task: all labels on it, the row that shows whether it is confirmed, and a digest of both."""

    row: Row
    given: tuple[Given, ...]

    @property
    def digest(self) -> str:
        seen = [(one.id, one.content, one.updated_at, one.is_guess) for one in self.given]
        return _digest([self.row.get("is_confirmed"), self.row.get("annotation_approver"), seen])


def changed_tasks(client: DoccanoClient, since: Cursor | None) -> Iterator[ChangePage]:
    """All but the last page leave the cursor as it was: what is read halfway is read again."""
    project = DoccanoProject.read(client)
    project.check_shared()
    before, now = _State.read(since, project.schema.digest), _State(project.schema.digest)
    labels = _read_labels(client, project, before.labeled)
    now.labeled = {task: one.digest for task, one in labels.items() if one.given or one.row.get("is_confirmed")}
    changed = _changed_rows(client, before, now, labels)
    page = list(islice(changed, _PAGE))
    if not page and now != before:
        yield ChangePage((), now.write())
    while page:
        following = list(islice(changed, _PAGE))
        yield _page(client, project, page, labels, since or Cursor("") if following else now.write())
        page = following


def _read_labels(client: DoccanoClient, project: DoccanoProject, known: Mapping[str, str]) -> dict[str, _Labels]:
    """Of all tasks that are confirmed, that have a label, or that had one; of those that are still there."""
    rows = {str(row["id"]): row for row in client.rows("examples", {"confirmed": "true"})}
    for text in project.types.values():
        found = client.rows("examples", {"confirmed": "false", "label": text})
        rows |= {str(row["id"]): row for row in found}

    def read(task: str) -> tuple[str, _Labels | None]:
        try:
            row = rows.get(task) or as_row(client.get(f"examples/{task}"))
            return task, _Labels(row, project.labels_on(client, task))
        except NotFound:
            return task, None

    return {task: one for task, one in client.each(read, dict.fromkeys((*rows, *known))) if one is not None}


def _changed_rows(client: DoccanoClient, before: _State, now: _State, labels: Mapping[str, _Labels]) -> Iterator[Row]:
    """The rows of tasks that changed themselves, then of those whose labels did; notes in ``now`` what it sees."""
    seen: set[str] = set()
    places = {task: n for n, task in enumerate(before.latest)}
    last, unchanged = -1, 0
    for row in client.rows("examples", {"ordering": "-updated_at"}):
        task, digest = str(row["id"]), _digest([row.get("text"), row.get("meta"), row.get("score")])
        seen.add(task)
        if len(now.latest) < _REMEMBERED:
            now.latest[task] = digest
        stands = before.latest.get(task) == digest and places[task] > last
        last, unchanged = (places[task], unchanged + 1) if stands else (-1, 0)
        if not stands or before.labeled.get(task) != now.labeled.get(task):
            yield row
        if unchanged == _UNCHANGED:
            break
    rest = {task: digest for task, digest in before.latest.items() if task not in seen}
    now.latest |= dict(islice(rest.items(), max(0, _REMEMBERED - len(now.latest))))
    for task, one in labels.items():
        if task not in seen and before.labeled.get(task) != now.labeled.get(task):
            yield one.row


def _page(
    client: DoccanoClient, project: DoccanoProject, rows: Sequence[Row], labels: Mapping[str, _Labels], cursor: Cursor
) -> ChangePage:
    confirmed = [str(row["id"]) for row in rows if (one := labels.get(str(row["id"]))) and one.row["is_confirmed"]]
    times = dict(zip(confirmed, client.each(lambda task: _confirmed_at(client, task), confirmed), strict=True))
    seen: list[TaskSeen] = []
    unreadable: list[Unreadable] = []
    for row in rows:
        task, one = task_in(row), labels.get(str(row["id"]))
        if isinstance(task, str):
            unreadable.append(Unreadable(TaskId(str(row["id"])), task))
            continue
        found = _annotation(project, one, times.get(task.id)) if one else None
        seen.append(TaskSeen(task, (found,) if found else (), closed=found is not None))
    return ChangePage(tuple(seen), cursor, tuple(unreadable))


def _annotation(project: DoccanoProject, one: _Labels, confirmed_at: str | None) -> Annotation | None:
    """What people say of a task, whose labels all share: until somebody confirms the task only what people have given,
    then everything that stands there, for a pre-annotation that was confirmed was looked at."""
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
