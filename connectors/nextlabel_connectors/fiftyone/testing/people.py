"""What people do with FiftyOne, in a process of its own: run by `FiftyOneServer` as `helper` is by the connector."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).parent.parent)
import helper  # type: ignore[import-not-found]  # noqa: E402 (the file beside the connector)

del sys.path[0]


def _dataset(project: str) -> Any:
    return helper.fo.load_dataset(project, reload=True)


def create(
    project: str, label: str, document: str, classes: list[str], texts: list[str], persistent: bool = True
) -> None:
    """A dataset with a field of labels of that type ("": none) and some fields with texts."""
    fo = helper.fo
    dataset = fo.Dataset(project, persistent=persistent)
    if document:
        dataset.add_sample_field(label, fo.EmbeddedDocumentField, embedded_doc_type=getattr(fo, document))
    for text in texts:
        dataset.add_sample_field(text, fo.StringField)
    dataset.default_classes = classes


def delete(project: str) -> None:
    helper.fo.delete_dataset(project)


def add(project: str, samples: list[dict[str, Any]]) -> list[str]:
    """Samples by their fields, ``filepath`` among them."""
    return list(_dataset(project).add_samples([helper.fo.Sample(**one) for one in samples], progress=False))


def delete_sample(project: str, sample: str) -> None:
    _dataset(project).delete_samples(sample)


def give(project: str, sample: str, field: str, document: str | None, value: Any) -> None:
    """A label in a field: its text or number, or those of the labels inside; None takes it away."""
    fo, one = helper.fo, _dataset(project)[sample]
    boxes = {"bounding_box": [0.1, 0.1, 0.2, 0.2]}
    if document is None:
        one[field] = None
    elif document == "Detections":
        one[field] = fo.Detections(detections=[fo.Detection(label=label, **boxes) for label in value])
    elif document == "Classifications":
        one[field] = fo.Classifications(classifications=[fo.Classification(label=label) for label in value])
    elif document == "Regression":
        one[field] = fo.Regression(value=value)
    else:
        one[field] = fo.Classification(label=value)
    one.save()


def set_field(project: str, sample: str, field: str, value: Any) -> None:
    one = _dataset(project)[sample]
    one[field] = value
    one.save()


def tag(project: str, sample: str, tags: list[str]) -> None:
    """As the App's tag button does."""
    _dataset(project).select(sample).tag_samples(tags)


def untag(project: str, sample: str, tags: list[str]) -> None:
    _dataset(project).select(sample).untag_samples(tags)


def open_view(project: str, n: int, field: str) -> list[list[Any]]:
    """What the saved view shows first, with the label that is predicted; without one all that has no label."""
    dataset = _dataset(project)
    view = dataset.load_saved_view("nextlabel") if dataset.has_saved_view("nextlabel") else dataset.exists(field, False)
    known = dataset.get_field("nextlabel_prediction") is not None
    return [[one.id, _text(one["nextlabel_prediction"]) if known else None] for one in view.limit(n)]


def _text(label: Any) -> Any:
    if label is None:
        return None
    inner = getattr(label, "classifications", None)
    return [one.label for one in inner] if inner is not None else getattr(label, "label", None)


def everything(project: str) -> dict[str, Any]:
    """The dataset's fields, indexes and saved views by name, its info, and its samples without their times."""
    dataset = _dataset(project)
    samples = [{name: value for name, value in one.to_dict().items() if "modified" not in name} for one in dataset]
    return {
        "fields": sorted(dataset.get_field_schema()),
        "indexes": sorted(dataset.list_indexes()),
        "views": sorted(dataset.list_saved_views()),
        "info": dict(dataset.info),
        "samples": [{name: str(value) for name, value in one.items() if value is not None} for one in samples],
    }


def save_view(project: str, name: str, field: str, description: str | None) -> None:
    """Somebody saves a view of their own, in the place of another of that name."""
    dataset = _dataset(project)
    dataset.save_view(name, dataset.sort_by(field), description=description, overwrite=True)


def delete_view(project: str, name: str) -> None:
    dataset = _dataset(project)
    if dataset.has_saved_view(name):
        dataset.delete_saved_view(name)


def add_field(project: str, name: str) -> None:
    _dataset(project).add_sample_field(name, helper.fo.StringField)


def opened(project: str, sample: str) -> list[str]:
    """What the App remembers of a sample that somebody opens: its address in the API, and when it last changed."""
    dataset = _dataset(project)
    return [f"/dataset/{dataset._doc.id}/sample/{sample}", dataset[sample].last_modified_at.isoformat()]


def let_a_day_pass(project: str) -> None:
    """No way that people use lets anyone set the time of a change."""
    day = timedelta(days=1) // timedelta(milliseconds=1)
    earlier = {"$set": {"last_modified_at": {"$subtract": ["$last_modified_at", day]}}}
    _dataset(project)._sample_collection.update_many({}, [earlier])


if __name__ == "__main__":
    helper.main({name: one for name, one in globals().items() if callable(one) and not name.startswith("_")})
