"""Which of the fields that annotators are shown the tasks have, and whether the files there are such as are read: of
what is not there nothing is learned."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from nextlabel.labeling import KINDS, Input, InputKind, LabelSchema, Task, read_field
from nextlabel.ports.tool import Finding

_MOST_FIELDS = 20  # that are counted, whatever a labeling config names
_ITEMS = "each must be an object with an 'id', a text or a whole number, and they may be 1,000 at most"
_MOST_NAMES, _LONGEST_NAME = 8, 60  # of what tasks have, in one message
_LONGEST_ADDRESS, _MOST_FILES = 2_000, 16

_READ: Mapping[InputKind, str] = {
    "image": "JPEG, PNG, GIF, WebP, BMP and TIFF",
    "audio": "WAV, FLAC, Ogg, Opus, MP3 and AIFF",
    "video": "MP4, MOV, WebM, Matroska, AVI, MPEG, Ogg and FLV",
    "series": "CSV, TSV and JSON",
    "pdf": "PDF",
}
"""What is read where a field holds the address of a file."""
_UNREAD: Mapping[InputKind, str] = {
    "image": "dcm|dicom|nii|nii.gz|svg|svgz|html|htm|pdf|heic|heif|avif|jxl|jp2|psd|exr",
    "audio": "aac|m4a|mp4|wma|amr|html|htm",
    "video": "m3u8|mpd|html|htm",
    "series": "parquet|xlsx|xls|mat|edf|h5|html|htm",
    "pdf": "doc|docx|odt|epub|djvu|html|htm|jpg|jpeg|png|tif|tiff",
}
"""How the addresses of files end that teams have there and that are not read."""


def missing_fields(schema: LabelSchema, tasks: Sequence[Task]) -> list[Finding]:
    """What a person should know of fields that no task has, or fewer than half of them, and of files of formats that
    are not read."""
    return [*_missing(schema, tasks), *_unread(schema, tasks)] if tasks else []


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


def _unread(schema: LabelSchema, tasks: Sequence[Task]) -> Iterator[Finding]:
    for one in _shown(schema):
        if one.kind not in _UNREAD:
            continue
        ending = re.compile(rf"\.({_UNREAD[one.kind]})(?=$|[?#&])|^data:\w+/(svg|dicom|html)", re.IGNORECASE)
        found = [some for task in tasks if (some := _endings(read_field(task.data, one.field), ending))]
        if found:
            known = Counter(chain.from_iterable(found)).most_common(_MOST_NAMES)
            yield Finding(
                "warning",
                f"{len(found)} of {len(tasks)} tasks name files in the field {_named(one.field)} that nextlabel does "
                f"not read ({', '.join(name for name, _ in known)}): it reads {_READ[one.kind]}. These tasks are "
                "learned from what else they hold, and come last where that is nothing; name copies in one of these "
                "formats.",
            )


def _endings(value: object, ending: re.Pattern[str]) -> set[str]:
    """Of the files that a task names those endings that are not read."""
    files = value[:_MOST_FILES] if isinstance(value, list) else [value]
    found = (ending.search(one[:_LONGEST_ADDRESS]) for one in files if isinstance(one, str))
    return {(one[1] or one[2]).lower() for one in found if one}


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
