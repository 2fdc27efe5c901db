"""Tabs of Label Studio's Data Manager that nextlabel makes: each shows some labeled tasks.

The filter is of the ids of their annotations, which its page knows. A list of the ids of tasks only its API knows: with
one in any tab, the whole Data Manager of the project does not open any more (seen on 1.23.2).
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpx

from nextlabel.labeling import TaskId, ToolProjectId
from nextlabel.ports.tool import OwnTab, TaskList
from nextlabel_connectors.label_studio.client import LabelStudioClient, Refused
from nextlabel_connectors.label_studio.data_manager import TaskListing
from nextlabel_connectors.label_studio.payloads import JsonObject, as_list, as_object, identifier
from nextlabel_connectors.label_studio.walking import Filter

_MARK = "nextlabel"
"""The key of our mark in a tab's data, which Label Studio keeps as it is."""
_VIEWS = "/api/dm/views/"
_NUMBER = re.compile(r"\d+", re.ASCII)  # the first of a list, which is worded otherwise on PostgreSQL


@dataclass(frozen=True, slots=True)
class Tabs:
    """The tabs of one project. Raises what the client raises, and `PayloadError` on an answer that makes no sense.

    A tab is ours that carries our mark, or has the number that Label Studio gave ours. The mark alone is not enough:
    its own page leaves out what it does not know when somebody sorts a tab. Nor is the number, until it is noted.
    """

    client: LabelStudioClient
    project: ToolProjectId

    def show(self, tab: OwnTab, title: str, tasks: Sequence[TaskId]) -> OwnTab:
        filters = {"conjunction": "and", "items": [self._with_annotations(tasks)]}
        known = self._ours(tab)
        if known:
            data = {name: value for name, value in _data(known[0]).items() if name != "selectedItems"}
            path = f"{_VIEWS}{_number(known[0])}/"
            self.client.patch(
                path, {"project": int(self.project), "data": {**data, _MARK: tab.mark, "filters": filters}}
            )
            return OwnTab(tab.mark, _number(known[0]))
        data = {"title": title, "type": "list", "target": "tasks", _MARK: tab.mark, "filters": filters}
        made = self.client.post(_VIEWS, {"project": int(self.project), "data": data}).data
        return OwnTab(tab.mark, _number(as_object(made, "tab")))

    def _with_annotations(self, tasks: Sequence[TaskId]) -> Filter:
        """One annotation of each task: with two of one the task would be listed twice."""
        listed = TaskListing(self.client, self.project).among(tasks, "id,annotations_ids")
        found = (_NUMBER.search(str(task.get("annotations_ids"))) for task in listed)
        return _with_any(one[0] for one in found if one)

    def remove(self, tab: OwnTab) -> bool:
        known = self._ours(tab)
        for one in known:
            self._remove(_number(one))
        return bool(known)

    def _ours(self, tab: OwnTab) -> list[JsonObject]:
        listed = as_list(self.client.get(_VIEWS, {"project": self.project}).data, "list of tabs")
        tabs = [as_object(one, "tab") for one in listed]
        return [one for one in tabs if _data(one).get(_MARK) == tab.mark or _number(one) == tab.at_tool]

    def _remove(self, number: str) -> None:
        """What is gone already is as it should be."""
        try:
            self.client.delete(f"{_VIEWS}{number}/")
        except Refused as error:
            if error.status != httpx.codes.NOT_FOUND:
                raise


def passing_tab(listed: TaskList) -> str:
    """What the Data Manager's page takes for a tab in its address, and keeps nowhere: zipped JSON (seen on 1.23.2)."""
    filters = [_is_labeled(listed.labeled) if listed.annotations is None else _with_any(listed.annotations)]
    tab = {"title": listed.title, "filters": {"conjunction": "and", "items": filters}, "ordering": []}
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(tab).encode(), 9)).decode().rstrip("=")


def _with_any(annotations: Iterable[str]) -> Filter:
    return {
        "filter": "filter:tasks:annotations_ids",
        "operator": "contains",
        "type": "String",
        "value": ",".join(annotations) or "0",
    }


def _is_labeled(labeled: bool) -> Filter:
    return {
        "filter": "filter:tasks:total_annotations",
        "operator": "greater" if labeled else "equal",
        "type": "Number",
        "value": "0",
    }


def _number(tab: JsonObject) -> str:
    return str(identifier(tab.get("id"), "tab's id"))


def _data(tab: JsonObject) -> JsonObject:
    data = tab.get("data")
    return data if isinstance(data, dict) else {}
