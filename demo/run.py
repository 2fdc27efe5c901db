"""The demo from start to end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from demo.annotator import Annotator, Labeling
from demo.display import Display, Login, Progress
from demo.errors import DemoFailed
from demo.mails import Mail, read_mails
from demo.report import Report
from demo.servers import Nextlabel, OwnLabelStudio
from demo.signals import ignore_signals
from demo.stage import OrderInForce, Project, connect, create_project, label_studio_version
from demo.watch import Examiner, Watch
from demo.yardstick import Yardstick
from nextlabel.testing.servers import free_port
from nextlabel_connectors.label_studio.testing import LabelStudioPerson

OUTPUT = Path(".cache") / "demo"
_LEARNED_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Servers:
    """Both servers, running."""

    label_studio: OwnLabelStudio
    nextlabel: Nextlabel


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that the simulation needs, in place."""

    servers: Servers
    project: Project
    login: Login
    watch: Watch
    annotator: Annotator
    random: Yardstick
    label_studio_version: str


@contextmanager
def servers(display: Display, port: int | None, label_studio_port: int | None) -> Iterator[Servers]:
    """Start both with data of their own; whatever happens, end both and remove the data."""
    with ExitStack() as stack:
        label_studio = OwnLabelStudio(port=label_studio_port)
        home = stack.enter_context(TemporaryDirectory(prefix="nextlabel-demo-", ignore_cleanup_errors=True))
        nextlabel = Nextlabel(Path(home) / "nextlabel", port or free_port())
        stack.callback(label_studio.close)
        stack.callback(nextlabel.stop)
        stack.callback(ignore_signals)  # comes first: nothing may interrupt the others
        try:
            nextlabel.start()
            with display.step("Starting Label Studio", f"Label Studio is up on {label_studio.url}"):
                label_studio.start()
            with display.step("Starting nextlabel", f"nextlabel is up on {nextlabel.url}"):
                nextlabel.wait_until_healthy()
            yield Servers(label_studio, nextlabel)
        except Exception:
            _keep_logs(nextlabel.log, label_studio.log)
            raise


@contextmanager
def stage(display: Display, running: Servers, labels: int) -> Iterator[Stage]:
    """The project made and connected, the watch looking, the random orders being worked out."""
    pool, held_out = read_mails()
    random = Yardstick(labels)
    random.start()
    try:
        project, login = _open_project(display, running, pool)
        order = OrderInForce(running.label_studio.database, project.id)
        credentials = running.nextlabel.command("credentials")
        examiner = Examiner(running.nextlabel.url, credentials, project.name, held_out)
        watch = Watch(order, examiner, running.nextlabel.parts(), project.name, display.examined)
        watch.start()
        try:
            person = running.label_studio.sign_up("simulated.annotator@example.org")
            version = label_studio_version(running.label_studio.url)
            yield Stage(running, project, login, watch, Annotator(person, project, order), random, version)
        finally:
            watch.stop()
    finally:
        random.stop()


def simulate(display: Display, stage: Stage, labels: int) -> Report:
    """Label that many tasks, wait until the last label is learned, and report."""
    started = time.monotonic()
    labelings: list[Labeling] = []
    progress = Progress(labels, labelings, stage.watch.examined, stage.random, started)
    with display.labeling(progress):
        while len(labelings) < labels:
            _check(stage)
            labeled = stage.annotator.label_one()
            if labeled is None:
                raise DemoFailed(f"Label Studio has no task left after {len(labelings)} labels.")
            labelings.append(labeled)
        _wait_until_learned(stage, labelings)
    if not stage.random.done:
        with display.step("Working out the random orders", "Random orders are worked out"):
            while not stage.random.done:
                time.sleep(0.1)
    return Report(
        tasks=len(stage.project.mails),
        labelings=labelings,
        switches=list(stage.watch.switches),
        examined=list(stage.watch.examined),
        learned=stage.watch.learned(),
        random=list(stage.random.points),
        label_studio_version=stage.label_studio_version,
        seconds=time.monotonic() - started,
    )


def stay(stage: Stage) -> None:
    """Keep everything up for a person until a signal ends it."""
    while True:
        _check(stage)
        time.sleep(0.5)


def _open_project(display: Display, running: Servers, pool: list[Mail]) -> tuple[Project, Login]:
    server = running.label_studio
    owner: LabelStudioPerson = server.owner
    with display.step(f"Importing {len(pool)} mails", f"{len(pool)} real e-mails imported, without their labels"):
        project = create_project(owner, pool)
    with display.step("nextlabel connect", "nextlabel connect: the queue is in order"):
        findings = connect(running.nextlabel, server, project)
    for finding in findings:
        display.line(finding["level"], f"  {finding['message']}")
    login = Login(f"{server.url}/projects/{project.id}", server.email, server.password)
    display.login(login)
    return project, login


def _wait_until_learned(stage: Stage, labelings: list[Labeling]) -> None:
    """Until the order in force is by a model that has learned every label, and that model has been measured."""
    tasks = [one.task for one in labelings]
    deadline = time.monotonic() + _LEARNED_SECONDS
    while time.monotonic() < deadline:
        _check(stage)
        in_force = stage.watch.in_force()
        if stage.watch.learned().settled(tasks, in_force) and stage.watch.has_examined(in_force):
            return
        time.sleep(0.2)
    tail = stage.servers.nextlabel.log_tail()
    raise DemoFailed(f"The last label was not learned in {_LEARNED_SECONDS:.0f} s. nextlabel's log ends:\n{tail}")


def _check(stage: Stage) -> None:
    stage.servers.nextlabel.check()
    stage.watch.check()


def _keep_logs(*logs: Path) -> None:
    """What the servers said, kept for whoever looks for the cause."""
    for log in logs:
        if log.exists():
            OUTPUT.mkdir(parents=True, exist_ok=True)
            shutil.copy(log, OUTPUT / log.name)
