"""Reading a tool: what changed since the cursor, and from time to time everything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nextlabel.features.work import Progress
from nextlabel.labeling import ProjectId
from nextlabel.learning.outside import Outside
from nextlabel.ports.state import LabelStore
from nextlabel.ports.tool import Connector


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of a pull: how many tasks changed, and whether open ones appeared.

    ``again`` is whether all were read, though they had been before; ``outside`` is what another model says of tasks,
    where they are to be ordered by that.
    """

    changed: int
    appeared: bool
    again: bool
    outside: Outside | None = None


def pull(
    connector: Connector,
    store: LabelStore,
    project: ProjectId,
    *,
    whole: bool,
    full_every: timedelta,
    progress: Progress,
) -> Pulled:
    """Store what changed; everything where that was not done for ``full_every``, or somebody wants it.

    A cursor passes over what changes without a trace: a tool whose database was restored from a backup, or an
    annotation that was deleted there by hand. ``whole`` as in `Connector.changed_tasks`. Raises what the connector
    raises; what was stored until then stays.
    """
    since, started = store.cursor(project), datetime.now(UTC)
    full = since is None or _is_due(store.full_pull_at(project), started, full_every)
    changed, appeared = 0, False
    for page in connector.changed_tasks(None if full else since, whole=whole):
        still_open = {seen.task.id for seen in page.tasks if not seen.closed}
        appeared = appeared or len(store.known(project, still_open)) < len(still_open)
        store.apply(project, page)
        changed += len(page.tasks) + sum(one.annotation is None for one in page.unreadable)
        progress("sync", changed)
    vanished = connector.vanished_tasks(store.task_ids(project))
    if vanished:
        store.forget_tasks(project, vanished)
    store.note_pull(project, started)
    if full:
        store.note_full_pull(project, started)
    return Pulled(changed + len(vanished), appeared, full and since is not None)


def _is_due(last: datetime | None, now: datetime, every: timedelta) -> bool:
    """Also where the last one lies in the future: then the clock was set back."""
    return last is None or not timedelta(0) <= now - last < every
