"""`nextlabel doctor` against installations and projects that are broken on purpose, on a real Label Studio."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from e2e.running import SettingsPages, texts
from e2e.test_the_loop import label_next, learned
from everything import representing
from nextlabel.labeling import ProjectId
from nextlabel.ports.tool import ToolAccess
from nextlabel.testing.installation import Nextlabel, findings, running
from nextlabel.testing.servers import free_port
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice
from postgres import NewStore


@dataclass
class Patient:
    """A connected project with a model, and the command that looks at it; ``environ`` is for the command alone."""

    nextlabel: Nextlabel
    owner: LabelStudioPerson
    pages: SettingsPages
    project: int
    environ: dict[str, str] = field(default_factory=dict)

    def doctor(self, *arguments: str) -> dict[str, Any]:
        done = self.nextlabel.command("doctor", "--project", self.name, "--json", *arguments, **self.environ)
        assert "Traceback" not in done.stderr, done.stderr
        if not done.stdout:  # it cannot even be looked at: the sentence says why
            return {"healthy": False, "symptoms": [{"name": "settings", "message": done.stderr}], "mended": []}
        found: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == int(any(one["level"] == "problem" for one in found["symptoms"]))
        return found

    @property
    def name(self) -> str:
        return str(self.project)

    def is_left_alone(self) -> bool:
        """Whether no turn is under way or will be soon."""
        redis = self.nextlabel.redis()
        return not (redis.zcount("nextlabel:due", "-inf", time.time() + 600) or redis.keys("nextlabel:lease:*"))

    def changed(self, **fields: Any) -> None:
        """Its connection, as we keep it."""
        connections = self.nextlabel.parts().connections
        connections.save(replace(connections.get(ProjectId(self.name)), **fields))

    def at(self, *, url: str = "", token: str = "") -> None:
        tool = self.nextlabel.parts().connections.get(ProjectId(self.name)).tool
        self.changed(tool=replace(tool, access=ToolAccess(url or tool.access.url, token or tool.access.token)))


@pytest.fixture(scope="module")
def patient(
    label_studio: LabelStudioServer,
    owner: LabelStudioPerson,
    settings_pages: SettingsPages,
    tmp_path_factory: pytest.TempPathFactory,
    new_store: NewStore,
) -> Iterator[Patient]:
    with running(tmp_path_factory.mktemp("doctor"), NEXTLABEL_RECONCILE_SECONDS="3600", **new_store()) as nextlabel:
        project = owner.create_project("patient", single_choice(("winter", "kitchen")))
        owner.import_tasks(project, [{"text": text} for text in texts(60)])
        findings(nextlabel.connect(project, label_studio.legacy_access, "quiet_seconds=0.3"))
        for _ in range(4):
            label_next(owner, project)
        wait_for(learned(nextlabel, project, 4))
        one = Patient(nextlabel, owner, settings_pages, project)
        # What Label Studio tells of its settings has the order mended at once, before anybody can look.
        one.changed(options=replace(options_of(one), quiet_seconds=3000.0, max_wait_seconds=3000.0))
        wait_for(one.is_left_alone, "until no turn is to come")
        wait_for(lambda: one.doctor()["healthy"], "for a healthy project")
        yield one


def without_model(one: Patient) -> None:
    (artifact,) = (one.nextlabel.home / "models" / one.name).glob(f"{one.nextlabel.trained(one.project)[-1].version}*")
    artifact.write_bytes(b"damaged")


def with_version_of_others(one: Patient) -> None:
    one.owner.import_predictions(one.project, "bert-v1", {one.owner.tasks(one.project)[0]["id"]: 0.5})
    one.owner.change_project(one.project, model_version="bert-v1")


def with_strategy_file(one: Patient) -> None:
    folder = one.nextlabel.home / "strategies"
    folder.mkdir(exist_ok=True)
    (folder / "ours.py").write_text("import no_such_module\n", encoding="utf-8")


Break = Callable[[Patient], object]
MENDED: Mapping[str, tuple[Break, str, str]] = {
    "the webhook was deleted": (lambda one: one.owner.remove_webhooks(one.project), "connection", "is gone"),
    "the webhook was switched off": (
        lambda one: one.pages.switch_webhooks(one.project, on=False),
        "connection",
        "is switched off",
    ),
    "the webhook's secret was changed": (
        lambda one: one.owner.change_webhooks(one.project, headers={"x-nextlabel-secret": "other"}),
        "connection",
        "lacks its secret",
    ),
    "the ML backend was deleted": (lambda one: one.owner.remove_ml_backends(one.project), "connection", "ML backend"),
    "the sampling was changed": (
        lambda one: one.owner.change_project(one.project, sampling="Sequential sampling"),
        "order",
        "none of nextlabel's",
    ),
    "another version was chosen": (
        with_version_of_others,
        "order",
        "annotators should get the order",
    ),
    "the model's file is damaged": (without_model, "model-lost", "lost or damaged"),
}
FOR_A_PERSON: Mapping[str, tuple[Break, Break, str, str]] = {
    "it is paused": (
        lambda one: one.nextlabel.command("pause", "--project", one.name),
        lambda one: one.nextlabel.command("resume", "--project", one.name),
        "project-paused",
        "nextlabel resume",
    ),
    "its token was revoked": (
        lambda one: one.at(token="0" * 40),
        lambda one: one.at(token=one.pages.access.token),
        "tool-refuses",
        "token",
    ),
    "the tool is down": (
        lambda one: one.at(url=f"http://127.0.0.1:{free_port()}"),
        lambda one: one.at(url=one.pages.access.url),
        "tool-down",
        "127.0.0.1",
    ),
    "the project is gone": (
        lambda one: one.changed(at_tool="999999"),
        lambda one: one.changed(at_tool=one.name),
        "project-gone",
        "no project 999999",
    ),
    "a strategy's file is broken": (
        with_strategy_file,
        lambda one: (one.nextlabel.home / "strategies" / "ours.py").unlink(),
        "strategy-file",
        "no_such_module",
    ),
    "its strategy is gone": (
        lambda one: one.changed(options=replace(options_of(one), strategy="ours")),
        lambda one: one.changed(options=replace(options_of(one), strategy="margin")),
        "strategy",
        "'ours'",
    ),
    "the embeddings are gone": (
        lambda one: one.environ.update(NEXTLABEL_EMBEDDINGS="/no/such/folder"),
        lambda one: one.environ.clear(),
        "embeddings",
        "/no/such/folder",
    ),
    "a model of the team's own is gone": (
        lambda one: one.environ.update(NEXTLABEL_MODEL="own=/no/such/file.py:Model"),
        lambda one: one.environ.clear(),
        "own-model",
        "/no/such/file.py",
    ),
    "Redis is somewhere else": (
        lambda one: one.environ.update(REDIS_URL=f"redis://127.0.0.1:{free_port()}"),
        lambda one: one.environ.clear(),
        "redis-stopped",
        "REDIS_URL",
    ),
    "a disk is full": (
        lambda one: one.nextlabel.parts().alarms.raise_("Nothing can be written to /state (No space left on device)."),
        lambda one: one.nextlabel.parts().alarms.clear(),
        "nothing-can-be-written",
        "No space left",
    ),
    "a setting is wrong": (
        lambda one: one.environ.update(NEXTLABEL_RECONCILE_SECONDS="often"),
        lambda one: one.environ.clear(),
        "settings",
        "NEXTLABEL_RECONCILE_SECONDS",
    ),
}


def options_of(one: Patient) -> Any:
    return one.nextlabel.parts().connections.get(ProjectId(one.name)).options


@pytest.mark.parametrize("case", representing(MENDED, set(MENDED) - {"the webhook was deleted"}))
def test_what_can_be_mended_is_named_and_mended(patient: Patient, case: str) -> None:
    break_it, name, says = MENDED[case]
    break_it(patient)
    found = patient.doctor()["symptoms"]
    assert [one["name"] for one in found] == [name], found
    assert says in found[0]["message"]
    assert found[0]["mend"]
    mended = patient.doctor("--mend")["mended"]
    assert [one["outcome"] for one in mended] == ["done"]
    wait_for(lambda: patient.doctor()["healthy"], "until it is mended")


@pytest.mark.parametrize("case", representing(FOR_A_PERSON, set(FOR_A_PERSON) - {"its token was revoked"}))
def test_what_only_a_person_can_mend_is_named_with_its_cause(patient: Patient, case: str) -> None:
    break_it, heal, name, says = FOR_A_PERSON[case]
    break_it(patient)
    try:
        found = patient.doctor("--mend")
        named = [one for one in found["symptoms"] if one["name"] == name and says in one["message"]]
        assert named, found
        assert not found["mended"], found
        assert patient.pages.access.token not in json.dumps(found)
    finally:
        heal(patient)
    wait_for(lambda: patient.doctor()["healthy"], "until it is healed")


def test_an_installation_that_was_stopped_is_no_mystery(tmp_path: Path, new_store: NewStore) -> None:
    with running(tmp_path, **new_store()) as nextlabel, suppress(ProcessLookupError):
        nextlabel.stop()
        done = nextlabel.command("doctor")
    assert done.returncode == 1
    assert "nextlabel up" in done.stdout
    assert "No project is connected" in done.stdout
