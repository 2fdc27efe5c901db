"""Shards on a real Redis, helped by real processes: the same rows whoever computes them and whatever goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from nextlabel import wiring
from nextlabel.features.cache import VectorCache
from nextlabel.features.embedding import embedder, load_model, signature
from nextlabel.features.text import content_hash, read_text
from nextlabel.features.work import EMBED, SHARD, Work, numbers
from nextlabel.jobs.embedded_redis import EmbeddedRedis
from nextlabel.jobs.job_queue import HELP_QUEUE, RqJobQueue
from nextlabel.jobs.shards import RedisShards, sharing
from nextlabel.jobs.shards.board import Board, read
from nextlabel.labeling.ranking import Floats
from nextlabel.ports.requests import LabelEvent
from nextlabel.settings import Settings
from nextlabel.testing.waiting import CEILING_SECONDS, wait_for
from nextlabel.wiring import Parts
from tiny_models import WORDS, sentences, static

if TYPE_CHECKING:
    from integration.conftest import Team

Waiting = Callable[[Callable[[], bool]], None]


def _texts(n: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [" ".join(["good", *rng.choice(WORDS, rng.integers(1, 9)), f"n{place}"]) for place in range(n)]


TEXTS = _texts(2_000)
SHARDS = len(TEXTS) // SHARD


@dataclass
class Helper:
    """A process on another host, by its notes."""

    process: subprocess.Popen[bytes]
    notes: Path

    @property
    def steps(self) -> list[str]:
        """The first text of each step that it began."""
        return (self.notes / "texts").read_text().splitlines() if (self.notes / "texts").exists() else []

    def release(self) -> None:
        (self.notes / "hold").unlink()

    def done(self) -> int:
        """How many shards it did, once it has ended."""
        self.process.wait(timeout=CEILING_SECONDS)
        return int((self.notes / "done").read_text())


@dataclass
class Crew:
    """Workers that are there at once when they are asked for."""

    url: str
    model: Path
    folder: Path
    holding: bool = False
    size: int = 1
    busy: bool = False
    helpers: list[Helper] = field(default_factory=list)

    def other_workers(self) -> int:
        return self.size

    def request_help(self, most: int) -> None:
        while len(self.helpers) < most:
            self.send_one()

    def learning_waits(self) -> bool:
        return self.busy

    def send_one(self, *, holding: bool | None = None) -> None:
        notes = self.folder / f"helper {len(self.helpers)}"
        notes.mkdir()
        if self.holding if holding is None else holding:
            (notes / "hold").touch()
        program = [sys.executable, str(Path(__file__).with_name("helping.py"))]
        arguments = [self.url, str(self.model), str(notes)]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.helpers.append(Helper(subprocess.Popen([*program, *arguments], env=environ), notes))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return sentences(tmp_path / "model")


@pytest.fixture
def crew(redis_url: str, model: Path, tmp_path: Path) -> Iterator[Crew]:
    crew = Crew(redis_url, model, tmp_path)
    yield crew
    for helper in crew.helpers:
        helper.process.kill()
        helper.process.wait()


class Owner:
    """Has texts embedded in this process, and lets a test do something before a step of its own."""

    def __init__(self, client: redis.Redis, crew: sharing.Workers, model: Path, texts: Sequence[str] = TEXTS) -> None:
        self.shards, self.texts = RedisShards(client, crew, {}), texts
        self.embed = load_model(model).embed
        self.work = Work(EMBED, signature(model), texts, numbers(load_model(model).width))
        self.width = load_model(model).width
        self.steps: list[range] = []
        self.before: Callable[[], None] = lambda: None

    def compute(self, places: range) -> Floats:
        self.before()
        self.steps.append(places)
        return self.embed([self.texts[place] for place in places])

    def run(self) -> Floats:
        rows = np.full((len(self.texts), self.width), np.nan, dtype=np.float32)
        for places, found in self.shards.rows(self.work, self.compute):
            assert np.isnan(rows[places.start : places.stop]).all(), "a shard came twice"
            rows[places.start : places.stop] = found
        return rows

    def assert_right(self) -> None:
        assert self.run().tobytes() == self.embed(self.texts).tobytes()

    def once(self, act: Callable[[], None]) -> None:
        """Do this before the second step: by then something has been published."""

        def before() -> None:
            if len(self.steps) == 1:
                self.before = lambda: None
                act()

        self.before = before


@pytest.fixture
def owner(redis_client: redis.Redis, crew: Crew, model: Path) -> Owner:
    return Owner(redis_client, crew, model)


def left_behind(client: redis.Redis) -> list[bytes]:
    return list(client.scan_iter("nextlabel:shards*"))


def came_back(client: redis.Redis) -> bool:
    return any(client.scan_iter("nextlabel:shards:*:rows"))


# --- the same rows -----------------------------------------------------------------------------------------


def test_one_worker_alone_does_it_all_and_puts_nothing_into_redis(
    owner: Owner, crew: Crew, redis_client: redis.Redis
) -> None:
    crew.size = 0
    owner.before = lambda: assert_empty(redis_client)
    owner.assert_right()
    assert sum(map(len, owner.steps)) == len(TEXTS)


def assert_empty(client: redis.Redis) -> None:
    assert left_behind(client) == []


def test_two_workers_share_and_the_rows_are_the_same_bit_by_bit(
    owner: Owner, crew: Crew, redis_client: redis.Redis, eventually: Waiting
) -> None:
    owner.once(lambda: eventually(lambda: came_back(redis_client)))
    owner.assert_right()
    (helper,) = crew.helpers
    assert 1 <= helper.done() < SHARDS
    assert sum(map(len, owner.steps)) < len(TEXTS)
    assert left_behind(redis_client) == []


def test_what_is_soon_done_is_not_shared(redis_client: redis.Redis, crew: Crew, model: Path) -> None:
    few = Owner(redis_client, crew, model, TEXTS[: 2 * SHARD])
    few.before = lambda: assert_empty(redis_client)
    few.assert_right()
    assert crew.helpers == []


def test_any_text_reaches_a_helper_as_it_is(redis_client: redis.Redis) -> None:
    """Also half of a surrogate pair, which UTF-8 has no place for."""
    board, odd = Board(redis_client, "one"), ["\ud800", "👍 é", '"\x00\\\n', ""]
    board.publish(Work(EMBED, "a model", odd, numbers(3)), {5: odd})
    taken = board.take(1.0)
    assert taken is not None
    assert (taken[0], read(taken[1])) == (5, odd)
    board.close()


# --- what may go wrong -------------------------------------------------------------------------------------


def test_a_helper_that_is_killed_with_a_shard_in_its_hands_loses_nothing(
    owner: Owner, crew: Crew, eventually: Waiting
) -> None:
    crew.holding = True

    def kill() -> None:
        (helper,) = crew.helpers
        eventually(lambda: bool(helper.steps))
        os.kill(helper.process.pid, signal.SIGKILL)

    owner.once(kill)
    owner.assert_right()


def test_a_shard_of_a_helper_that_was_killed_is_taken_by_another_once_its_lease_ran_out(
    owner: Owner, crew: Crew, redis_client: redis.Redis, eventually: Waiting
) -> None:
    crew.holding, owner.work = True, replace(owner.work, lease=0.5)

    def kill_and_send_another() -> None:
        (killed,) = crew.helpers
        eventually(lambda: bool(killed.steps))
        os.kill(killed.process.pid, signal.SIGKILL)
        crew.send_one(holding=False)
        eventually(lambda: killed.steps[0] in crew.helpers[1].steps)

    owner.once(kill_and_send_another)
    owner.assert_right()


def test_a_helper_that_does_not_come_back_is_not_waited_for(owner: Owner, crew: Crew, eventually: Waiting) -> None:
    """It holds its shard and lives; when it goes on at last, it finds that it is over."""
    crew.holding = True
    owner.once(lambda: eventually(lambda: bool(crew.helpers[0].steps)))
    owner.assert_right()
    crew.helpers[0].release()
    assert crew.helpers[0].done() == 0


def test_a_helper_with_another_model_leaves_the_shards_to_others(owner: Owner, crew: Crew, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    crew.model = static(tmp_path / "other")
    declined: list[int] = []
    owner.once(lambda: declined.append(crew.helpers[0].done()))
    owner.assert_right()
    assert declined == [0]
    assert crew.helpers[0].steps == []


def test_redis_may_be_flushed_midway_and_help_comes_back(
    owner: Owner, crew: Crew, redis_client: redis.Redis, eventually: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "_EXCHANGE_SECONDS", 0)
    crew.holding = True

    def flush() -> None:
        (helper,) = crew.helpers
        eventually(lambda: bool(helper.steps))
        redis_client.flushall()
        helper.release()
        assert helper.done() == 0
        owner.before = send_another

    def send_another() -> None:
        owner.before = lambda: None
        crew.send_one(holding=False)
        eventually(lambda: came_back(redis_client))

    owner.once(flush)
    owner.assert_right()
    assert crew.helpers[1].done() >= 1


def test_redis_may_go_away_midway_and_nobody_waits_for_it(
    crew: Crew,
    model: Path,
    tmp_path_factory: pytest.TempPathFactory,
    eventually: Waiting,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = EmbeddedRedis(tmp_path_factory.mktemp("r"))
    crew.url, crew.holding = server.ensure(), True
    owner = Owner(wiring.connect_redis(crew.url), crew, model)

    def stop() -> None:
        eventually(lambda: bool(crew.helpers[0].steps))
        server.stop()

    owner.once(stop)
    try:
        owner.assert_right()
    finally:
        server.stop()
    assert caplog.text.count("without help for now") == 1  # and is not asked at every step
    crew.helpers[0].release()
    assert crew.helpers[0].done() == 0


def test_without_redis_from_the_start_it_is_computed_all_the_same(crew: Crew, model: Path) -> None:
    with wiring.connect_redis("redis://127.0.0.1:1") as client:
        Owner(client, RqJobQueue(client), model).assert_right()


def test_what_cannot_be_computed_is_raised_where_it_is_wanted(
    owner: Owner, redis_client: redis.Redis, crew: Crew
) -> None:
    """As without helpers: a helper hands it back."""
    bad, tried = TEXTS[-1], threading.Event()

    def failing(texts: Sequence[str]) -> Floats:
        if bad in texts:
            tried.set()
            raise ArithmeticError(f"{bad} is too much")
        return embed(texts)

    embed, owner.embed = owner.embed, failing
    helper = helping(redis_client, crew, lambda needs: failing)
    owner.once(lambda: wait_until(tried.is_set))
    with pytest.raises(ArithmeticError, match="too much"):
        owner.run()
    assert helper.result() == 0
    assert left_behind(redis_client) == []


@pytest.mark.parametrize("answer", ["another width", "an error"])
def test_a_helper_that_fails_or_answers_nonsense_is_made_good(
    owner: Owner, redis_client: redis.Redis, crew: Crew, answer: str
) -> None:
    asked: list[int] = []

    def compute(texts: Sequence[str]) -> Floats:
        asked.append(len(texts))
        if answer == "an error":
            raise ArithmeticError
        return np.ones((len(texts), 2), dtype=np.float32)

    helper = helping(redis_client, crew, lambda needs: compute)
    owner.once(lambda: wait_until(lambda: bool(asked)))
    owner.assert_right()
    assert (helper.result() > 0) is (answer == "another width")


def helping(client: redis.Redis, crew: Crew, compute: sharing.Compute) -> Future[int]:
    """A helper in this process, from the moment when there is something to be done; nobody else is asked."""
    crew.request_help = lambda most: None  # type: ignore[method-assign]

    def run() -> int:
        wait_until(lambda: bool(left_behind(client)))
        return RedisShards(client, crew, {EMBED: compute}).help()

    return ThreadPoolExecutor(1).submit(run)


def wait_until(happened: Callable[[], bool]) -> None:
    wait_for(happened, every=0.005)


# --- what it costs others ----------------------------------------------------------------------------------


def test_few_shards_are_in_redis_at_a_time_and_all_of_it_runs_out_by_itself(
    owner: Owner, crew: Crew, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "request_help", lambda most: None)
    seen: list[int] = []

    def check() -> None:
        keys = set(left_behind(redis_client)) - {b"nextlabel:shards"}
        assert all(0 < redis_client.ttl(key) <= 30 for key in keys)
        seen.extend(redis_client.llen(key) for key in keys if key.endswith(b":waiting"))

    owner.before = check
    owner.assert_right()
    assert max(seen) == 2


def test_helping_ends_at_once_where_there_is_nothing_to_do_or_a_training_waits_and_is_asked_for_again_after_that(
    owner: Owner, crew: Crew, redis_client: redis.Redis, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(crew, "request_help", asked.append)
    shards = RedisShards(redis_client, crew, {EMBED: lambda needs: embedder(model, needs)})
    redis_client.sadd("nextlabel:shards", "of an owner that died")
    assert shards.help() == 0
    assert left_behind(redis_client) == []
    crew.busy = True
    assert shards.help() == 0
    assert asked == []
    helped: list[int] = []

    def help_while_a_training_waits() -> None:
        asked.clear()
        helped.append(shards.help())

    owner.once(help_while_a_training_waits)
    owner.assert_right()
    assert (helped, asked) == ([0], [1])


def test_long_texts_make_small_shards() -> None:
    lengths = [len(shard) for shard in sharing._cut(["x" * 300_000] * 7 + ["y"] * 300 + ["z" * 2_000_000] * 2, 250)]
    assert lengths == [3, 3, 250, 51, 1, 1]


# --- jobs --------------------------------------------------------------------------------------------------


def test_as_many_workers_are_asked_as_there_are_and_not_again_while_those_jobs_wait(redis_client: redis.Redis) -> None:
    jobs = RqJobQueue(redis_client)
    for most in (2, 2, 3):
        jobs.request_help(most)
    assert Queue(HELP_QUEUE, connection=redis_client, serializer=JSONSerializer).count == 3


@pytest.fixture
def another_worker(settings: Settings, model: Path, tmp_path: Path) -> Iterator[Parts]:
    """A real one, of another home, as on another host; yields what a worker of this process is made of."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NEXTLABEL_HOME": str(tmp_path / "other host")}
    environ |= {"REDIS_URL": settings.redis_url or "", "NEXTLABEL_EMBEDDINGS": str(model)}
    environ |= {"NEXTLABEL_DATABASE_URL": settings.database_url}
    command = [sys.executable, "-m", "nextlabel", "worker-process"]
    worker = subprocess.Popen(command, env=environ, start_new_session=True)  # it lowers the priority of its session
    parts = wiring.build(replace(settings, embeddings=str(model)), settings.redis_url or "")
    yield parts
    worker.kill()
    worker.wait()
    parts.redis.close()
    parts.database.dispose()


