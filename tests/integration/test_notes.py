"""Notes to people: each event once, by a real webhook, after real rounds; and no round waits for it."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import update
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from integration import commands
from nextlabel import wiring
from nextlabel.cli import EXIT_CONFIGURATION
from nextlabel.cli.logs import set_up
from nextlabel.errors import SettingsError
from nextlabel.settings import Settings
from nextlabel.storage.database.tables import notes
from nextlabel.storage.notes import Note
from nextlabel.testing.installation import running
from nextlabel.testing.waiting import CEILING_SECONDS, wait_for
from nextlabel.wiring import Parts
from postgres import NewStore

if TYPE_CHECKING:
    from integration.conftest import Team

SECRET = "T0/B0/hush-hush"


@dataclass
class Channel:
    """A webhook that takes Slack's messages, as a real server on this machine."""

    taken: list[str] = field(default_factory=list)
    answer: int = 200
    location: str = ""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/{SECRET}"

    def __call__(self, environ: object, start_response: object) -> object:
        request = Request(environ)  # type: ignore[arg-type]
        if self.answer == 200:
            assert request.path.endswith(SECRET)
            self.taken.append(json.loads(request.get_data())["text"])
        headers = {"Location": self.location} if self.location else {}
        return Response("ok", self.answer, headers)(environ, start_response)  # type: ignore[arg-type]


@pytest.fixture
def channel() -> Iterator[Channel]:
    channel = Channel()
    server = make_server("127.0.0.1", 0, channel, threaded=True)  # type: ignore[arg-type]
    channel.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield channel
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(settings: Settings, channel: Channel) -> Settings:
    return replace(settings, notes_url=channel.url)


def told(team: Team, channel: Channel) -> Sequence[str]:
    """What comes at the channel when what waits is sent."""
    before = len(channel.taken)
    team.parts.notes.send_waiting()
    return channel.taken[before:]


def time_passes(parts: Parts, by: timedelta) -> None:
    """What was noted is older by that."""
    with parts.database.read() as sql:
        known = sql.execute(notes.select()).all()
    with parts.database.write() as sql:
        for row in known:
            mine = (notes.c.project == row.project) & (notes.c.kind == row.kind) & (notes.c.key == row.key)
            again = row.again_at and row.again_at - by
            sql.execute(update(notes).where(mine).values(at=row.at - by, again_at=again))


def test_a_version_that_is_turned_down_is_told_once_and_a_round_sends_nothing_itself(
    team: Team, channel: Channel
) -> None:
    team.choose(audit_share=0.4)
    team.import_mails(220)
    team.parts.turns.take(team.project)
    audits = sorted(team.parts.reserves.tasks(team.project))
    for some in (audits[:40], audits[40:60]):
        for task in some:
            team.label(task, team.truth[task])
        team.work(30)
        team.parts.turns.take(team.project)
    assert told(team, channel) == []
    for task in set(team.learned) - set(audits):  # somebody changes good labels to wrong ones
        team.tool.submit(team.at_tool, task, "ham" if team.truth[task] == "spam" else "spam", "ann")
    turned_down = label_rightly(team)
    assert channel.taken == []
    (note,) = told(team, channel)
    assert note.startswith(
        f"nextlabel: project {team.project} (memory:{team.at_tool}): {turned_down} was turned down: "
    )
    assert label_rightly(team) != turned_down
    assert told(team, channel) == []


def label_rightly(team: Team) -> str:
    """Some labels more, of which the next version must be worse than the one in service; returns it."""
    team.work(12)
    team.parts.turns.take(team.project)
    newest = team.parts.models.latest(team.project)
    assert newest is not None
    assert newest.state == "turned_down", newest.reason
    return newest.version


def test_each_rollback_is_told(team: Team, channel: Channel) -> None:
    team.import_mails(120)
    for _ in range(3):
        team.parts.turns.take(team.project)
        team.work(20)
    team.parts.versions.rollback(team.project, "<@admin>")
    team.parts.versions.ask_rollback(team.project, "viewer")
    first, second = told(team, channel)
    assert "&lt;@admin&gt; rolled back: nextlabel-" in first
    assert "viewer rolled back" in second


def test_advice_to_stop_is_told_once_for_a_labeling_config(team: Team, channel: Channel) -> None:
    team.choose(audit_share=0.4, target_accuracy=0.6)
    team.import_mails(200)
    team.parts.turns.take(team.project)
    notes_so_far: list[str] = []
    for _ in range(7):
        team.work(22)
        team.parts.turns.take(team.project)
        notes_so_far += told(team, channel)
    advice = team.parts.overview.project(team.project)["stopping"]
    assert advice["stop"]
    (note,) = notes_so_far
    assert "): Stop: " in note


