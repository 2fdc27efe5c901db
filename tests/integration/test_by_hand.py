"""Rounds that a person asks for, and what all commands have in common: JSON, exit codes, completion."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import Result

from integration import commands
from nextlabel.cli import EXIT_CODES, EXIT_CONFIGURATION, cli
from nextlabel.settings import Settings

if TYPE_CHECKING:
    from integration.conftest import Team

Run = Callable[..., Result]
DOCS = Path(__file__).parents[2] / "docs"
# Processes that go on until they are ended, and what is no report, or JSON anyway.
WITHOUT_JSON = {"demo", "serve", "up", "work", "worker-process", "notes-process", "next", "completion"}


@pytest.fixture
def run(settings: Settings) -> Run:
    return commands.on(settings)


def test_train_takes_a_round_and_says_what_came_of_it(team: Team, run: Run) -> None:
    team.import_mails(80)
    team.run()
    team.work(20)
    done = run("train", team.project, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["version"], told["serves"], told["labels"]) == (team.serving.version, True, 20)
    assert (told["queue"], told["in_order"]) == (team.in_force(), 60)
    assert set(team.learned.values()) == {"ham", "spam"}
    again = run("train", "--project", team.project)
    assert again.exit_code == 0
    assert "nothing new to learn, the order stands" in again.stdout
    (known,) = json.loads(run("status", "--project", team.project, "--json").stdout)["projects"]
    assert any(f"model {told['version']} serves" in one["summary"] for one in known["rounds"])


def test_reorder_writes_the_order_of_the_version_in_service_once_more_and_learns_nothing(team: Team, run: Run) -> None:
    team.import_mails(80)
    team.run()
    team.work(20)
    team.run()
    version, before, order = team.serving.version, team.in_force(), team.queue()
    team.work(5)
    done = json.loads(run("reorder", team.project, "--json").stdout)
    assert (done["version"], team.serving.version, done["in_order"]) == (None, version, 55)
    assert done["queue"] == team.in_force() != before
    assert set(team.queue()) == set(order[5:])


@pytest.mark.parametrize("command", ["train", "reorder"])
def test_a_project_that_is_paused_is_left_alone(team: Team, run: Run, command: str) -> None:
    team.import_mails(20)
    run("pause", "--project", team.project)
    done = run(command, team.project)
    assert done.exit_code == EXIT_CONFIGURATION
    assert f"nextlabel resume --project {team.project}" in done.stderr.replace("\n", " ")
    assert team.in_force() is None


def test_a_tool_that_does_not_answer_ends_train_with_1_and_is_noted(team: Team, run: Run) -> None:
    team.import_mails(20)
    team.tool.take_down()
    done = run("train", team.project)
    assert (done.exit_code, done.stdout) == (1, "")
    assert team.parts.rounds.last(team.project, 1)[0].failed


def test_pausing_resuming_and_choosing_are_told_as_json(team: Team, run: Run) -> None:
    team.import_mails(60)
    team.run()
    team.work(20)
    team.run()
    name, version = ["--project", team.project, "--json"], team.serving.version
    told = [json.loads(run(command, *name).stdout) for command in ("pause", "pause", "resume", "resume")]
    assert [(one["state"], one["changed"]) for one in told] == [
        *(("paused", True), ("paused", False)),
        *(("active", True), ("active", False)),
    ]
    chosen = json.loads(run("models", "promote", version, *name).stdout)
    assert (chosen["serving"], chosen["chosen"]) == (version, True)
    released = json.loads(run("models", "release", *name).stdout)
    assert (released["serving"], released["chosen"]) == (version, False)


def all_commands(group: click.Group, name: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for one in group.list_commands(context):
        found = group.get_command(context, one)
        assert found is not None
        if isinstance(found, click.Group):
            yield from all_commands(found, f"{name}{one} ")
        else:
            yield f"{name}{one}", found


def test_every_command_that_reports_something_takes_json_and_stands_in_the_readme() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    known = dict(all_commands(cli))
    without = [
        name
        for name, one in known.items()
        if name not in WITHOUT_JSON and not any("--json" in parameter.opts for parameter in one.params)
    ]
    assert without == []
    first_words = {name.partition(" ")[0] for name, one in known.items() if not one.hidden}
    assert [name for name in sorted(first_words) if not re.search(rf"`(nextlabel )?{name}\b", readme)] == []


def test_the_exit_codes_are_those_that_are_documented(team: Team, run: Run) -> None:
    table = re.findall(r"^\| (\d+) \| (.+) \|$", (DOCS / "commands.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {int(code): words for code, words in table} == EXIT_CODES
    assert run("version").exit_code == 0
    assert run("health", "backend", "--url", "http://127.0.0.1:9").exit_code == 1
    assert run("status", "--no-such-option").exit_code == 2
    assert run("check", "--project", "no-such-project").exit_code == EXIT_CONFIGURATION


def test_version_names_what_is_installed_and_what_is_not(run: Run) -> None:
    import sklearn

    told = json.loads(run("version", "--json").stdout)
    assert told["packages"]["scikit-learn"] == sklearn.__version__
    assert run("version").stdout.startswith(f"nextlabel {told['nextlabel']}, Python {told['python']}")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nextlabel", "sta"], {"status"}),
        (["nextlabel", "models", ""], {"list", "show", "promote", "rollback", "release"}),
        (["nextlabel", "export", "predictions", "--format", "p"], {"parquet"}),
        (["nextlabel", "--project", "1", "status", "--j"], {"--json"}),
    ],
)
def test_a_shell_completes_by_the_script_alone(run: Run, tmp_path: Path, words: list[str], expected: set[str]) -> None:
    script = tmp_path / "completion"
    script.write_text(run("completion", "bash").stdout, encoding="utf-8")
    ask = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nextlabel; printf "%s\\n" "${COMPREPLY[@]}"'
    environ = {"PATH": ""}  # so that nothing can be started
    done = subprocess.run(
        ["/bin/bash", "-c", ask, "bash", str(script), *words], env=environ, capture_output=True, text=True, check=True
    )
    assert (set(done.stdout.split()), done.stderr) == (expected, "")


def test_listing_the_commands_loads_none_of_them(run: Run) -> None:
    known = {name: cli.get_command(click.Context(cli), name) for name in cli.list_commands(click.Context(cli))}
    shown = {name for name, one in known.items() if one is not None and not one.hidden}
    listed = re.findall(r"^  ([a-z-]+)  +\S.*[^.…]$", run("--help").stdout, re.MULTILINE)
    assert (set(listed), len(listed)) == (shown, len(shown))
    code = (
        "import sys\nfrom nextlabel.cli import cli\ncli(['--help'], standalone_mode=False)\n"
        "print([name for name in ('numpy', 'sqlalchemy', 'flask', 'rich') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_no_command_waits_for_scikit_learn_before_it_needs_a_model() -> None:
    code = (
        "import click, sys\nfrom nextlabel.cli import cli\ncontext = click.Context(cli)\n"
        "assert all([cli.get_command(context, name) for name in cli.list_commands(context)])\n"
        "print([name for name in ('sklearn', 'scipy.stats', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
