"""What stands in files of tasks and labels, and what is made of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from nextlabel.errors import FileUnavailable, SchemaError, ToolRejected, ToolUnavailable
from nextlabel.labeling import Input, QueueVersion, TaskId, ToolProjectId, labels_in_force
from nextlabel.labeling.ranking import Ranking
from nextlabel.ports.tool import TaskSeen, ToolAccess, Unreadable
from nextlabel_connectors.files import CONNECTOR, FilesConnector
from nextlabel_connectors.files import rows as reading

MAILS = [{"id": "a", "text": "win a prize", "sender": "x@y"}, {"id": "b", "text": 'see you, at\n"four"', "sender": "z"}]


def opened(folder: Path, project: str = "mails") -> FilesConnector:
    connector = CONNECTOR.open(ToolAccess(str(folder)), ToolProjectId(project))
    assert isinstance(connector, FilesConnector)
    return connector


def read(folder: Path) -> tuple[dict[str, TaskSeen], list[Unreadable]]:
    pages = list(opened(folder).changed_tasks(None))
    seen = {one.task.id: one for page in pages for one in page.tasks}
    return {str(task): one for task, one in seen.items()}, [one for page in pages for one in page.unreadable]


def lines(folder: Path, name: str, *rows: object) -> None:
    (folder / name).write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))


def _as_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("\ufeff" + "\r\n\r\n".join(json.dumps(row) for row in rows))


def _as_array(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows, indent=2))


def _as_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    import csv

    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)


def _as_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)


FORMATS: dict[str, Callable[[Path, Sequence[dict[str, Any]]], None]] = {
    ".jsonl": _as_lines,
    ".json": _as_array,
    ".csv": _as_table,
    ".tsv": _as_table,
    ".parquet": _as_parquet,
}


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_of_tasks_says_the_same_in_every_format(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"mails{ending}"
    FORMATS[ending](path, MAILS)
    lines(tmp_path, "mails.labels.jsonl", {"id": "b", "label": "ham"})
    seen, unreadable = read(tmp_path)
    assert [dict(one.task.data) for one in seen.values()] == MAILS
    assert (unreadable, seen["a"].closed, seen["b"].closed) == ([], False, True)
    connector = opened(tmp_path)
    cursor = list(connector.changed_tasks(None))[-1].cursor
    assert list(connector.changed_tasks(cursor)) == []
    FORMATS[ending](path, [*MAILS, {"id": "c", "text": "one more", "sender": "w"}])
    assert "c" in {one.task.id for page in connector.changed_tasks(cursor) for one in page.tasks}
    assert connector.vanished_tasks({TaskId("a"), TaskId("z")}) == {"z"}


def test_labels_of_what_is_not_to_be_labeled_are_set_aside_by_line_and_leave_their_task_open(tmp_path: Path) -> None:
    lines(tmp_path, "mails.jsonl", *MAILS, {"id": "c", "text": "late"})
    of_one = {"kind": "choice", "labels": ["ham", "spam"], "inputs": ["text"]}
    kinds = [{"name": name, **of_one} for name in ("kind", "who")]
    given = {"id": "a", "labels": {"kimd": "spam"}}, {"id": "b", "labels": {"kind": "ham"}}, {"id": "c", "label": "ham"}
    (tmp_path / "mails.schema.json").write_text(json.dumps({"targets": kinds}))
    lines(tmp_path, "mails.labels.jsonl", *given)
    seen, unreadable = read(tmp_path)
    assert {task: one.closed for task, one in seen.items()} == {"a": False, "b": True, "c": False}
    assert [one.reason for one in unreadable] == [
        f"Line {line} of mails.labels.jsonl labels '{name}', but what there is to label is 'kind', 'who': write "
        '{"id": …, "labels": {"kind": …}}.'
        for line, name in ((1, "kimd"), (3, "label"))
    ]
    (tmp_path / "mails.schema.json").write_text(json.dumps({"targets": kinds[:1]}))  # now it is plain what is meant
    seen, unreadable = read(tmp_path)
    assert [dict(one.labels) for one in seen["c"].annotations] == [{"kind": "ham"}]
    assert [one.task for one in unreadable] == ["a"]


def test_a_large_array_is_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_CHUNK", 3)
    rows = [{"id": number, "text": "é" * number, "more": [{"deep": -1.5e3}]} for number in range(1, 20)]
    (tmp_path / "mails.json").write_text(" [ " + " , ".join(json.dumps(row) for row in rows) + ', 3, "four"]\n')
    seen, unreadable = read(tmp_path)
    assert [one.task.data for one in seen.values()] == rows
    assert [one.task for one in unreadable] == ["line 20 of mails.json", "line 21 of mails.json"]


def test_tasks_without_an_id_are_known_by_what_they_hold_wherever_they_stand(tmp_path: Path) -> None:
    rows = [{"text": f"mail {number}", "sender": "x"} for number in range(5)]
    lines(tmp_path, "mails.jsonl", *rows)
    before, _ = read(tmp_path)
    turned = [{name: row[name] for name in reversed(row)} for row in reversed(rows)]
    lines(tmp_path, "mails.jsonl", {"text": "one more"}, *turned, rows[0])
    after, _ = read(tmp_path)
    assert len(before) == 5
    assert {task: after[task].task.data for task in before} == {task: one.task.data for task, one in before.items()}
    assert len(after) == 6


def test_the_order_of_tasks_without_an_id_can_be_labeled_from_and_be_the_tasks_of_tomorrow(tmp_path: Path) -> None:
    lines(tmp_path, "mails.jsonl", {"text": "win"}, {"text": "four"})
    list(opened(tmp_path).prepare())
    ordered = [json.loads(line) for line in (tmp_path / "mails.next.jsonl").open()]
    lines(tmp_path, "mails.labels.jsonl", {"id": ordered[0]["id"], "label": "spam"})
    seen, _ = read(tmp_path)
    assert [one.closed for one in seen.values()] == [True, False]
    (tmp_path / "mails.next.jsonl").rename(tmp_path / "mails.jsonl")
    again, _ = read(tmp_path)
    assert [(task, one.closed) for task, one in again.items()] == [(task, one.closed) for task, one in seen.items()]


def test_the_later_row_counts_where_two_have_one_id_and_the_order_has_it_once(tmp_path: Path) -> None:
    lines(tmp_path, "mails.jsonl", {"id": 1, "text": "old"}, {"id": 2, "text": "two"}, {"id": 1, "text": "new"})
    seen, _ = read(tmp_path)
    assert {task: one.task.data["text"] for task, one in seen.items()} == {"1": "new", "2": "two"}
    opened(tmp_path).place(QueueVersion("v"), Ranking((), "none"), [])
    assert [json.loads(line)["text"] for line in (tmp_path / "mails.next.jsonl").open()] == ["two", "new"]


def test_a_line_that_is_broken_is_named_by_its_number_or_by_the_id_it_still_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("lines", "rows"):
        monkeypatch.setattr(f"nextlabel_connectors.files.{module}.LONGEST_LINE", 200)
    long = json.dumps({"id": "long", "text": "x" * 300})
    lines(tmp_path, "mails.jsonl", MAILS[0], "{broken", '{"id": "c", "text": ', long, "[1]", {"id": []}, MAILS[1])
    lines(tmp_path, "mails.labels.jsonl", {"id": "a"}, "nothing", {"label": "ham"}, {"id": "b", "label": "ham"})
    seen, unreadable = read(tmp_path)
    assert list(seen) == ["a", "b"]
    assert labels_in_force(seen["b"].annotations) == {"label": "ham"}
    names = {one.name: one.reason for one in unreadable}
    assert list(names) == [
        "task line 2 of mails.labels.jsonl",
        "task line 3 of mails.labels.jsonl",
        "annotation line 1 of task a",
        "task line 2 of mails.jsonl",
        "task c",
        "task long",
        "task line 5 of mails.jsonl",
        "task line 6 of mails.jsonl",
    ]
    assert names["task long"] == "Line 4 of mails.jsonl has more than 200 bytes."
    assert set(opened(tmp_path).vanished_tasks({one.task for one in unreadable})) == set()


@pytest.mark.parametrize("ending", [".jsonl", ".json"])
def test_a_row_that_is_nested_too_deeply_keeps_no_other_from_being_read_and_ordered(
    tmp_path: Path, ending: str
) -> None:
    deep = '{"id": "deep", "text": "x", "more": ' + "[" * 600 + "]" * 600 + "}"
    rows = [json.dumps(MAILS[0]), deep, json.dumps(MAILS[1])]
    text = "".join(f"{row}\n" for row in rows) if ending == ".jsonl" else f"[{','.join(rows)}]"
    (tmp_path / f"mails{ending}").write_text(text)
    seen, unreadable = read(tmp_path)
    assert list(seen) == ["a", "b"]
    assert ["nested more than" in one.reason for one in unreadable] == [True]
    opened(tmp_path).place(QueueVersion("v"), Ranking((), "none"), [])
    assert opened(tmp_path).head_of_queue(9) == ["a", "b"]


def test_what_somebody_is_still_writing_is_left_for_the_next_time(tmp_path: Path) -> None:
    lines(tmp_path, "mails.jsonl", *MAILS)
    with (tmp_path / "mails.jsonl").open("a") as file:
        file.write('{"id": "c", "te')
    connector = opened(tmp_path)
    pages = list(connector.changed_tasks(None))
    assert [one.task.id for page in pages for one in page.tasks] == ["a", "b"]
    with (tmp_path / "mails.jsonl").open("a") as file:
        file.write('xt": "late"}')  # whole, though nothing ends the line
    assert [one.task.id for page in connector.changed_tasks(pages[-1].cursor) for one in page.tasks] == ["c"]


@pytest.mark.parametrize(
    ("labels", "kind", "names"),
    [
        (["spam", "ham", "spam"], "choice", ("spam", "ham")),
        ([True, False], "choice", ("true", "false")),
        ([["a", "b"], [], ["c"]], "choices", ("a", "b", "c")),
        ([3, 4.5], "number", ()),
        ([[[0, 3, "WHO"]], [{"start": 1, "end": 2, "label": "WHAT"}], []], "spans", ("WHO", "WHAT")),
        ([1, "one"], "choice", ("one",)),
    ],
)
def test_without_a_schema_file_what_is_labeled_shows_what_there_is_to_label(
    tmp_path: Path, labels: list[object], kind: str, names: tuple[str, ...]
) -> None:
    lines(
        tmp_path, "mails.jsonl", *({"id": n, "text": "win", "n": n, "pic": "a/b.JPG", "label": "x"} for n in range(9))
    )
    lines(tmp_path, "mails.labels.jsonl", *({"id": n, "label": label} for n, label in enumerate(labels)))
    (target,) = opened(tmp_path).label_schema().targets
    assert (target.name, target.kind, target.labels) == ("label", kind, names)
    assert target.inputs == (Input("text"), Input("pic", "image"))
    seen, _ = read(tmp_path)
    given = [labels_in_force(seen[str(n)].annotations)["label"] for n, _ in enumerate(labels)]
    assert all(target.read(label) is not None for label in given if label != "1")


def test_a_schema_file_says_what_is_to_be_labeled(tmp_path: Path) -> None:
    lines(tmp_path, "mails.jsonl", *MAILS)
    (tmp_path / "mails.schema.toml").write_text(
        'targets = [{name = "kind", labels = ["0", "1"], inputs = ["text"]},\n'
        '{name = "rank", kind = "number", low = 0, high = 5, inputs = [{field = "text", kind = "dialogue"}]}]'
    )
    lines(tmp_path, "mails.labels.jsonl", {"id": "a", "labels": {"kind": 1, "rank": 2}, "seconds": 4})
    kind, rank = opened(tmp_path).label_schema().targets
    assert (kind.kind, kind.inputs, rank.scale and rank.scale.high) == ("choice", (Input("text"),), 5)
    (annotation,) = read(tmp_path)[0]["a"].annotations
    assert (annotation.labels, annotation.seconds) == ({"kind": "1", "rank": 2}, 4.0)


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "[]",
        '{"profile": "excel"}',
        '{"targets": [{"kind": "choice"}]}',
        '{"targets": [{"name": "kind", "labels": ["a"]}]}',
        '{"targets": [{"name": "kind", "kind": "pose", "labels": ["a"], "inputs": ["text"]}]}',
        '{"targets": ["kind"]}',
    ],
)
def test_a_schema_file_that_cannot_be_used_is_named(tmp_path: Path, wrong: str) -> None:
    lines(tmp_path, "mails.jsonl", *MAILS)
    (tmp_path / "mails.schema.json").write_text(wrong)
    with pytest.raises(SchemaError, match=r"mails\.schema\.json cannot be used: .+ docs/files\.md"):
        opened(tmp_path).label_schema()
    assert [one.level for one in opened(tmp_path).prepare()] == ["problem"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "mails.jsonl holds no task yet: write one task a line"),
        ("not json\n", "Line 1 of mails.jsonl is no JSON"),
        ('{"id": 1, "weight": 3}\n', "name the fields to learn from in mails.schema.json"),
    ],
)
def test_a_file_of_which_nothing_can_be_learned_is_refused_with_what_to_write(
    tmp_path: Path, content: str, says: str
) -> None:
    (tmp_path / "mails.jsonl").write_text(content)
    (found,) = opened(tmp_path).prepare()
    assert (found.level, says in found.message) == ("problem", True)


def test_the_latest_label_counts_by_its_time_and_without_one_by_its_line(tmp_path: Path) -> None:
    lines(tmp_path, "mails.jsonl", *MAILS)
    lines(
        tmp_path,
        "mails.labels.jsonl",
        {"id": "a", "by": "x", "label": "late", "at": "2026-01-02T00:00:00+01:00"},
        {"id": "a", "by": "y", "label": "early", "at": "2026-01-01"},
        {"id": "b", "by": "x", "label": "first"},
        {"id": "b", "by": "y", "label": "second", "at": "no time"},
    )
    seen, _ = read(tmp_path)
    assert [labels_in_force(seen[task].annotations)["label"] for task in "ab"] == ["late", "first"]


@pytest.mark.parametrize("address", ["mails", "https://example.org/mails", "s3://bucket/mails"])
def test_what_is_no_whole_path_is_no_address(address: str) -> None:
    with pytest.raises(ToolRejected):
        CONNECTOR.open(ToolAccess(address), ToolProjectId("mails"))


@pytest.mark.parametrize("project", ["", "../mails", ".mails", "a/b", "mails.labels", "mails.next", "x" * 65])
def test_what_leads_elsewhere_is_no_project(tmp_path: Path, project: str) -> None:
    with pytest.raises(ToolRejected, match="name of a file of tasks"):
        opened(tmp_path, project)


def test_two_files_of_tasks_of_one_name_and_a_cut_off_array_are_refused_with_what_to_do(tmp_path: Path) -> None:
    lines(tmp_path, "mails.jsonl", *MAILS)
    (tmp_path / "mails.csv").write_text("text\nwin\n")
    with pytest.raises(ToolRejected, match=r"move all but one away"):
        read(tmp_path)
    for path in tmp_path.glob("mails*"):
        path.unlink()
    (tmp_path / "mails.json").write_text('[{"text": "win"}, {"te')
    with pytest.raises(ToolUnavailable, match=r"cut off"):
        read(tmp_path)


def test_pictures_are_read_below_the_folder_only(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "in" / "a.png").write_bytes(b"picture")
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "secret")
    connector = opened(tmp_path / "in")
    assert connector.file("a.png") == connector.file("data:image/png;base64,cGljdHVyZQ==") == b"picture"
    for address in (
        "../secret",
        str(tmp_path / "secret"),
        "link.png",
        "gone.png",
        "a\0b",
        "data:text/plain,x",
        "http://x/y",
    ):
        with pytest.raises(FileUnavailable):
            connector.file(address)