def test_a_tool_that_does_not_answer_is_told_once_however_many_rounds_fail(team: Team, channel: Channel) -> None:
    team.import_mails(20)
    team.tool.take_down()
    for _ in range(5):
        team.parts.circuits.answered(team.parts.connections.get(team.project))
        team.parts.turns.take(team.project)
    (note,) = told(team, channel)
    assert "memory does not answer, 3 times in a row" in note
    team.tool.bring_up()
    time_passes(team.parts, timedelta(hours=2))
    team.parts.turns.take(team.project)
    team.parts.circuits.succeeded(team.parts.connections.get(team.project))
    team.parts.turns.take(team.project)
    team.tool.take_down()
    for _ in range(4):
        team.parts.circuits.answered(team.parts.connections.get(team.project))
        team.parts.turns.take(team.project)
    assert len(told(team, channel)) == 1, "it came up, and went down again"


def test_a_full_disk_is_told_once_though_nothing_can_be_written(team: Team, channel: Channel) -> None:
    team.parts.alarms.raise_("Nothing can be written to /data (No space left on device): make room there.")
    assert told(team, channel) == [
        "nextlabel: Nothing can be written to /data (No space left on device): make room there."
    ]
    assert told(team, channel) == []


def test_what_is_not_taken_is_tried_again_later_and_the_log_never_has_the_address(
    team: Team, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    set_up(replace(team.parts.settings, log_level="DEBUG"))
    caplog.set_level(logging.DEBUG)
    team.parts.notes.rolled_back(team.project, "ann rolled back")
    channel.answer = 500
    assert told(team, channel) == []
    assert "could not be sent (the answer was 500), tried again in 30 s" in caplog.text
    channel.answer = 200
    assert told(team, channel) == [], "it is too early"
    time_passes(team.parts, timedelta(seconds=31))
    assert len(told(team, channel)) == 1
    ours = [record.getMessage() for record in caplog.records if record.name != "werkzeug"]  # which is the other side
    assert SECRET not in "".join(ours)
    assert SECRET not in repr(team.parts.settings)


def test_nobody_there_and_an_answer_that_leads_elsewhere_are_failures_and_end_after_some_tries(
    team: Team, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    team.parts.notes.rolled_back(team.project, "ann rolled back")
    channel.answer, channel.location = 307, channel.url
    for _ in range(9):
        assert team.parts.notes.send_waiting() == 0
        time_passes(team.parts, timedelta(hours=2))
    sentences = [record.getMessage() for record in caplog.records if "a note to people" in record.getMessage()]
    assert (len(sentences), "given up" in sentences[-1]) == (6, True)


def test_a_server_that_never_comes_to_an_end_keeps_no_other_note(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nextlabel.service.notes._MOST_SECONDS", 0.3)
    ended = threading.Event()

    def drip(server: socket.socket) -> None:
        taken, _ = server.accept()
        with taken, suppress(OSError):
            taken.sendall(b"HTTP/1.1 200 OK\r\n")
            while not ended.wait(0.05):
                taken.sendall(b"X-And: so on\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        notes_ = replace(team.parts.notes, url=f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}")
        sender = threading.Thread(target=notes_.try_now, daemon=True)
        sender.start()
        sender.join(CEILING_SECONDS)
        assert not sender.is_alive()
        ended.set()
        thread.join(CEILING_SECONDS)


def test_what_a_tool_states_mentions_nobody_and_is_no_link(team: Team, channel: Channel) -> None:
    stated = (
        "<!channel> @channel, @Here ann@here.example [read](https://evil.example) <https://evil.example|you> \ud83d"
    )
    team.parts.notes.store.add(Note("", "tool", "x", stated), datetime.now(UTC) - timedelta(seconds=1))
    (text,) = told(team, channel)
    assert not re.search(r"<|>|@(channel|here)|\]\(", text, re.IGNORECASE), text
    assert text.startswith("nextlabel: &lt;!channel&gt; @\u200bchannel, @\u200bHere ann")


def test_two_senders_send_a_note_once(team: Team, channel: Channel) -> None:
    team.parts.notes.rolled_back(team.project, "ann rolled back")
    other = wiring.build(team.parts.settings, team.parts.settings.redis_url or "")
    (note,) = team.parts.notes.store.waiting(datetime.now(UTC), 5)
    assert team.parts.notes.store.claim(note, datetime.now(UTC) + timedelta(seconds=30))
    assert other.notes.send_waiting() == 0
    other.redis.close()
    other.database.dispose()


def test_without_an_address_nothing_is_noted(team: Team, channel: Channel) -> None:
    quiet = replace(team.parts.notes, url=None)
    quiet.rolled_back(team.project, "ann rolled back")
    assert told(team, channel) == []


@pytest.mark.parametrize(
    "address", ["ftp://host/x", "hooks.slack.com/x", "http://", "file:///etc/passwd", "http://h:99999/"]
)
def test_what_is_no_web_address_is_refused_without_being_shown(address: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="NEXTLABEL_NOTES_URL must be the address of a webhook") as refused:
        Settings.from_env({"NEXTLABEL_HOME": str(tmp_path), "NEXTLABEL_NOTES_URL": address})
    assert str(refused.value).endswith("beginning with https:// or http://.")


def test_the_address_may_stand_in_a_file(tmp_path: Path, channel: Channel) -> None:
    (tmp_path / "url").write_text(channel.url + "\n", encoding="utf-8")
    environ = {"NEXTLABEL_HOME": str(tmp_path), "NEXTLABEL_NOTES_URL_FILE": str(tmp_path / "url")}
    assert Settings.from_env(environ).notes_url == channel.url


def test_whose_labels_became_worse_is_told_once_by_a_pseudonym(team: Team, channel: Channel) -> None:
    """Ben is right in 19 of 20 labels, and from the 200th on in two of three."""
    team.import_mails(320)
    team.run()
    wrong, draw = {"ham": "spam", "spam": "ham"}, np.random.default_rng(0)
    for n, (task, truth) in enumerate(team.truth.items()):
        for who in ("ann", "ben", "cleo"):
            right = draw.random() < (0.67 if who == "ben" and n >= 200 else 0.95)
            team.tool.submit(team.at_tool, task, truth if right else wrong[truth], who)
    team.run()
    for _ in range(2):
        team.parts.notes.look_at_people(team.project)
        team.parts.redis.flushall()  # an hour later
    (note,) = told(team, channel)
    people = team.parts.annotators.report(team.project, names=False).people
    (ben,) = [one.account for one in people if one.targets["label"].drift.since]  # type: ignore[union-attr]
    assert f"the labels of {ben} for 'label' became worse at " in note
    assert "ben" not in note.replace(ben, "")
    team.choose(annotators="off")
    time_passes(team.parts, timedelta(days=400))
    team.parts.notes.look_at_people(team.project)
    assert told(team, channel) == []


def test_up_sends_notes_in_a_process_of_its_own(channel: Channel, tmp_path: Path, new_store: NewStore) -> None:
    with running(tmp_path, NEXTLABEL_NOTES_URL=channel.url, NEXTLABEL_WEB_WORKERS="1", **new_store()) as nextlabel:
        (sender,) = nextlabel.processes("notes-process")
        assert nextlabel.parts().alarms.check() == ""
        nextlabel.parts().alarms.raise_("Nothing can be written to /data: make room there.")
        wait_for(lambda: channel.taken, "for the note")
        assert channel.taken == ["nextlabel: Nothing can be written to /data: make room there."]
        assert SECRET not in nextlabel.log
        assert SECRET not in Path(f"/proc/{sender}/cmdline").read_text(encoding="utf-8")


def test_the_webhook_is_tried_and_what_was_told_is_listed(team: Team, channel: Channel) -> None:
    run = commands.on(team.parts.settings)
    assert run("notes", "--test").exit_code == EXIT_CONFIGURATION
    assert run("notes", "--test", NEXTLABEL_NOTES_URL=channel.url).exit_code == 0
    assert channel.taken == ["nextlabel: notes to people arrive here."]
    team.parts.notes.rolled_back(team.project, "ann rolled back")
    (waiting,) = json.loads(run("notes", "--json").stdout)
    told(team, channel)
    (sent,) = json.loads(run("notes", "--json").stdout)
    assert (waiting["waits"], sent["waits"], sent["project"], sent["sentence"]) == (
        *(True, False),
        *(team.project, "ann rolled back"),
    )
    channel.answer = 403
    refused = run("notes", "--test", NEXTLABEL_NOTES_URL=channel.url)
    assert (refused.exit_code, "the answer was 403" in refused.stdout, SECRET in refused.output) == (1, True, False)
