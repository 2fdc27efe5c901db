"""What runs in the team's own FiftyOne: answers questions about a dataset, through FiftyOne's own API.

Started by `nextlabel_connectors.fiftyone.process` with a Python that has FiftyOne, as ``helper.py <descriptor>``.
It imports nothing of nextlabel, and runs on every Python that FiftyOne 1.22 runs on. It ends when the other end of the
wire is closed, and by itself when nobody asks for ten minutes.
"""

from __future__ import annotations

import json
import math
import os
import re
import socket
import struct
import sys
import time
from datetime import datetime, timezone
from typing import Any, Callable

_IDLE_SECONDS = 600.0
_LONGEST_TEXT = 1_000_000  # characters of one field of one sample
_LARGEST_PAGE = 16_000_000  # characters of one answer
_MOST_CLASSES = 1_000
_MOST_PATHS, _PATHS_SECONDS = 500_000, 60.0
_MADE_BY = "Made by nextlabel"
_VERSION = re.compile(rf"{_MADE_BY}: the order (\S+) of open samples\.")

VIEW, PRIORITY, UTILITY, PREDICTION = "nextlabel", "nextlabel_priority", "nextlabel_utility", "nextlabel_prediction"


fo: Any = None
F: Any = None
"""FiftyOne and its fields of expressions, once they are imported (`main`)."""


_paths: list[Any] = ["", set(), 0.0]
"""The project that files were last asked of, the paths of its samples, and until when they are good."""


