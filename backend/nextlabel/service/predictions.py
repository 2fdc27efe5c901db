"""Whose the predictions are that a labeling tool stores, and the removal of some by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from nextlabel.errors import SettingsError, ToolUnavailable
from nextlabel.labeling import ProjectId, QueueVersion
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import Connector, KeepsOldOrders, OwnOrder
from nextlabel.service.pruning import remove_all
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.orders import StoredOrders


@dataclass(frozen=True, slots=True)
class Held:
    """How many predictions the tool stores under a version, and who wrote them."""

    version: QueueVersion
    predictions: int
    whose: str


@dataclass(frozen=True, slots=True)
class Predictions:
    """The predictions that tools store. Its methods raise `NotConnected` and what the connector raises."""

    connections: SqlConnections
    orders: StoredOrders
    open_connector: Callable[[Connection], Connector]

    def held(self, project: ProjectId) -> list[Held]:
        """Every version."""
        _, keeps = self._connector(project)
        ours = {order.version: order for order in self.orders.own(project)}
        return [Held(version, n, _whose(ours.get(version))) for version, n in keeps.predictions_held().items()]

    def to_remove(self, project: ProjectId, versions: Collection[QueueVersion]) -> int:
        """How many there are under these versions. Raises `SettingsError` for one that must stay, or is not there."""
        connector, keeps = self._connector(project)
        held, in_force = keeps.predictions_held(), connector.queue_in_force()
        for version in versions:
            if version not in held:
                raise SettingsError(
                    f"Project {project} has no predictions under the version '{version}': `nextlabel predictions "
                    f"--project {project}` lists what it has."
                )
            if version == in_force:
                raise SettingsError(
                    f"The queue of project {project} is served by the version '{version}', so it stays. To have "
                    "nextlabel leave the project, run `nextlabel disconnect`."
                )
        return sum(held[version] for version in versions)

    def remove(self, project: ProjectId, versions: Collection[QueueVersion]) -> Iterator[int]:
        """Remove them lot by lot; yields how many each lot removed. Raises `ToolUnavailable` where some stay."""
        _, keeps = self._connector(project)
        left = list(versions)
        for lot in remove_all(keeps, [OwnOrder(version) for version in versions]):
            yield lot.removed
            left = [version for version in left if version not in lot.emptied]
        if left:
            raise ToolUnavailable(f"The tool keeps some predictions under {', '.join(left)}: its log says why.")

    def _connector(self, project: ProjectId) -> tuple[Connector, KeepsOldOrders]:
        connection = self.connections.get(project)
        connector = self.open_connector(connection)
        if not isinstance(connector, KeepsOldOrders):
            raise SettingsError(f"{connection.tool.name} keeps no versions of predictions: there is nothing to list.")
        return connector, connector


def _whose(order: OwnOrder | None) -> str:
    if order is None:
        return "not written by nextlabel"
    return "nextlabel" if order.window is None else "nextlabel, before 0.1.1; others may be among them"
