"""The in-memory tool with the ring `MLBackendWords`: its single choices in Label Studio's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nextlabel.labeling import Annotation, Cursor, LabelSchema, Target, ToolProjectId
from nextlabel.ports.tool import ChangePage, Connector, ToolAccess
from nextlabel_connectors.memory import MemoryConnector, MemoryConnectorType, MemoryTool

_WHOLE = "whole "


class WordedConnector(MemoryConnector):
    """A connector that has Label Studio's labeling config, annotations and results."""

    def label_schema(self) -> LabelSchema:
        schema = super().label_schema()
        return replace(schema, source=f"<View>{''.join(map(_control, schema.targets))}</View>")

    def changed_tasks(self, since: Cursor | None, *, whole: bool = False) -> Iterator[ChangePage]:
        if not whole:
            yield from super().changed_tasks(None if (since or "").startswith(_WHOLE) else since)
            return
        known = Cursor(since.removeprefix(_WHOLE)) if since and since.startswith(_WHOLE) else None
        for page in super().changed_tasks(known):
            received = (replace(one, annotations=tuple(map(_with_whole, one.annotations))) for one in page.tasks)
            yield replace(page, tasks=tuple(received), cursor=Cursor(_WHOLE + page.cursor))

    def labels_in(
        self, schema: LabelSchema, result: Sequence[Mapping[str, object]], data: Mapping[str, object]
    ) -> Mapping[str, object]:
        return {str(item["from_name"]): choice for item in result for choice in _chosen(item)}


@dataclass(frozen=True)
class WordedConnectorType(MemoryConnectorType):
    """Opens such connectors."""

    def open(self, access: ToolAccess, project: ToolProjectId) -> Connector:
        return WordedConnector(self.tool or MemoryTool(up=False), access.token, project)


def _control(target: Target) -> str:
    shown = "".join(f'<Text name="{one.field}" value="${one.field}"/>' for one in target.inputs)
    choices = "".join(f'<Choice value="{label}"/>' for label in target.labels)
    return f'{shown}<Choices name="{target.name}" toName="{target.inputs[0].field}">{choices}</Choices>'


def _with_whole(annotation: Annotation) -> Annotation:
    result = [
        {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": [label]}}
        for name, label in annotation.labels.items()
    ]
    return replace(annotation, whole={"id": annotation.id, "result": result, "updated_at": annotation.updated_at})


def _chosen(item: Mapping[str, object]) -> list[object]:
    value = item.get("value")
    return list(value.get("choices", ())) if isinstance(value, dict) else []