class Refusal(Exception):
    """A refusal with its kind: what it is about stands in the message."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(what)
        self.kind = kind


# --- questions -------------------------------------------------------------------------------------------------


def describe(project: str) -> dict[str, Any]:
    """Everything that the schema of a project is made from."""
    dataset, label_field = _open(project)
    fields = {
        name: {
            "type": type(field).__name__,
            "document": getattr(getattr(field, "document_type", None), "__name__", None),
            "ours": _is_ours(field),
        }
        for name, field in dataset.get_field_schema().items()
    }
    return {
        "name": dataset.name,
        "field": label_field,
        "media": dataset.media_type,
        "persistent": dataset.persistent,
        "fields": fields,
        "classes": dict(dataset.classes),
        "default_classes": list(dataset.default_classes),
        "annotation_classes": {
            name: one["classes"]
            for name, one in dataset.label_schemas.items()
            if isinstance(one, dict) and isinstance(one.get("classes"), list)
        },
        "view": "none" if not dataset.has_saved_view(VIEW) else "ours" if _view_note(dataset) else "foreign",
    }


def classes_seen(project: str, path: str) -> list[str]:
    """The labels in a field; refused where there are too many to be classes."""
    dataset, _ = _open(project)
    found = dataset.distinct(path)
    if len(found) > _MOST_CLASSES:
        raise Refusal("rejected", f"The field '{path}' holds more than {_MOST_CLASSES:,} different labels.")
    return [str(one) for one in found]


def page(
    project: str, fields: list[str], value: str | None, since: str, after: list[str] | None, limit: int
) -> dict[str, Any]:
    """Samples by the time of their last change, from ``since`` on, or ``after`` the time and id of another sample."""
    dataset, _ = _open(project)
    at = F("last_modified_at")
    if after is None:
        changed = at >= datetime.fromisoformat(since)
    else:
        last = datetime.fromisoformat(after[0])
        changed = (at > last) | ((at == last) & (F("_id").to_string() > after[1]))
    view = dataset.match(changed).sort_by([("last_modified_at", 1), ("id", 1)]).limit(limit)
    wanted = [*fields, *([value.split(".")[0]] if value else [])]
    rows: list[Any] = []
    size, more = 0, False
    for sample in view.select_fields(wanted).iter_samples():
        row = _row(sample, fields, value)
        size += len(json.dumps(row))
        if rows and size > _LARGEST_PAGE:
            more = True
            break
        rows.append(row)
    return {
        "rows": rows,
        "more": more or len(rows) == limit,
        "now": datetime.now(timezone.utc).replace(tzinfo=None).isoformat(),
    }


def count(project: str) -> int:
    return len(_open(project)[0])


def ids(project: str) -> list[str]:
    return list(_open(project)[0].values("id"))


def holds_file(project: str, path: str) -> bool:
    """Whether a sample of the dataset is of the file at this path, or was a minute ago."""
    name, paths, until = _paths
    if name == project and path in paths and time.monotonic() < until:
        return True
    dataset, _ = _open(project)
    found = len(dataset.match(F("filepath") == path).limit(1)) > 0
    if found and len(dataset) <= _MOST_PATHS:  # thousands are asked for one after the other
        _paths[:] = project, set(dataset.values("filepath")), time.monotonic() + _PATHS_SECONDS
    return found


def order(project: str, plan: dict[str, Any]) -> dict[str, Any]:
    """The version of the order that the saved view shows (None: some other order), and how many samples are in it."""
    dataset, _ = _open(project)
    note = _view_note(dataset)
    version = _VERSION.fullmatch(note) if note else None
    if version is None or dataset.get_field(PRIORITY) is None:
        return {"version": None, "standing": 0}
    as_written = dataset.load_saved_view(VIEW) == _open_samples(dataset, plan)
    return {"version": version[1] if as_written else None, "standing": len(dataset.exists(PRIORITY))}


def head(project: str, plan: dict[str, Any], n: int) -> list[str]:
    """The first samples of the saved view, as whoever opens it gets them."""
    dataset, _ = _open(project)
    return list(dataset.load_saved_view(VIEW).limit(n).values("id")) if order(project, plan)["version"] else []


def make(project: str, plan: dict[str, Any]) -> list[str]:
    """Make the fields, the index and the saved view that are missing; what was made."""
    dataset, _ = _open(project)
    _refuse_foreign(dataset)
    made = []
    document = getattr(fo, plan["document"])
    for name, kind, more in (
        (PRIORITY, fo.IntField, {}),
        (UTILITY, fo.FloatField, {}),
        (PREDICTION, fo.EmbeddedDocumentField, {"embedded_doc_type": document}),
    ):
        field = dataset.get_field(name)
        if name == PREDICTION and field is not None and field.document_type is not document:
            dataset.delete_sample_field(name)  # the label field is of another kind now
            field = None
        if field is None:
            dataset.add_sample_field(name, kind, description=f"{_MADE_BY}: {_ABOUT[name]}", info={"by": VIEW}, **more)
            made.append(name)
    if PRIORITY not in dataset.list_indexes():
        dataset.create_index(PRIORITY)
    if not dataset.has_saved_view(VIEW):
        dataset.save_view(VIEW, _open_samples(dataset, plan), description=f"{_MADE_BY}: no order yet.")
        made.append(VIEW)
    return made


def _refuse_foreign(dataset: Any) -> None:
    """What somebody else made under our names is theirs."""
    fields = [name for name in (PRIORITY, UTILITY, PREDICTION) if dataset.get_field(name) is not None]
    found = [f"a field '{name}'" for name in fields if not _is_ours(dataset.get_field(name))]
    if dataset.has_saved_view(VIEW) and _view_note(dataset) is None:
        found.append(f"a saved view '{VIEW}'")
    if found:
        raise Refusal("rejected", f"The dataset has {' and '.join(found)} that nextlabel did not make: rename it.")


def present(project: str, samples: list[str]) -> list[str]:
    """Those of the samples that the dataset has."""
    return list(_open(project)[0].select(samples).values("id"))


def write(project: str, plan: dict[str, Any], version: str, window: list[list[Any]], n: int) -> list[str]:
    """Put the samples of the window first, in its order, and all others behind; the first ``n`` of the saved view.

    Whoever is stopped halfway leaves a view that names no version.
    """
    dataset, _ = _open(project)
    dataset.update_saved_view_info(VIEW, {"description": f"{_MADE_BY}: an order is being written."})
    values: dict[str, tuple[Any, ...]] = dict.fromkeys(dataset.exists(PRIORITY).values("id"), (None, None, None))
    values.update(
        (sample, (len(window) - place, utility, _prediction(shown)))
        for place, (sample, utility, shown) in enumerate(window)
    )
    _set_quietly(dataset, values)
    view, note = _open_samples(dataset, plan), f"{_MADE_BY}: the order {version} of open samples."
    if dataset.load_saved_view(VIEW) == view:
        dataset.update_saved_view_info(VIEW, {"description": note})
    else:
        dataset.save_view(VIEW, view, description=note, overwrite=True)
    return list(dataset.load_saved_view(VIEW).limit(n).values("id"))


def remove(project: str) -> list[str]:
    """Remove the saved view and the fields that nextlabel made; their index goes with them. What was removed."""
    dataset, _ = _open(project)
    removed = [name for name in (PRIORITY, UTILITY, PREDICTION) if _is_ours(dataset.get_field(name))]
    if dataset.has_saved_view(VIEW) and _view_note(dataset) is not None:
        dataset.delete_saved_view(VIEW)
        removed.append(VIEW)
    fields = [name for name in removed if name != VIEW]
    if fields:
        dataset.delete_sample_fields(fields)
    return removed


_ABOUT = {
    PRIORITY: "the highest is to be labeled next.",
    UTILITY: "how much a label would teach the model.",
    PREDICTION: "what the model predicts.",
}


# --- FiftyOne --------------------------------------------------------------------------------------------------


def _open(project: str) -> tuple[Any, str | None]:
    """The dataset and, where the project names one, its label field: ``dataset`` or ``dataset/field``."""
    name, _, field = project.rpartition("/")
    for dataset, label in ((project, None), (name, field)):
        if dataset and fo.dataset_exists(dataset):
            return fo.load_dataset(dataset, reload=True), label
    raise Refusal("gone", f"FiftyOne has no dataset '{project}': `fiftyone datasets list` lists those that it has.")


def _is_ours(field: Any) -> bool:
    return field is not None and (field.info or {}).get("by") == VIEW


def _view_note(dataset: Any) -> str | None:
    """The description of our saved view; None where there is none, or somebody else's."""
    if not dataset.has_saved_view(VIEW):
        return None
    note = dataset.get_saved_view_info(VIEW)["description"] or ""
    return note if note.startswith(_MADE_BY) else None


