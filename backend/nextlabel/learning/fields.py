"""Which of the fields that annotators are shown the tasks have: of one that is not there nothing is learned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from nextlabel.labeling import KINDS, Input, LabelSchema, Task, read_field
from nextlabel.ports.tool import Finding

_MOST_FIELDS = 20  # that are counted, whatever a labeling config names
_ITEMS = "each must be an object with an 'id', a text or a whole number, and they may be 1,000 at most"
_MOST_NAMES, _LONGEST_NAME = 8, 60  # of what tasks have, in one message


def missing_fields(schema: LabelSchema, tasks: Sequence[Task]) -> list[Finding]:
    """What a person should know of fields that no task has, or fewer than half of them."""
    return list(_missing(schema, tasks)) if tasks else []


def _missing(schema: LabelSchema, tasks: Sequence[Task]) -> Iterator[Finding]:
    for one in _shown(schema):
        having = sum(read_field(task.data, one.field) is not None for task in tasks)
        if having == 0:
            message = (
                f"No task has the field {_named(one.field)} that the labeling config shows: annotators see nothing "
                f"there, and nothing is learned from it. Tasks have {_names(tasks)}: name one of these in the labeling "
                "config, or rename the field in the tasks."
            )
        elif 2 * having < len(tasks):
            message = (
                f"Only {having} of {len(tasks)} tasks have the field {_named(one.field)} that the labeling config "
                "shows: of the others annotators see nothing there, and nothing is learned from it."
            )
        else:
            continue
        yield Finding("warning", f"{message} {one.note}".strip())
    yield from _unordered(schema, tasks)


def _unordered(schema: LabelSchema, tasks: Sequence[Task]) -> Iterator[Finding]:
    """Of tasks that hold something where items to be ordered should be."""
    for target in schema.targets:
        if not KINDS[target.kind].of_items:
            continue
        having = [task for task in tasks if read_field(task.data, target.options)]
        if unread := sum(not target.offered(task) for task in having):
            found = f"In {unread} of {len(having)} tasks the items of {_named(target.options)} cannot be ordered"
            yield Finding("warning", f"{found}, and nothing is learned or predicted of them: {_ITEMS}.")


def _shown(schema: LabelSchema) -> Iterable[Input]:
    """Every field once, first those that something is learned from."""
    options = [Input(target.options) for target in schema.targets if target.options]
    inputs = chain(*(target.inputs for target in schema.targets), options, schema.shown)
    fields: dict[str, Input] = {}
    for one in inputs:
        fields.setdefault(one.field, one)
    return islice(fields.values(), _MOST_FIELDS)


def _names(tasks: Sequence[Task]) -> str:
    """What the first of the tasks hold; of a field in a field only the outer name."""
    data: Iterable[Mapping[str, object]] = (task.data for task in tasks[:_MOST_NAMES])
    names = dict.fromkeys(chain.from_iterable(islice(one, _MOST_NAMES + 1) for one in data))
    known = [_named(name) for name in islice(names, _MOST_NAMES)]
    return (", ".join(known) + (" and others" if len(names) > _MOST_NAMES else "")) or "no field at all"


def _named(name: str) -> str:
    return f"'{name[:_LONGEST_NAME]}'"
