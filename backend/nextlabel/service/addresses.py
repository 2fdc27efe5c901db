"""Where people open tasks in their own tool, for links: no request is made, and nothing is made in the tool."""

from __future__ import annotations

from nextlabel.labeling import TaskId
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import HasListPages, HasTaskPages, OwnTab, TaskList
from nextlabel.service import discovery

MOST_LISTED = 300
"""Tasks of a list that are named one by one: they stand in its address."""


def page_of(connection: Connection, task: TaskId) -> str | None:
    """Where people open a task in its tool; None where a task has no address there."""
    kind, tool = discovery.connector_type(connection.tool.kind), connection.tool
    return kind.task_page(tool.access, connection.at_tool, task) if isinstance(kind, HasTaskPages) else None


def list_of(connection: Connection, listed: TaskList) -> str | None:
    """Where people open exactly these tasks; None where the tool has no such address, or they are too many for one."""
    kind, tool = discovery.connector_type(connection.tool.kind), connection.tool
    if not isinstance(kind, HasListPages) or len(listed.annotations or ()) > MOST_LISTED:
        return None
    return kind.list_page(tool.access, connection.at_tool, listed)


def tab_of(connection: Connection, tab: OwnTab | None) -> str | None:
    """Where people open a tab that nextlabel made; None where there is none, or it has no address."""
    kind, tool = discovery.connector_type(connection.tool.kind), connection.tool
    if tab is None or not tab.at_tool or not isinstance(kind, HasListPages):
        return None
    return kind.tab_page(tool.access, connection.at_tool, tab)
