"""Reading what another model, whose predictions stand on the tasks in the tool, is unsure of."""

from __future__ import annotations

from collections.abc import Collection
from math import nan

import numpy as np

from nextlabel.hosting.uncertainty import uncertainties
from nextlabel.labeling import QueueVersion, TaskId
from nextlabel.learning.outside import Outside
from nextlabel.ports.state import Connection, LabelStore
from nextlabel.ports.tool import Connector, TellsScores


def read_scores(
    connector: Connector, store: LabelStore, connection: Connection, own: Collection[QueueVersion]
) -> Outside | None:
    """What the version that ``uncertainty_from`` names says of the tasks; None where the option names none.

    All of its scores are read where any has come or gone, or `region_scores` has changed, and otherwise nothing. One of
    our ``own`` versions says nothing: what we wrote there is a place in an order. Raises what the connector raises.
    """
    project, options = connection.project, connection.options
    version, mark = QueueVersion(options.uncertainty_from), ""
    if version and version not in own and isinstance(connector, TellsScores):
        state = connector.scores_mark(version)  # before they are read: what comes meanwhile changes it again
        mark = f"{options.region_scores} {state} {version}" if state else ""
        if mark and mark != store.scores_mark(project):
            store.keep_uncertainties(project, mark, _uncertainties(connector, version, options.region_scores))
    if not mark and store.scores_mark(project):
        store.keep_uncertainties(project, "", {})
    return Outside(version, mark, store.uncertainties(project) if mark else {}) if version else None


def _uncertainties(connector: TellsScores, version: QueueVersion, way: str) -> dict[TaskId, float]:
    found: dict[TaskId, float] = {}
    for page in connector.scores(version):
        unsure = uncertainties(page, way, unknown=nan).tolist()
        found |= {one.task: value for one, value in zip(page, unsure, strict=True) if not np.isnan(value)}
    return found
