"""A loop in a process of its own, on a disk that fills up, becomes read-only, or takes no larger files, and is mended.

``python filling.py HOW HOME REDIS_URL``, where HOW is ``full`` or ``read-only`` (HOME is then a mount of its own that
this process may change) or ``limited``. It prints what happened as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from nextlabel import wiring
from nextlabel.labeling import ProjectId
from nextlabel.options import ProjectOptions
from nextlabel.service import discovery
from nextlabel.settings import Settings
from nextlabel.testing import connection_to
from nextlabel.web import create_app
from nextlabel_connectors.memory import MemoryConnectorType, MemoryTool
from nextlabel_connectors.memory.tool import TARGET


def full(home: Path) -> Callable[[], None]:
    filler = home / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**16, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue
    return filler.unlink


def read_only(home: Path) -> Callable[[], None]:
    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(home)], check=True)

    remount("ro")
    return lambda: remount("rw")


def limited(home: Path) -> Callable[[], None]:
    """No file may grow beyond a size that each of them has already."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


HOWS: Mapping[str, Callable[[Path], Callable[[], None]]] = {"full": full, "read-only": read_only, "limited": limited}


def main(how: str, home: Path, redis_url: str) -> dict[str, object]:
    settings = Settings.from_env({"NEXTLABEL_HOME": str(home), "REDIS_URL": redis_url, "NEXTLABEL_CONNECTOR": "memory"})
    tool = MemoryTool()
    discovery.connector_type = lambda name: MemoryConnectorType(tool)
    parts = wiring.build(settings, redis_url)
    parts.database.migrate()
    project = tool.create_project(["ham", "spam"])
    connection = connection_to(project, "memory", tool.access, ProjectOptions(cold_start=0))
    parts.connections.save(connection)
    ours = connection.project
    tasks = tool.add_tasks(project, [f"{'win a prize' if n % 2 else 'see you at four'} number {n}" for n in range(60)])
    client = create_app(parts.service).test_client()

    def label(places: range) -> None:
        for n in places:
            tool.submit(project, tasks[n], "spam" if n % 2 else "ham", "ann")

    def health() -> tuple[int, str]:
        parts.alarms._looked_at = float("-inf")
        answer = client.get("/health")
        return answer.status_code, json.loads(answer.data).get("error", "")

    label(range(12))
    before = parts.turns.take(ours)
    served = served_by(parts, ours)
    mend = HOWS[how](home)
    label(range(12, 30))
    during = [parts.turns.take(ours) for _ in range(3)]
    alarm, still_served, unwell = parts.alarms.check(), served_by(parts, ours), health()
    mend()
    after = parts.turns.take(ours)
    record = parts.models.in_service(ours, with_labels=True)
    with closing(sqlite3.connect(home / "nextlabel.db")) as database:
        sound = database.execute("PRAGMA integrity_check").fetchone()[0]
    return {
        "before": before,
        "during": during,
        "alarm": alarm,
        "unwell": unwell,
        "served": [served, still_served],
        "after": after,
        "well": health(),
        "learned": {task: printed[TARGET] for task, printed in record.trained_on.items()} if record else {},
        "given": {task: "spam" if n % 2 else "ham" for n, task in enumerate(tasks[:30])},
        "sound": sound,
    }


def served_by(parts: wiring.Parts, project: ProjectId) -> str:
    return parts.service.in_service(project).version


if __name__ == "__main__":
    logging.disable()
    os.umask(0o077)
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))  # noqa: T201
