"""Prodigy's and UBIAI's files, as their public documentation shows them. Nothing here was ever run in either tool.

The examples are made up, in the shapes of prodi.gy/docs/api-interfaces, of the recipes in explosion/prodigy-recipes
(``choice.py``, ``textcat_manual.py``, ``textcat_custom_model.py``), and of the export that UBIAI's authors read in
walidamamou/relation_extraction_transformer (``binary_converter.py``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nextlabel.labeling import Guess, Input, Prediction, QueueVersion, Span, TaskId, ToolProjectId, labels_in_force
from nextlabel.labeling.ranking import RankedTask, Ranking
from nextlabel.ports.tool import ToolAccess
from nextlabel_connectors.files import CONNECTOR, FilesConnector

V = QueueVersion("nextlabel-1")
HASHES = {"_input_hash": 17, "_task_hash": -4}
OPTIONS: list[dict[str, Any]] = [{"id": "BANANA", "text": "a banana"}, {"id": "CAR", "text": "a car"}]
CHOICE: list[dict[str, Any]] = [
    {"text": "yellow and sweet", "options": OPTIONS, "meta": {"source": "shop"}},
    {"text": "red and fast", "options": OPTIONS},
]
BINARY: list[dict[str, Any]] = [{"text": "you fool", "label": "INSULT"}, {"text": "thank you", "label": "INSULT"}]
ENTITIES: list[dict[str, Any]] = [
    {"text": "Anna saw Bonn", "spans": [{"start": 9, "end": 13, "label": "CITY"}]},
    {"text": "Otto slept", "spans": []},
]
DOCUMENTS: list[dict[str, Any]] = [
    {
        "documentName": "one.txt",
        "document": "Anna studied law",
        "tokens": [{"text": "law", "start": 13, "end": 16, "token_start": 2, "token_end": 2, "entityLabel": "MAJOR"}],
        "relations": [],
    },
    {"documentName": "two.txt", "document": "Otto slept", "tokens": [], "relations": []},
]


def lines(path: Path, *rows: object) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def opened(folder: Path) -> FilesConnector:
    connector = CONNECTOR.open(ToolAccess(str(folder)), ToolProjectId("mails"))
    assert isinstance(connector, FilesConnector)
    return connector


def labels_of(folder: Path) -> list[dict[str, object]]:
    """The labels in force of each task, in their order."""
    pages = opened(folder).changed_tasks(None)
    return [labels_in_force(seen.annotations) for page in pages for seen in page.tasks]


def ordered(folder: Path, *guesses: Guess) -> list[dict[str, Any]]:
    """The order that is written when the last task comes first, and the model says this of it."""
    tasks = opened(folder).head_of_queue(9)
    first = tasks[-1]
    window = Ranking((RankedTask(TaskId(first), 0.75),), "test")
    opened(folder).place(V, window, [Prediction(first, V, guesses, 0.5, 0.75)])
    return [json.loads(line) for line in (folder / "mails.next.jsonl").open()]


def test_choices_made_in_prodigy_are_read_from_its_export(tmp_path: Path) -> None:
    lines(tmp_path / "mails.jsonl", *CHOICE)
    accepted = {**CHOICE[0], **HASHES, "accept": ["BANANA"], "answer": "accept", "_timestamp": 1_700_000_000}
    lines(tmp_path / "mails.labels.jsonl", accepted, {**CHOICE[1], **HASHES, "accept": ["CAR"], "answer": "reject"})
    (target,) = opened(tmp_path).label_schema().targets
    assert (target.name, target.kind, target.labels) == ("accept", "choice", ("BANANA", "CAR"))
    assert labels_of(tmp_path) == [{"accept": "BANANA"}, {}]
    lines(tmp_path / "mails.labels.jsonl", {**accepted, "accept": ["CAR", "BANANA"]})
    assert opened(tmp_path).label_schema().targets[0].kind == "choices"
    assert labels_of(tmp_path) == [{"accept": ["CAR", "BANANA"]}, {}]


def test_answers_of_yes_and_no_are_labels_themselves(tmp_path: Path) -> None:
    lines(tmp_path / "mails.jsonl", *BINARY, {"text": "you fool", "label": "PRAISE"})
    answers = [{**row, **HASHES, "answer": answer} for row, answer in zip(BINARY, ("accept", "reject"), strict=True)]
    lines(tmp_path / "mails.labels.jsonl", *answers)
    (target,) = opened(tmp_path).label_schema().targets
    assert (target.name, target.labels) == ("answer", ("accept", "reject"))
    assert target.inputs == (Input("text"), Input("label"))  # one text may be asked about twice
    assert labels_of(tmp_path) == [{"answer": "accept"}, {"answer": "reject"}, {}]


def test_spans_drawn_in_prodigy_are_labels_and_what_was_rejected_or_ignored_is_not(tmp_path: Path) -> None:
    lines(tmp_path / "mails.jsonl", *ENTITIES)
    for answer, expected in {"accept": {"spans": [[9, 13, "CITY"]]}, "reject": {}, "ignore": {}}.items():
        lines(tmp_path / "mails.labels.jsonl", {**ENTITIES[0], **HASHES, "answer": answer})
        assert labels_of(tmp_path) == [expected, {}]
        (seen, _) = (one for page in opened(tmp_path).changed_tasks(None) for one in page.tasks)
        assert [one.skipped for one in seen.annotations] == [not expected]


def test_an_answer_that_is_none_is_named(tmp_path: Path) -> None:
    lines(tmp_path / "mails.jsonl", *BINARY)
    lines(tmp_path / "mails.labels.jsonl", {**BINARY[0], "answer": "yes"})
    (page,) = opened(tmp_path).changed_tasks(None)
    assert [one.reason for one in page.unreadable] == [
        "Line 1 of mails.labels.jsonl: its 'answer' is none of accept, reject and ignore."
    ]


@pytest.mark.parametrize(
    ("tasks", "guess", "score", "added"),
    [
        (CHOICE, Guess("accept", "CAR", 0.8), 0.8, {"accept": ["CAR"]}),
        (BINARY, Guess("answer", "reject", 0.9), 0.1, {}),
        (
            ENTITIES,
            Guess("spans", (Span(0, 4, "CITY"),), 0.6),
            0.6,
            {"spans": [{"start": 0, "end": 4, "label": "CITY"}]},
        ),
    ],
)
def test_the_order_for_prodigy_is_its_tasks_with_a_score_and_a_place_and_no_hashes(
    tmp_path: Path, tasks: list[dict[str, Any]], guess: Guess, score: float, added: dict[str, object]
) -> None:
    lines(tmp_path / "mails.jsonl", *tasks)
    (tmp_path / "mails.schema.json").write_text('{"profile": "prodigy"}')
    first, second = ordered(tmp_path, guess)
    ours = first["meta"].pop("nextlabel")
    assert (ours["rank"], ours["utility"], ours["version"]) == (1, 0.75, V)
    assert first == {**tasks[1], **added, "meta": {"score": score}}
    assert second["meta"].pop("nextlabel")["rank"] is None
    assert second == {"meta": {}} | tasks[0]
    assert not {key for row in (first, second) for key in row if key.startswith("_")}
    assert opened(tmp_path).queue_in_force() == V


def test_what_is_labeled_from_the_order_finds_its_task_whatever_a_recipe_adds(tmp_path: Path) -> None:
    lines(tmp_path / "mails.jsonl", *CHOICE)
    first, _ = ordered(tmp_path)
    answered = {**first, **HASHES, "text": "RED AND FAST", "accept": ["CAR"], "answer": "accept", "config": {}}
    lines(tmp_path / "mails.labels.jsonl", answered)
    assert labels_of(tmp_path) == [{}, {"accept": "CAR"}]


def test_plain_texts_may_be_labeled_in_prodigy_and_read_from_its_export(tmp_path: Path) -> None:
    """`textcat.manual` adds options to what it loads, and the export holds all of it."""
    lines(tmp_path / "mails.jsonl", {"text": "yellow and sweet"}, {"text": "red and fast"})
    first, second = ordered(tmp_path)
    more = {**HASHES, "options": OPTIONS, "_view_id": "choice", "config": {"choice_style": "single"}}
    answers = [{**first, **more, "accept": ["CAR"], "answer": "accept"}, {**second, **more, "answer": "ignore"}]
    lines(tmp_path / "mails.labels.jsonl", *answers)
    (target,) = opened(tmp_path).label_schema().targets
    assert (target.name, target.kind, target.labels) == ("accept", "choice", ("CAR",))
    assert target.inputs == (Input("text"),)
    assert labels_of(tmp_path) == [{}, {"accept": "CAR"}]


def test_documents_of_ubiai_are_read_with_their_entities(tmp_path: Path) -> None:
    (tmp_path / "mails.json").write_text(json.dumps([{**one, "tokens": []} for one in DOCUMENTS]))
    lines(tmp_path / "mails.labels.jsonl", DOCUMENTS[0])
    (target,) = opened(tmp_path).label_schema().targets
    assert (target.name, target.kind, target.labels) == ("entities", "spans", ("MAJOR",))
    assert target.inputs == (Input("document"),)
    assert labels_of(tmp_path) == [{"entities": [[13, 16, "MAJOR"]]}, {}]


def test_the_order_for_ubiai_is_an_array_of_documents_with_the_predicted_entities(tmp_path: Path) -> None:
    (tmp_path / "mails.json").write_text(json.dumps([DOCUMENTS[0], {**DOCUMENTS[1], "tokens": []}]))
    ordered(tmp_path, Guess("entities", (Span(0, 4, "MAJOR"),), 0.7))
    predicted = [{"text": "Otto", "start": 0, "end": 4, "entityLabel": "MAJOR"}]
    written = json.loads((tmp_path / "mails.next.json").read_text())
    assert written == [{**DOCUMENTS[1], "tokens": predicted}, DOCUMENTS[0]]


@pytest.mark.parametrize("name", ["plain", "prodigy", "ubiai"])
def test_a_schema_file_may_choose_the_profile(tmp_path: Path, name: str) -> None:
    lines(tmp_path / "mails.jsonl", {"text": "win a prize"})
    (tmp_path / "mails.schema.json").write_text(json.dumps({"profile": name}))
    assert f"read as {name};" in " ".join(one.message for one in opened(tmp_path).prepare())
