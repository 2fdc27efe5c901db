"""The people around a labeling tool, played for tests: they make projects, label, and pull the plug."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from nextlabel.labeling import AnnotationId, QueueVersion, TaskId, ToolProjectId
from nextlabel.ports.requests import WebhookRequest, Webhooks
from nextlabel.ports.tool import Callback, Connector, Scores

Annotator = Literal["ann", "ben"]
"""Two people with an account each in the tool; neither is the account whose token the connector uses."""


@dataclass(frozen=True, slots=True)
class Served:
    """A task as an annotator gets it: the labels that are shown with it before anything is chosen."""

    task: TaskId
    shown: tuple[str, ...]


class ToolHarness(Protocol):
    """Plays the people of one labeling tool, through the ways that people use.

    It is what the contract knows of a tool. Nothing here may go through the connector under test, except that
    `connector` and `stranger` make one. Projects are never shared between tests.
    """

    def create_project(self, labels: Sequence[str], field: str) -> ToolProjectId:
        """A new empty project: choose exactly one of the labels for the text in that field; one label per task."""

    def add_tasks(self, project: ToolProjectId, texts: Sequence[str]) -> Sequence[TaskId]:
        """Import one task per text; the ids come in the order of the texts."""

    def delete_task(self, project: ToolProjectId, task: TaskId) -> None: ...

    def next_task(self, project: ToolProjectId, by: Annotator) -> Served | None:
        """Ask for a task as the tool's own page does, taking it; None when nothing is left for this annotator."""

    def submit(self, project: ToolProjectId, task: TaskId, label: str, by: Annotator) -> AnnotationId: ...

    def change(self, project: ToolProjectId, annotation: AnnotationId, label: str) -> None:
        """Somebody chooses another label in an annotation already submitted."""

    def withdraw(self, project: ToolProjectId, annotation: AnnotationId) -> None:
        """Delete an annotation."""

    def let_a_day_pass(self, project: ToolProjectId) -> None:
        """Make all that happened in a project a day older. Nothing to do where no clock is involved."""

    def choose_another_order(self, project: ToolProjectId) -> None:
        """Somebody sets the tool's queue to an order of their own."""

    def delete_project(self, project: ToolProjectId) -> None: ...

    def connector(self, project: ToolProjectId) -> Connector:
        """A connector to a project with good access."""

    def stranger(self, project: ToolProjectId) -> Connector:
        """The same with a token that the tool does not know, where it asks for one."""

    def unknown_project(self) -> ToolProjectId:
        """A project id of the right shape that the tool has never given out."""

    def take_down(self) -> None:
        """Stop the tool; nothing that people did is lost."""

    def bring_up(self) -> None:
        """Start it again at the same address; returns when it answers."""


class SkippingHarness(ToolHarness, Protocol):
    """Of a tool in which annotators may skip a task."""

    def skip(self, project: ToolProjectId, task: TaskId, by: Annotator) -> None: ...


class TitleHarness(ToolHarness, Protocol):
    """Of a tool in which projects have titles."""

    def rename(self, project: ToolProjectId, title: str) -> None: ...


class UnreadableHarness(ToolHarness, Protocol):
    """Of a tool that may hold a task which cannot be read."""

    def spoil(self, project: ToolProjectId, task: TaskId) -> None:
        """Damage what the tool has stored of a task, so that it tells it in a way that cannot be read."""

    def mend(self, project: ToolProjectId, task: TaskId) -> None:
        """Undo `spoil`."""


class OldOrdersHarness(ToolHarness, Protocol):
    """Of a tool that keeps predictions of several versions."""

    def import_predictions(self, project: ToolProjectId, version: QueueVersion, tasks: Sequence[TaskId]) -> None:
        """Somebody imports one prediction for each of these tasks, made by a model of their own."""

    def delete_predictions(self, project: ToolProjectId, tasks: Sequence[TaskId]) -> None:
        """Somebody deletes all predictions of these tasks."""

    def predictions_held(self, project: ToolProjectId) -> Mapping[QueueVersion, int]:
        """How many predictions the tool stores, by version, as its own pages tell."""


class TabsHarness(ToolHarness, Protocol):
    """Of a tool in which lists of tasks stand under titles."""

    def make_tab(self, project: ToolProjectId, title: str, tasks: Sequence[TaskId]) -> None:
        """Somebody makes a tab of their own."""

    def tabs(self, project: ToolProjectId) -> Mapping[str, frozenset[TaskId]]:
        """The tasks that people see in each tab with tasks of its own choice, by title."""


class ScoresHarness(ToolHarness, Protocol):
    """The people of a tool in which predictions of models of their own have scores."""

    def import_scores(self, project: ToolProjectId, version: QueueVersion, scores: Sequence[Scores]) -> None:
        """Somebody imports predictions of a model of their own, with these scores."""


class CallsUsHarness(ToolHarness, Protocol):
    """Of a tool that calls nextlabel."""

    webhooks: Webhooks

    def disconnect(self, project: ToolProjectId) -> None:
        """Somebody removes all that makes the tool call nextlabel."""

    def calls(self, project: ToolProjectId) -> Sequence[str]:
        """Every address that the tool calls for a project, as its own pages list them, one for each purpose."""

    def callback(self) -> Callback:
        """An address at which something answers the tool as nextlabel would, and at any path below it too."""

    def dead_callback(self) -> Callback:
        """The same with an address at which nothing answers."""

    def arrivals(self, act: Callable[[], object]) -> Sequence[WebhookRequest]:
        """The webhooks that arrive at the callback because of what ``act`` does."""

    def malformed_events(self) -> Sequence[WebhookRequest]:
        """Webhooks that are valid JSON, and not what the tool promises."""
