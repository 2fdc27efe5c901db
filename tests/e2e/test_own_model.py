"""A team's own model on a real Label Studio: files written for label-studio-ml, served, taught, and in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.kinds import KINDS, REGIONS
from e2e.running import SettingsPages
from e2e.test_every_kind import assert_served_in_order, assert_shown_and_right, taught
from everything import representing
from label_studio_sdk_beside import LIKE_2_X, search_path
from nextlabel.labeling import ProjectId
from nextlabel.testing.installation import Nextlabel, findings, running
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from postgres import NewStore

HERE = Path(__file__).parent
OF_TEXTS = HERE.parent / "integration" / "models"


@pytest.fixture(scope="module")
def nextlabel(tmp_path_factory: pytest.TempPathFactory, new_store: NewStore) -> Iterator[Nextlabel]:
    """As a team starts it that has several models, the first of which is for projects that do not say otherwise."""
    models = (
        f"boxes={HERE}/models/boxes.py:Boxes",
        f"careless={HERE}/models/boxes.py:Careless",
        f"one={OF_TEXTS}/one_x.py:TextClassifier",
        f"two={OF_TEXTS}/two_x.py:TextClassifier",
        f"failing={OF_TEXTS}/raising.py:Obedient",
        "linear=sklearn.linear_model.LogisticRegression",
    )
    folder = tmp_path_factory.mktemp("nextlabel")
    with running(folder, *(part for model in models for part in ("--model", model)), **new_store()) as one:
        yield one


@pytest.mark.everything
def test_regions_by_a_model_of_the_teams_own_are_taught_shown_and_in_its_order(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    project, number = taught(REGIONS, 30, 8, nextlabel, label_studio)
    assert_shown_and_right(REGIONS, project, number, nextlabel, label_studio)
    assert_served_in_order(REGIONS, project, number, nextlabel, owner)


@pytest.mark.parametrize("model", representing(["one", "two", "linear"], {"one", "linear"}))
def test_a_model_of_either_interface_or_of_scikit_learn_serves_is_fitted_by_the_worker_and_orders_the_queue(
    model: str, nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    kind = KINDS["single choice"]
    project, number = taught(kind, 30, 12, nextlabel, label_studio, f"model={model}")
    assert nextlabel.trained(project)[-1].learner.startswith(f"{model} ")
    assert_shown_and_right(kind, project, number, nextlabel, label_studio)
    assert_served_in_order(kind, project, number, nextlabel, owner)
    # … and Label Studio's own way to ask a model gets the same one.
    SettingsPages(label_studio.legacy_access).retrieve_predictions(project)
    version = nextlabel.queues(project)[0].version
    assert owner.predictions_held(project)[version] >= 18


def test_what_label_studio_does_not_take_of_a_models_predictions_costs_no_task_its_place(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    project = owner.create_project("careless", REGIONS.config)
    owner.import_tasks(project, [dict(REGIONS.data(n)) for n in range(12)])
    done = nextlabel.connect(
        project, label_studio.legacy_access, "model=careless", "cold_start=0", "show_predictions=always"
    )
    findings(done)
    assert "12 tasks in order, 9 of them with nothing shown" in " ".join(done.stderr.split())
    queue = nextlabel.queues(project)[0]
    assert len(queue.window) == 12
    assert owner.predictions_held(project)[queue.version] == 12
    for expected in queue.window[:3]:
        task = owner.next_task(project)
        assert task is not None
        assert str(task["id"]) == expected
        owner.skip(task["id"])


@pytest.mark.everything
def test_a_fit_that_fails_is_told_and_annotators_go_on(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    kind = KINDS["single choice"]
    project = owner.create_project("failing", kind.config)
    owner.import_tasks(project, [dict(kind.data(n)) for n in range(12)])
    findings(nextlabel.connect(project, label_studio.legacy_access, "model=failing"))
    served = nextlabel.queues(project)[0].version
    for _ in range(3):
        task = owner.next_task(project)
        assert task is not None
        assert served in [one["model_version"] for one in task["predictions"]]
        owner.submit(task["id"], "winter")
    rounds = nextlabel.parts().rounds
    failed = wait_for(lambda: [one for one in rounds.last(ProjectId(str(project)), 5) if one.failed])
    assert "cannot learn from 3 tasks" in failed[0].summary
    task = owner.next_task(project)
    assert task is not None
    assert served in [one["model_version"] for one in task["predictions"]]


@pytest.fixture(scope="module")
def beside_the_sdk(tmp_path_factory: pytest.TempPathFactory, new_store: NewStore) -> Iterator[Nextlabel]:
    """As a team starts it that has installed label-studio-sdk, and label-studio-ml 2.x, beside nextlabel."""
    folder = tmp_path_factory.mktemp("beside")
    models = (f"{name}={OF_TEXTS}/as_written.py:{name}" for name in ("AsksFurther", "Interactive"))
    found = {"PYTHONPATH": search_path(folder / "site", LIKE_2_X)}
    with running(folder, *(part for one in models for part in ("--model", one)), **found, **new_store()) as one:
        yield one


def test_a_model_that_fetches_its_labels_itself_gets_them_with_a_personal_access_token(
    beside_the_sdk: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    kind = KINDS["single choice"]
    project = owner.create_project("fetches", kind.config)
    owner.import_tasks(project, [dict(kind.data(n)) for n in range(6)])
    for task in owner.tasks(project)[:3]:
        owner.submit_result(task["id"], kind.answer(0))
    done = beside_the_sdk.connect(project, label_studio.personal_access, "model=AsksFurther")
    findings(done)
    assert "'AsksFurther' fitted" in " ".join(done.stderr.split()), (
        "it fails in its fit where Label Studio does not answer"
    )


def test_a_model_that_answers_only_with_a_context_is_connected_and_answers_in_the_editor_before_any_label(
    beside_the_sdk: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    kind = KINDS["single choice"]
    project = owner.create_project("interactive", kind.config)
    owner.import_tasks(project, [dict(kind.data(n)) for n in range(12)])
    findings(beside_the_sdk.connect(project, label_studio.personal_access, "model=Interactive"))
    queue = beside_the_sdk.queues(project)[0]
    assert len(queue.window) == 12
    task = owner.next_task(project)
    assert task is not None
    assert str(task["id"]) == queue.window[0]
    drawn = list(kind.answer(0))
    assert owner.ask_interactively(project, task["id"], {"result": drawn}) == drawn