def test_an_idle_worker_takes_a_share_of_a_first_pass_and_the_progress_is_told(
    team: Team, settings: Settings, another_worker: Parts, model: Path, eventually: Waiting
) -> None:
    team.import_mails(1_500)
    parts, received = another_worker, list[int]()

    def progress(step: str, n: int) -> None:
        if step == "embed":
            if not received:  # the first shard is done: now the worker has one
                eventually(lambda: came_back(parts.redis))
            received.append(n)

    eventually(lambda: parts.job_queue.other_workers() == 1)
    parts.loop.run(team.project, parts.fences.next(team.project), progress)
    texts = list({read_text(task.data, ["text"]) for task in team.parts.store.open(team.project)})
    assert received == sorted(received)
    assert (len(received) > 5, received[-1]) == (True, len(texts))
    kept = VectorCache(settings.home / "features" / team.project)
    rows = kept.get(signature(model), [content_hash(text) for text in texts], 3, lambda places: np.zeros((0, 3)))
    assert rows.tobytes() == load_model(model).embed(texts).tobytes()


def test_labels_that_come_while_a_project_is_trained_take_no_helper_away_and_are_learned_afterwards(
    team: Team, another_worker: Parts, eventually: Waiting
) -> None:
    team.choose(quiet_seconds=0)
    team.import_mails(5_000)
    team.run()
    team.work(2)
    parts, offered, collected = another_worker, list[tuple[int, bool]](), True

    def progress(step: str, n: int) -> None:
        """A label each time when the other worker has brought shards that it took after the label before."""
        nonlocal collected
        collected = collected or not came_back(parts.redis)
        if step == "embed" and collected and len(offered) < 3:
            eventually(lambda: came_back(parts.redis))
            team.work(1)
            parts.service.event(("memory",), LabelEvent(team.at_tool, "labels"))
            offered.append((parts.job_queue.dispatch_due(), parts.job_queue.learning_waits()))
            collected = False

    eventually(lambda: parts.job_queue.other_workers() == 1)
    with parts.job_queue.lease(team.project):
        parts.loop.run(team.project, parts.fences.next(team.project), progress)
    assert offered == [(0, False)] * 3
    assert parts.job_queue.dispatch_due() == 1
