"""A connector to a labeling tool of your own: here one that keeps projects in one SQLite file, and serves by `place`.

The core of a connector is six methods and `order`; every promise stands in `nextlabel.ports.tool.Connector`. What is
written here is held to `CoreContract` by tests/unit/test_documentation.py. In a package of your own an entry point
makes it known:

    [project.entry-points."nextlabel.connectors"]
    sqlite_tool = "own_connector:CONNECTOR"
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from nextlabel.errors import ProjectGone, ToolUnavailable
from nextlabel.labeling import (
    Annotation,
    AnnotationId,
    Cursor,
    Input,
    LabelSchema,
    Prediction,
    QueueVersion,
    Target,
    Task,
    TaskId,
    ToolProjectId,
)
from nextlabel.labeling.ranking import Ranking
from nextlabel.ports.tool import ChangePage, Connector, LivePriority, QueueReceipt, TaskSeen, ToolAccess

TABLES = """
CREATE TABLE projects (name TEXT PRIMARY KEY, field TEXT, labels TEXT, serves TEXT);
CREATE TABLE tasks (id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT, text TEXT, changed INTEGER);
CREATE TABLE annotations (task INTEGER, by TEXT, label TEXT, at TEXT, PRIMARY KEY (task, by));
CREATE TABLE places (project TEXT, version TEXT, task INTEGER, place INTEGER, PRIMARY KEY (project, version, task));
CREATE INDEX changes ON tasks (project, changed);
"""
"""The tool's own: `changed` grows with every change of a task or its annotations, whoever makes it."""
QUEUE = """
SELECT tasks.id FROM tasks JOIN projects ON projects.name = tasks.project
LEFT JOIN places ON places.project = tasks.project AND places.version = projects.serves AND places.task = tasks.id
WHERE tasks.project = ? AND NOT EXISTS (SELECT 1 FROM annotations WHERE task = tasks.id)
ORDER BY places.place IS NULL, places.place, tasks.id LIMIT ?
"""
"""How the tool serves: by the version that is switched on, then by age."""
_PAGE, _HEAD = 500, 5


