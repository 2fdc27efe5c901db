"""Pre-annotations: labels that our account gives to tasks, with their probability."""

from __future__ import annotations

from collections.abc import Sequence

from nextlabel_connectors.doccano.client import DoccanoClient, NotFound, Refused, as_row
from nextlabel_connectors.doccano.project import Content, DoccanoProject, Given


def show(client: DoccanoClient, project: DoccanoProject, task: str, wanted: dict[Content, float]) -> bool:
    """Put these pre-annotations in the place of ours on a task; False, and nothing shown, where doccano refuses one.

    Where a person has given a label or confirmed the task nothing is done. Of a single choice doccano removes all other
    labels as it takes one, so that ours is changed rather than given again.
    """
    standing = _ours(client, project, task)
    if standing is None:
        return True
    spare = [one for one in standing if one.content not in wanted]
    lacking = [one for one in wanted if one not in {given.content for given in standing}]
    try:
        while project.single and spare and lacking:
            content = lacking.pop()
            client.patch(project.path(task, spare.pop().id), project.body(content, wanted[content]))
        _remove(client, project, task, spare)
        for content in lacking:
            client.post(project.path(task), project.body(content, wanted[content]))
    except Refused:
        hide(client, project, task)
        return False
    except NotFound:  # somebody has removed it meanwhile, or the task
        return True
    return True


def hide(client: DoccanoClient, project: DoccanoProject, task: str) -> int:
    """Remove ours; where a person has given a label or confirmed the task too, they saw ours and it stays."""
    ours = _ours(client, project, task) or ()
    _remove(client, project, task, ours)
    return len(ours)


def _ours(client: DoccanoClient, project: DoccanoProject, task: str) -> tuple[Given, ...] | None:
    """The pre-annotations on a task; None where a person has had a hand in it, or it is gone."""
    try:
        standing = project.labels_on(client, task)
        touched = as_row(client.get(f"examples/{task}")).get("is_confirmed") is not False
    except NotFound:
        return None
    return None if touched or not all(one.is_guess for one in standing) else standing


def _remove(client: DoccanoClient, project: DoccanoProject, task: str, given: Sequence[Given]) -> None:
    for one in given:
        try:
            client.delete(project.path(task, one.id))
        except NotFound:
            continue
