"""`nextlabel simulate` on what Label Studio exports of one project: the same result, or a reason for none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from e2e.running import texts
from everything import representing
from nextlabel.cli import EXIT_CONFIGURATION, cli
from nextlabel_connectors.label_studio.testing import LabelStudioPerson
from nextlabel_connectors.label_studio.testing.people import chosen, single_choice

SUFFIX = {"JSON": ".json", "JSON_MIN": ".json", "CSV": ".csv", "TSV": ".csv"}
"""What Label Studio calls the files."""
CONFIG = single_choice(("winter", "kitchen")).replace('name="label"', 'name="about"')
OTHERS = {"CONLL2003": ".conll", "COCO": ".zip", "YOLO": ".zip", "ASR_MANIFEST": ".zip", "BRUSH_TO_NUMPY": ".zip"}
ODD = (
    *('with "quotes", commas', "two\nlines", "Ünïcode 标题", '{"json": "like"}', "[1, 2/3]", " spaces ", "5", "a\tb"),
    *("http://a/b", "'"),
)


@pytest.fixture(scope="module")
def project(owner: LabelStudioPerson) -> int:
    """Some tasks are labeled twice, one is skipped, and one is open."""
    project = owner.create_project("exports", CONFIG)
    data: list[dict[str, object]] = [
        {"text": text, "n": n, "share": n / 7, "seen": bool(n % 2), "of": {"a": [n, "/x"]}, "none": None}
        for n, text in enumerate((*texts(60), *ODD))
    ]
    *tasks, skipped, _ = owner.import_tasks(project, data)
    for n, task in enumerate(tasks):
        owner.submit_result(task, about(("winter", "kitchen")[n % 3 == 0]))
    owner.submit_result(tasks[0], about("winter"))
    first = owner.submit_result(tasks[1], about("kitchen"))
    owner.submit_result(tasks[1], about("winter"))
    owner.mark_as_ground_truth(first)
    owner.skip(skipped)
    return project


def about(label: str) -> list[dict[str, object]]:
    return [{**one, "from_name": "about"} for one in chosen(label)]


def simulated(owner: LabelStudioPerson, project: int, kind: str, file: Path, *options: str) -> Result:
    file.write_bytes(owner.export(project, kind))
    quick = ["--strategy", "margin", "--seeds", "1", "--budget", "20", "--workers", "1", "--json", "-"]
    return CliRunner().invoke(cli, ["simulate", str(file), *quick, *options])


def result(done: Result) -> object:
    assert done.exit_code == 0, done.output
    received = json.loads(done.stdout)
    for one in (*received["curves"], *received["summaries"]):
        del one["seconds"]
    return {**received, "data": ""}


def test_every_format_gives_the_same_result(owner: LabelStudioPerson, project: int, tmp_path: Path) -> None:
    done = {kind: simulated(owner, project, kind, tmp_path / f"{kind}{end}") for kind, end in SUFFIX.items()}
    for kind, one in done.items():
        assert "The label is the column 'about', learned from 'text'." in one.stderr, kind
        assert ": 68 texts, 2 classes" in one.stderr, kind
        assert result(one) == result(done["JSON"]), kind


def test_where_fields_could_be_labels_too_it_is_asked_which_column_is(owner: LabelStudioPerson, tmp_path: Path) -> None:
    """In CSV and TSV; the others tell."""
    project = owner.create_project("two of a kind", CONFIG)
    data: list[dict[str, object]] = [
        {"text": text, "source": ("web", "mail")[n % 2]} for n, text in enumerate(texts(60))
    ]
    for n, task in enumerate(owner.import_tasks(project, data)):
        owner.submit_result(task, about(("winter", "kitchen")[n % 3 == 0]))
    results = []
    for kind, end in SUFFIX.items():
        file = tmp_path / f"{kind}{end}"
        if kind in ("CSV", "TSV"):
            asked = simulated(owner, project, kind, file)
            assert asked.exit_code == EXIT_CONFIGURATION
            assert "'about' with 'kitchen', 'winter'; 'source' with 'web', 'mail'" in asked.stderr
        results.append(result(simulated(owner, project, kind, file, "--label", "about")))
    assert all(one == results[0] for one in results)


KINDS = (
    '<View><Text name="text" value="$text"/><Choices name="topics" toName="text" choice="multiple">'
    '<Choice value="cold"/><Choice value="warm"/></Choices><Number name="size" toName="text"/>'
    '<Labels name="parts" toName="text"><Label value="first"/></Labels></View>'
)
METRICS = {"topics": "micro_f1", "size": "correlation", "parts": "f1"}


def answered(n: int, text: str) -> list[dict[str, object]]:
    """Some topics, a number, and the first word marked, in every third task none."""
    topics = [name for name, every in (("cold", 2), ("warm", 3)) if n % every == 0] or ["warm"]
    word = text.split(maxsplit=1)[0]
    first = {"start": 0, "end": len(word), "text": word, "labels": ["first"]}
    results: list[tuple[str, str, dict[str, object]]] = [
        ("topics", "choices", {"choices": topics}),
        ("size", "number", {"number": n + 0.5}),
        *([("parts", "labels", first)] if n % 3 else []),
    ]
    return [{"from_name": name, "to_name": "text", "type": kind, "value": value} for name, kind, value in results]


def test_every_kind_of_label_gives_the_same_result_in_every_format(owner: LabelStudioPerson, tmp_path: Path) -> None:
    project = owner.create_project("kinds", KINDS)
    words = texts(60)
    for n, task in enumerate(owner.import_tasks(project, [{"text": text} for text in words])):
        owner.submit_result(task, answered(n, words[n]))
    for label, metric in METRICS.items():
        done = {
            kind: simulated(owner, project, kind, tmp_path / f"{kind}{end}", "--label", label, "--metric", metric)
            for kind, end in SUFFIX.items()
        }
        for kind, one in done.items():
            assert result(one) == result(done["JSON"]), (label, kind)
        assert json.loads(done["JSON"].stdout)["metric"] == metric


@pytest.mark.parametrize("kind", representing(OTHERS, {"YOLO", "ASR_MANIFEST", "BRUSH_TO_NUMPY"}))
def test_a_format_without_labels_of_tasks_says_which_to_take(
    kind: str, owner: LabelStudioPerson, project: int, tmp_path: Path
) -> None:
    done = simulated(owner, project, kind, tmp_path / f"export{OTHERS[kind]}")
    assert done.exit_code == EXIT_CONFIGURATION
    assert kind.split("_", maxsplit=1)[0].lower() in done.stderr.lower()
    assert "export the project from Label Studio as JSON, JSON_MIN, CSV or TSV" in done.stderr.replace("\n", " ")