class SqliteConnector:
    """The way to one project in the file."""

    def __init__(self, path: Path, project: ToolProjectId) -> None:
        self._path, self._project = path, project

    @property
    def order(self) -> LivePriority:
        return LivePriority()

    def label_schema(self) -> LabelSchema:
        with self._opened() as tool:
            field, labels = tool.execute(
                "SELECT field, labels FROM projects WHERE name = ?", [self._project]
            ).fetchone()
        target = Target("label", "choice", (Input(field),), tuple(json.loads(labels)))
        return LabelSchema((target,), shown=target.inputs)

    def changed_tasks(self, since: Cursor | None, *, whole: bool = False) -> Iterator[ChangePage]:
        """A task that changes while pages are read comes again, with a later page; none is missed."""
        cursor = int(since or 0)
        with self._opened() as tool:
            field = tool.execute("SELECT field FROM projects WHERE name = ?", [self._project]).fetchone()[0]
        while True:
            with self._opened() as tool:
                rows = tool.execute(
                    "SELECT id, text, changed FROM tasks WHERE project = ? AND changed > ? ORDER BY changed LIMIT ?",
                    [self._project, cursor, _PAGE],
                ).fetchall()
                seen = tuple(self._seen(tool, TaskId(str(key)), {field: text}) for key, text, _ in rows)
            if not rows:
                return
            cursor = rows[-1][2]
            yield ChangePage(seen, Cursor(str(cursor)))

    def vanished_tasks(self, known: Collection[TaskId]) -> Collection[TaskId]:
        with self._opened() as tool:
            return set(known) - self._there(tool)

    def place(
        self,
        version: QueueVersion,
        window: Ranking,
        predictions: Iterable[Prediction],  # this tool shows none
        *,
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        """Written beside the order in force first; the switch is one statement, which `may_switch` may prevent."""
        with self._opened() as tool:
            there = self._there(tool)
            tasks = [task for task in window.task_ids() if task in there]
            rows = [(self._project, version, int(task), place) for place, task in enumerate(tasks)]
            tool.execute("DELETE FROM places WHERE project = ? AND version = ?", [self._project, version])
            tool.executemany("INSERT INTO places VALUES (?, ?, ?, ?)", rows)
        may_switch()
        with self._opened() as tool:
            tool.execute("UPDATE projects SET serves = ? WHERE name = ?", [version, self._project])
        head = tuple(self.head_of_queue(_HEAD))  # the proof: as the tool serves it now
        vanished = tuple(task for task in window.task_ids() if task not in there)
        return QueueReceipt(version, len(tasks), vanished, head)

    def queue_in_force(self, *, standing: int = 1) -> QueueVersion | None:
        with self._opened() as tool:
            version, places = tool.execute(
                "SELECT serves, (SELECT count(*) FROM places JOIN tasks ON tasks.id = places.task"
                " WHERE places.project = name AND version = serves) FROM projects WHERE name = ?",
                [self._project],
            ).fetchone()
        return QueueVersion(version) if version and places >= standing else None

    def head_of_queue(self, n: int) -> Sequence[TaskId]:
        with self._opened() as tool:
            return [TaskId(str(key)) for (key,) in tool.execute(QUEUE, [self._project, n])]

    def _seen(self, tool: sqlite3.Connection, task: TaskId, data: dict[str, object]) -> TaskSeen:
        given = tool.execute("SELECT by, label, at FROM annotations WHERE task = ? ORDER BY at", [int(task)])
        labels = tuple(Annotation(AnnotationId(f"{task}:{by}"), {"label": label}, at, by=by) for by, label, at in given)
        return TaskSeen(Task(task, data), labels, closed=bool(labels))

    def _there(self, tool: sqlite3.Connection) -> set[TaskId]:
        return {TaskId(str(key)) for (key,) in tool.execute("SELECT id FROM tasks WHERE project = ?", [self._project])}

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """One transaction; what goes wrong becomes one of the errors that the loop knows."""
        if not self._path.is_file():
            raise ToolUnavailable(f"There is no file {self._path}: start the tool, or correct the address.")
        try:
            with closing(sqlite3.connect(self._path, timeout=10)) as tool, tool:
                if not tool.execute("SELECT 1 FROM projects WHERE name = ?", [self._project]).fetchone():
                    raise ProjectGone(f"{self._path} has no project {self._project!r}: see that it is named as there.")
                yield tool
        except sqlite3.Error as error:
            raise ToolUnavailable(f"{self._path} cannot be used now: {error}.") from error


class SqliteConnectorType:
    """What nextlabel asks of a kind of tool."""

    title = "A tool in one SQLite file"
    address = "the path of the file"
    token = ""
    webhooks = None
    ml_backend = None

    def open(self, access: ToolAccess, project: ToolProjectId) -> Connector:
        return SqliteConnector(Path(access.url), project)


CONNECTOR = SqliteConnectorType()


def main() -> list[str]:
    """A project of two tasks, put into another order."""
    import tempfile

    from nextlabel.labeling.ranking import RankedTask

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tool.db"
        with closing(sqlite3.connect(path)) as tool, tool:
            tool.executescript(TABLES)
            tool.execute("INSERT INTO projects VALUES ('mails', 'text', '[\"ham\", \"spam\"]', NULL)")
            tool.executemany("INSERT INTO tasks (project, text, changed) VALUES ('mails', ?, ?)", [("a", 1), ("b", 2)])
        connector = CONNECTOR.open(ToolAccess(str(path)), ToolProjectId("mails"))
        ranking = Ranking((RankedTask(TaskId("2"), 0.9), RankedTask(TaskId("1"), 0.1)), "by hand")
        return list(connector.place(QueueVersion("nextlabel-1"), ranking, []).head)


if __name__ == "__main__":
    print(*main())