def _open_samples(dataset: Any, plan: dict[str, Any]) -> Any:
    """Samples without a label, those of the window first and in its order, then the others as they were added."""
    view = dataset.exists(plan["labeled"], False) if plan["labeled"] else dataset.view()
    if plan["tags"]:
        view = view.match_tags(plan["tags"], bool=False)
    return view.sort_by([(PRIORITY, -1), ("id", 1)])


def _set_quietly(dataset: Any, values: dict[str, tuple[Any, ...]]) -> None:
    """Write our three fields, and leave the time of a sample's last change as it is.

    `Dataset.set_values` does not: every order would come back as changes, and the App would refuse what an annotator
    saves to a sample that was open meanwhile (412). This is the one place that goes below FiftyOne's public API.
    """
    from bson import ObjectId
    from pymongo import UpdateOne

    names = (PRIORITY, UTILITY, PREDICTION)
    ops = [UpdateOne({"_id": ObjectId(sample)}, {"$set": dict(zip(names, three))}) for sample, three in values.items()]
    if ops:
        dataset._bulk_write(ops, ids=list(values))


def _row(sample: Any, fields: list[str], value: str | None) -> dict[str, Any]:
    row = {"id": sample.id, "at": sample.last_modified_at.isoformat(), "tags": list(sample.tags or ())}
    try:
        row["data"] = {name: _plain(sample[name]) for name in fields}
    except ValueError as error:
        return {**row, "unreadable": str(error)}
    if value:
        row["value"] = _value(sample, value.split("."))
    return row


