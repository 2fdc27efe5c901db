"""What one turn works on: what was pulled from the tool, the tasks and labels, and the audit tasks among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from nextlabel.features.model_folders import Embeddings
from nextlabel.features.source import Source
from nextlabel.features.work import Progress
from nextlabel.hosting.hosts import Hosts
from nextlabel.labeling import LabelSchema, ProjectId, Task, TaskId
from nextlabel.learning.confidence import confidence_in
from nextlabel.learning.hosted import HostedWorkbench
from nextlabel.learning.targets import TargetsWorkbench
from nextlabel.learning.workbench import Workbench
from nextlabel.loop.auditing import Audits, audits_of
from nextlabel.loop.pulling import Pulled, pull
from nextlabel.loop.scores import read_scores
from nextlabel.ports.state import Connection, LabelStore, OrderRegistry, Reserves
from nextlabel.ports.tool import Connector, MLBackendWords


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a project: what had changed, what can be worked on, and its audit tasks, which are apart."""

    pulled: Pulled
    workbench: Workbench
    audits: Audits

    @property
    def open(self) -> list[TaskId]:
        """All open tasks."""
        return [*(task.id for task in self.workbench.open), *self.audits.waiting]

    @property
    def number_open(self) -> int:
        """Of which there may be a million: counted without a list of them."""
        return len(self.workbench.open) + len(self.audits.waiting)


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads projects, as often as is wanted in a turn."""

    store: LabelStore
    orders: OrderRegistry
    reserves: Reserves
    source: Callable[[ProjectId], Source]
    hosts: Hosts
    embeddings: Embeddings
    full_pull_every: timedelta

    def read(
        self,
        connection: Connection,
        connector: Connector,
        schema: LabelSchema,
        progress: Progress,
        before: Read | None = None,
    ) -> Read:
        """Pull what has changed in the tool. ``before`` is what was read last: where nothing has changed since, its
        tasks and labels are not read again. Raises what the connector raises."""
        project, hosted = connection.project, self.hosts.chosen(connection.options.model)
        whole, every = bool(hosted) and isinstance(connector, MLBackendWords), self.full_pull_every
        pulled = pull(connector, self.store, project, whole=whole, full_every=every, progress=progress)
        own = [order.version for order in self.orders.own(project)] if connection.options.uncertainty_from else []
        pulled = replace(pulled, outside=read_scores(connector, self.store, connection, own))
        if before is not None and not pulled.changed:
            return replace(before, pulled=pulled)
        source = replace(self.source(project), progress=lambda done, total: progress("embed", done))
        if hosted:
            return Read(pulled, *self._for_model_of_team(connection, connector, schema, hosted, source))
        return Read(pulled, *self._by_targets(connection, schema, source))

    def _by_targets(
        self, connection: Connection, schema: LabelSchema, source: Source
    ) -> tuple[TargetsWorkbench, Audits]:
        options = connection.options
        still_open, labeled = self.store.open(connection.project), self.store.labeled(connection.project)
        audits = self._audits(connection, still_open, [task.id for task in labeled.tasks])
        workbench = TargetsWorkbench(
            schema,
            labeled,
            audits.others(still_open),
            source,
            seed=options.seed,
            embeddings=self.embeddings,
            weights=options.weights,
            audits=audits.labeled,
            unlabeled=audits.unlabeled(still_open),
            confidence=confidence_in(schema, options.confidence, options.ordered) if options.confidence else None,
        )
        return workbench, audits

    def _for_model_of_team(
        self, connection: Connection, connector: Connector, schema: LabelSchema, hosted: str, source: Source
    ) -> tuple[HostedWorkbench, Audits]:
        project = connection.project
        still_open, annotated = self.store.open(project), self.store.annotated(project)
        audits = self._audits(connection, still_open, [task.id for task, _ in annotated])
        workbench = HostedWorkbench(
            project,
            hosted,
            self.hosts,
            schema=schema,
            annotated=annotated,
            still_open=audits.others(still_open),
            source=source,
            options=connection.options,
            labels_in=partial(connector.labels_in, schema) if isinstance(connector, MLBackendWords) else None,
            embeddings=self.embeddings,
        )
        return workbench, audits

    def _audits(self, connection: Connection, still_open: Sequence[Task], labeled: Sequence[TaskId]) -> Audits:
        everyone = dict.fromkeys([*self.store.task_ids(connection.project), *labeled])
        still_open_ids = [task.id for task in still_open]
        share = connection.options.audit_share
        return audits_of(connection.project, self.reserves, everyone, still_open_ids, set(labeled), share)
