"""Which open tasks nobody will label, because they were skipped."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, true

from nextlabel.labeling import ProjectId, TaskId
from nextlabel.storage.database.tables import annotations, tasks

_AT_WORK = timedelta(days=1)  # before the project's latest annotation: whoever gave one since then


def skipped_by_all(sql: Connection, project: ProjectId | None = None) -> dict[ProjectId, set[TaskId]]:
    """By project, or of one, the open tasks that were skipped by everybody who is at work, or by nobody knows whom.

    Whoever skipped a task does not get it again, so it would only take a place in the window from one that they do.
    """
    of = annotations.c
    mine = true() if project is None else of.project == project
    found = dict[ProjectId, dict[TaskId, set[str | None]]]()
    same = (tasks.c.project == of.project) & (tasks.c.id == of.task)
    skips = select(of.project, of.task, of.given_by).join(tasks, same).where(mine, of.skipped, ~tasks.c.closed)
    for owner, task, who in sql.execute(skips):
        found.setdefault(ProjectId(owner), {}).setdefault(TaskId(task), set()).add(who)
    if not found:
        return {}
    known = (of.project, of.given_by, func.max(of.updated_at))
    latest = dict[ProjectId, dict[str, datetime]]()
    for owner, who, at in sql.execute(select(*known).where(mine, of.given_by.is_not(None)).group_by(*known[:2])):
        latest.setdefault(ProjectId(owner), {})[who] = datetime.fromisoformat(at)
    return {owner: _without_takers(by, _at_work(latest.get(owner, {}))) for owner, by in found.items()}


def _without_takers(skipped: Mapping[TaskId, set[str | None]], at_work: set[str]) -> set[TaskId]:
    return {task for task, skipped_by in skipped.items() if None in skipped_by or at_work <= skipped_by}


def _at_work(latest: Mapping[str, datetime]) -> set[str]:
    """Of all who have annotated, with the time of their latest annotation."""
    since = max(latest.values(), default=datetime.max) - _AT_WORK
    return {who for who, at in latest.items() if at >= since}
