"""`nextlabel doctor` beside tools that take their time."""

from __future__ import annotations

from dataclasses import replace
from threading import Barrier

from integration.conftest import Team
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import Connector
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.memory import MemoryTool


def test_a_tool_that_takes_long_to_answer_does_not_hold_up_what_is_found_of_other_projects(
    team: Team, tool: MemoryTool
) -> None:
    other = Team(tool, team.parts, tool.create_project(["ham", "spam"]))
    other.choose()
    together = Barrier(2)

    def open_connector(connection: Connection) -> Connector:
        together.wait(CEILING_SECONDS)  # until the other project is asked about too
        return team.parts.open_connector(connection)

    doctor = replace(team.parts.doctor, open_connector=open_connector)
    found = [(one.project, one.name) for one in doctor.examine() if one.project is not None]
    assert found == [(team.project, "no-model"), (other.project, "no-model")]


def test_why_the_last_round_failed_is_named_where_nothing_else_tells_it(team: Team) -> None:
    team.import_mails(20)
    team.run()
    why = 'Pictures need Pillow: pip install "nextlabel[images]".'
    team.parts.rounds.add(team.project, 0.5, why, failed=True, kind="SettingsError")
    team.parts.rounds.add(team.project, 0.0, "somebody changed the sampling", failed=True)  # a finding, and no round
    (found,) = [one for one in team.parts.doctor.examine(team.project) if one.name == "round-failed"]
    assert why in found.message
    team.run()
    assert [one.name for one in team.parts.doctor.examine(team.project) if one.project] == []