def _value(sample: Any, path: list[str]) -> Any:
    """What a label says: a text, a number, or the list of the labels inside; None where there is no label."""
    label = sample[path[0]]
    value = None if label is None else getattr(label, path[1])
    return [one.label for one in value if one.label is not None] if isinstance(value, list) else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        raise ValueError(f"It has a text of more than {_LONGEST_TEXT:,} characters.")
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _prediction(stated: dict[str, Any] | None) -> Any:
    if stated is None:
        return None
    if "labels" in stated:
        inner = [fo.Classification(label=label, confidence=sure) for label, sure in stated["labels"]]
        return fo.Classifications(classifications=inner).to_dict()
    if "value" in stated:
        return fo.Regression(value=stated["value"], confidence=stated["confidence"]).to_dict()
    return fo.Classification(label=stated["label"], confidence=stated["confidence"]).to_dict()


# --- the wire --------------------------------------------------------------------------------------------------

_QUESTIONS: dict[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (describe, classes_seen, page, count, ids, holds_file, order, head, make, present, write, remove)
}


def answer_all(wire: socket.socket, questions: dict[str, Callable[..., Any]]) -> None:
    """Answer until the other end is closed, or nobody has asked for long."""
    wire.settimeout(_IDLE_SECONDS)
    while True:
        try:
            asked = _receive(wire)
        except OSError:  # closed, or idle for too long
            return
        wire.settimeout(None)
        wire.sendall(_answer(questions, asked))
        wire.settimeout(_IDLE_SECONDS)


def _answer(questions: dict[str, Callable[..., Any]], asked: dict[str, Any]) -> bytes:
    try:
        return _framed({"answer": questions[asked.pop("do")](**asked)})
    except Refusal as refusal:
        return _framed({"failure": refusal.kind, "what": str(refusal)})
    except Exception as error:
        return _framed(_failure(error))


def _failure(error: BaseException) -> dict[str, Any]:
    """A database that cannot be reached may be back soon; one that refuses us will not."""
    import pymongo.errors as mongo

    what = f"{type(error).__name__}: {error}"[:1_000]
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, mongo.OperationFailure) and seen.code in (13, 18):  # not authorized, bad credentials
            return {"failure": "rejected", "what": f"Its database refuses nextlabel. {what}"}
        seen = seen.__cause__ or seen.__context__
    return {"failure": "unavailable", "what": what}


def _receive(wire: socket.socket) -> dict[str, Any]:
    (size,) = struct.unpack(">Q", _exactly(wire, 8))
    return dict(json.loads(_exactly(wire, size)))


def _exactly(wire: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = wire.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise OSError("the other end is closed")
        parts += part
    return bytes(parts)


def _framed(answer: dict[str, Any]) -> bytes:
    body = json.dumps(answer, ensure_ascii=False).encode(errors="replace")
    return struct.pack(">Q", len(body)) + body


def main(questions: dict[str, Callable[..., Any]]) -> None:
    """Import FiftyOne, say how that went, and answer."""
    wire = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(wire.fileno(), False)  # a MongoDB that FiftyOne starts must not hold the wire open
    try:
        import fiftyone
    except ModuleNotFoundError as error:
        what = f"{error}: {sys.executable} is no Python that has FiftyOne."
        wire.sendall(_framed({"failure": "rejected", "what": what}))
        return
    except Exception as error:
        wire.sendall(_framed(_failure(error)))
        return
    fiftyone.config.show_progress_bars, fiftyone.config.timezone = False, None
    globals().update(fo=fiftyone, F=fiftyone.ViewField)
    wire.sendall(_framed({"answer": fiftyone.__version__}))
    answer_all(wire, questions)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder: nothing here is to be imported
    main(_QUESTIONS)
