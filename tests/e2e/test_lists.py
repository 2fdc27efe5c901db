"""Links from the pages to some tasks of a real Label Studio: it lists exactly these, and keeps nothing."""

from __future__ import annotations

import re
from itertools import islice

import pytest
from playwright.sync_api import Browser

from nextlabel.labeling import AnnotationId, ToolProjectId
from nextlabel.ports.tool import TaskList, ToolAccess
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.label_studio import CONNECTOR
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice

_TASKS, _LABELED = 14, 12


@pytest.fixture(scope="module")
def owner(label_studio: LabelStudioServer) -> LabelStudioPerson:
    return label_studio.owner


def test_a_link_to_some_tasks_lists_exactly_these_and_makes_no_tab(
    label_studio: LabelStudioServer, owner: LabelStudioPerson, chromium: Browser
) -> None:
    project = owner.create_project("lists", single_choice(("winter", "kitchen")))
    owner.import_tasks(project, [{"text": f"note {n}"} for n in range(_TASKS)])
    tasks = sorted(int(one["id"]) for one in owner.tasks(project))
    given = {task: AnnotationId(str(owner.submit(task, "winter"))) for task in islice(tasks, _LABELED)}
    some = {tasks[1], tasks[4], tasks[_LABELED - 1]}
    lists = (
        (TaskList('suspected "&<b> labels', annotations=[given[task] for task in some]), some),
        (TaskList("labeled"), set(given)),
        (TaskList("not labeled", labeled=False), set(tasks) - set(given)),
        (TaskList("none", annotations=[]), set[int]()),
    )
    with chromium.new_context() as context:
        context.add_cookies([{"name": k, "value": v, "url": label_studio.url} for k, v in owner.cookies.items()])
        for listed, expected in lists:
            page = context.new_page()
            address = CONNECTOR.list_page(ToolAccess(label_studio.url), ToolProjectId(str(project)), listed)
            with page.expect_response(re.compile(r"/api/tasks\?"), timeout=1000 * CEILING_SECONDS) as answered:
                page.goto(address)
            # What the page asked for is asked for again: it may have gone on before its answer could be read.
            found = context.request.get(answered.value.url).json()["tasks"]
            assert {one["id"] for one in found} == expected, listed.title
            page.close()
    assert [tab["data"]["title"] for tab in owner.tabs(project)] == []
