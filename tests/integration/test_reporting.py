"""`nextlabel report`: one file with the project's story, the same figures as everywhere, and nobody's name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import Result

from integration import commands
from nextlabel.cli import EXIT_CONFIGURATION
from nextlabel.settings import Settings

if TYPE_CHECKING:
    from integration.conftest import Team

Run = Callable[..., Result]


@pytest.fixture
def run(settings: Settings) -> Run:
    return commands.on(settings)


@pytest.fixture
def told(team: Team) -> Team:
    """A project that was labeled for a while, with audit tasks, in several rounds."""
    team.choose(audit_share=0.3)
    team.import_mails(200)
    team.run()
    for _ in range(3):
        team.work(35)
        team.run()
    return team


class Page(HTMLParser):
    """What a page would load or run, and its words."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "action", "srcset", "data")]
        self.loads += [f"{tag} {name}" for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def test_the_story_is_one_file_that_loads_nothing_and_has_the_figures_of_status(
    told: Team, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "story.html"
    done = run("report", told.project, "-o", str(path))
    assert done.exit_code == 0, done.stderr
    text = path.read_text(encoding="utf-8").replace("\u202f", "")
    page = Page()
    page.feed(text)
    assert (page.loads, page.tags & {"script", "link", "img", "iframe", "base"}) == ([], set())
    assert not re.search(r"url\(|@import|https?://", text)
    assert "svg" in page.tags
    (known,) = json.loads(run("status", "--project", told.project, "--json").stdout)["projects"]
    words = " ".join(page.words)
    found = known["accuracy"]["label"]
    assert f"{found['value']:.1%} {found['low']:.1%} to {found['high']:.1%}, on {found['n']} audit labels" in words
    assert known["stopping"]["sentence"] in words
    for sentence in (known["at_a_time"], known["queue_verified"], known["from_order"]):
        assert sentence["sentence"] in words
    assert all(one["version"] in words for one in known["versions"])
    assert "ann" not in page.words
    assert "annotator" in page.words


def test_as_json_it_has_the_same_without_the_tools_address_or_names(told: Team, run: Run) -> None:
    story = json.loads(run("report", "--project", told.project, "--json").stdout)
    (known,) = json.loads(run("status", "--project", told.project, "--json").stdout)["projects"]
    for one in (story["project"], known):
        one.pop("pulled_seconds_ago")
    for address in ("url", "lists"):
        known.pop(address)
    known["options"].pop("parameters")
    assert story["project"] == known
    assert [one["tasks"] for one in story["annotators"]["people"]] == [105]
    assert '"ann"' not in json.dumps(story)


def test_a_project_that_wants_nothing_said_of_people_has_none_in_its_story(told: Team, run: Run) -> None:
    told.choose(audit_share=0.3, annotators="off")
    assert json.loads(run("report", told.project, "--json").stdout)["annotators"] is None
    assert "annotators=off" in run("report", told.project, "-o", "-").stdout


def test_what_a_stranger_wrote_is_text_in_the_story(team: Team, run: Run) -> None:
    team.ask("ham", "<script>alert(1)</script>")
    (mail, *_) = team.import_mails(30)
    team.label(mail, "<script>alert(1)</script>")
    team.run()
    assert "<script" not in run("report", team.project, "-o", "-").stdout


def test_every_heading_of_a_project_without_tasks_has_something_below_it(team: Team, run: Run) -> None:
    team.choose(audit_share=0.1)
    team.run()
    story = run("report", team.project, "-o", "-").stdout
    assert "not measured: there are no tasks" in story
    _, *parts = re.split(r"<h2[^>]*>(.*?)</h2>", story)
    below = {title: re.sub(r"<[^>]*>|\s", "", part) for title, part in zip(parts[::2], parts[1::2], strict=True)}
    assert [title for title, words in below.items() if not words] == []


def test_the_project_is_named_once(team: Team, run: Run) -> None:
    assert run("report").exit_code == 2
    assert run("report", "one", "--project", "other").exit_code == 2
    assert run("report", "no-such-project").exit_code == EXIT_CONFIGURATION


def test_what_a_model_of_your_own_is_given_is_in_no_report(told: Team, run: Run) -> None:
    told.choose(audit_share=0.3, parameters={"api_key": "sk-hidden"})
    assert "sk-hidden" not in run("report", told.project, "--json").stdout
    assert "sk-hidden" not in run("report", told.project, "-o", "-").stdout
