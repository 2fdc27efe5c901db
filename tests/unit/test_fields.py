"""What a person is told of the files that tasks name, where they are such as are not read."""

from __future__ import annotations

import pytest

from nextlabel.labeling import Input, InputKind, LabelSchema, Target, Task, TaskId
from nextlabel.learning.fields import missing_fields


def told(kind: InputKind, *values: object) -> list[str]:
    schema = LabelSchema((Target("it", "choice", (Input("file", kind),), ("a", "b")),))
    return [one.message for one in missing_fields(schema, [Task(TaskId("1"), {"file": value}) for value in values])]


@pytest.mark.parametrize(
    ("kind", "address", "named"),
    [
        ("image", "/data/upload/1/scan.DCM", "dcm"),
        ("image", "s3://bucket/volume.nii.gz", "nii.gz"),
        ("image", "/data/local-files/?d=scans/1.dicom", "dicom"),
        ("image", "https://host/logo.svg?v=3", "svg"),
        ("image", "data:image/svg+xml;base64,PHN2Zz4=", "svg"),
        ("image", ["/data/1.png", "/data/2.html#top"], "html"),
        ("audio", "https://host/talk.m4a", "m4a"),
        ("video", "https://host/live.m3u8", "m3u8"),
        ("series", "https://host/readings.parquet", "parquet"),
        ("pdf", "gs://bucket/letter.docx", "docx"),
    ],
)
def test_files_of_a_format_that_is_not_read_are_named(kind: InputKind, address: object, named: str) -> None:
    (message,) = told(kind, address, "/data/1", address)
    assert message.startswith(
        f"2 of 3 tasks name files in the field 'file' that nextlabel does not read ({named}): it reads "
    )


@pytest.mark.parametrize("kind", ["image", "audio", "video", "series", "pdf", "text"])
def test_nothing_is_said_of_other_files_nor_of_what_is_no_file(kind: InputKind) -> None:
    assert (
        told(kind, "/data/a.dcm/1", "/data/1", "x.svgs", 5, {"a": "1.dcm"}, ["1", None], "data:image/png;base64,AA==")
        == []
    )
