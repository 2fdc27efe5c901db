"""Audit tasks on a real Label Studio: nobody can tell them from others, and they measure the accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from e2e.test_the_loop import label_next, learned
from nextlabel.labeling import ProjectId, TaskId
from nextlabel.testing.installation import Nextlabel
from nextlabel.testing.waiting import CEILING_SECONDS, wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer

SCREENSHOTS = Path(".cache/screenshots")
_TASKS, _FIRST, _LABELS = 200, 20, 90


def test_audit_tasks_look_like_others_and_the_accuracy_is_measured_on_them(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: Callable[..., int]
) -> None:
    project = connected(_TASKS, "audit_share=0.1", "show_predictions=always", "quiet_seconds=3", "max_wait_seconds=600")
    given = [label_next(owner, project)[0] for _ in range(_FIRST)]
    wait_for(learned(nextlabel, project, _FIRST))  # from here on there are answers to be right or wrong
    given += [label_next(owner, project)[0] for _ in range(_LABELS - _FIRST)]
    wait_for(learned(nextlabel, project, _LABELS))
    reserved = nextlabel.parts().reserves.tasks(ProjectId(str(project)))
    assert len(reserved) == 40
    audited = len(reserved.intersection(given))
    assert 9 <= audited <= 32, "one in five"

    order = served(owner, project)
    is_audit = [task in reserved for task, _ in order]
    is_blank = [not prediction["result"] for _, prediction in order]
    assert all(one["score"] < other["score"] for (_, one), (_, other) in pairwise(order))
    # Of five places two are blank, one of them an audit. Audits beyond that, behind the last ranked task, are alone.
    assert sum(is_blank) == sum(is_audit) + min(sum(is_audit), len(order) // 5)
    assert all(blank for blank, audit in zip(is_blank, is_audit, strict=True) if audit)
    tasks = {TaskId(str(task["id"])): task for task in owner.open_tasks(project)}
    assert guesses(nextlabel, project, [tasks[task] for task, _ in order]) == [not blank for blank in is_blank]

    (overview,) = nextlabel.parts().overview.projects(str(project))
    for name in ("accuracy", "accuracy_of_answers"):
        found = overview[name]["label"]
        assert found["low"] <= found["value"] <= found["high"]
    assert overview["accuracy"]["label"]["n"] == audited
    assert overview["accuracy"]["label"]["high"] > 0.9
    assert "accuracy on all tasks" in nextlabel.command("status").stdout


def served(owner: LabelStudioPerson, project: int) -> list[tuple[TaskId, dict[str, Any]]]:
    """The open tasks of the order in force, first to last, each with its prediction."""
    version = owner.project(project)["model_version"]
    found = [(task, one) for task in owner.open_tasks(project) for one in task["predictions"]]
    in_force = [(TaskId(str(task["id"])), one) for task, one in found if one["model_version"] == version]
    return sorted(in_force, key=lambda pair: float(pair[1]["score"]))


def guesses(nextlabel: Nextlabel, project: int, tasks: list[dict[str, Any]]) -> list[bool]:
    """Whether nextlabel, asked as the ML backend, guesses anything about each of these tasks."""
    (connection,) = [one for one in nextlabel.parts().connections.all() if one.project == str(project)]
    config = nextlabel.parts().open_connector(connection).label_schema().source
    body = {"project": f"{project}.1700000000", "label_config": config, "tasks": tasks}
    with nextlabel.http() as http:
        answer = http.post("/predict", json=body)
    assert answer.is_success, answer.text
    return [bool(one["result"]) for one in answer.json()["results"]]


@pytest.fixture
def annotator(chromium: Browser, label_studio: LabelStudioServer) -> Iterator[BrowserContext]:
    """A browser in which somebody is signed in who only labels."""
    person = label_studio.sign_up("looks-closely@example.com")
    context = chromium.new_context(viewport={"width": 1280, "height": 620})
    context.set_default_timeout(1_000 * CEILING_SECONDS)
    context.add_cookies([{"name": k, "value": v, "url": label_studio.url} for k, v in person.cookies.items()])
    yield context
    context.close()


_SHOWN = """root => {
  const plain = text => text.replace(/note \\d+.*/, "its text").replace(/.* ago/, "lately").replace(/\\d+/g, "0");
  const words = element => [...element.childNodes].filter(one => one.nodeType === 3).map(one => plain(one.data));
  const known = element => [element.tagName, element.getAttribute("class"), plain(element.title || ""),
    element.checked || false, element.disabled || false, ...words(element)];
  const shown = one => one.checkVisibility() && !one.closest("[class*=lsf-table]");
  return [...root.querySelectorAll("*")].filter(shown).map(known);
}"""
"""Of each element that is shown: what it is, how it looks, and its own words, but for the task's text, when
something was, and numbers. The list of tasks is left out: it is rolled to wherever the task stands."""


@pytest.mark.everything
def test_in_the_editor_an_audit_task_looks_like_a_blank_ranked_one(
    nextlabel: Nextlabel,
    label_studio: LabelStudioServer,
    owner: LabelStudioPerson,
    connected: Callable[..., int],
    annotator: BrowserContext,
) -> None:
    project = connected(60, "audit_share=0.1", "show_predictions=always")
    for _ in range(12):
        label_next(owner, project)
    wait_for(learned(nextlabel, project, 12))
    reserved = nextlabel.parts().reserves.tasks(ProjectId(str(project)))
    order = served(owner, project)
    kinds = {"audit": (True, True), "blank": (False, True), "guessed": (False, False)}
    chosen = {
        name: next(task for task, one in order if (task in reserved, not one["result"]) == kind)
        for name, kind in kinds.items()
    }
    address = f"{label_studio.url}/projects/{project}/data?task="
    for _ in range(6):  # the editor puts parts of itself on the page when it gets round to it
        seen = {name: looks(annotator, address + task, name) for name, task in chosen.items()}
        assert len(seen["audit"]) > 50
        assert seen["audit"] != seen["guessed"], "a guess would be seen"
        if seen["audit"] == seen["blank"]:
            return
    assert seen["audit"] == seen["blank"]


def looks(annotator: BrowserContext, address: str, name: str) -> list[Any]:
    """What is shown of a task when it is opened in the Data Manager."""
    page = annotator.new_page()
    try:
        page.goto(address)
        expect(page.get_by_role("button", name="Submit").first).to_be_visible()
        expect(page.get_by_text("note ").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=SCREENSHOTS / f"audits-{name}.png")
        return list(page.locator("body").evaluate(_SHOWN))
    finally:
        page.close()
