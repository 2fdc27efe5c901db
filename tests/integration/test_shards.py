"""Shards on a real Redis, helped by real processes: the same rows whoever computes them and whatever goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import redis
from rq import Queue, Worker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from everything import representing
from nextlabel import wiring
from nextlabel.features.cache import VectorCache
from nextlabel.features.embedding import load_model, signature
from nextlabel.features.text import content_hash, read_text
from nextlabel.features.work import EMBED, SHARD, STEP, Work, numbers
from nextlabel.jobs.allowed import LEARN, OurJob
from nextlabel.jobs.embedded_redis import EmbeddedRedis
from nextlabel.jobs.job_queue import LEARN_QUEUE, SHARD_QUEUE, RqJobQueue
from nextlabel.jobs.shards import RqShards, sharing
from nextlabel.labeling.ranking import Floats
from nextlabel.ports.requests import LabelEvent
from nextlabel.settings import Settings
from nextlabel.testing.waiting import wait_for
from nextlabel.wiring import Parts
from tiny_models import WORDS, sentences, static

if TYPE_CHECKING:
    from integration.conftest import Team

Waiting = Callable[[Callable[[], bool]], None]


def _texts(n: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [" ".join(["good", *rng.choice(WORDS, rng.integers(1, 9)), f"n{place}"]) for place in range(n)]


TEXTS = _texts(2_000)
ENDED = (JobStatus.FINISHED, JobStatus.FAILED)


@dataclass
class OtherWorker:
    """A worker as on another host (`helping.py`), by its notes."""

    process: subprocess.Popen[str]
    notes: Path

    @property
    def steps(self) -> list[str]:
        """The first text of each step that it began."""
        return [line.partition(" ")[2] for line in self._noted()]

    @property
    def at_work(self) -> int:
        """The process that began the last step."""
        return int(self._noted()[-1].partition(" ")[0])

    def release(self) -> None:
        (self.notes / "hold").unlink()

    def errors(self) -> str:
        return (self.notes / "errors").read_text()

    def kill(self) -> None:
        """All of it, as when its machine goes down."""
        self.process.kill()
        self.process.wait()
        if self._noted():
            with suppress(ProcessLookupError):
                os.kill(self.at_work, signal.SIGKILL)

    def _noted(self) -> list[str]:
        return (self.notes / "steps").read_text().splitlines() if (self.notes / "steps").exists() else []


@dataclass
class Crew:
    """Starts workers, and kills them in the end."""

    settings: Settings
    client: redis.Redis
    model: Path
    folder: Path
    workers: list[OtherWorker] = field(default_factory=list)

    def start(self, *, model: Path | None = None, hold: int = 0, answer: str = "") -> OtherWorker:
        notes = self.folder / f"worker {len(self.workers)}"
        notes.mkdir()
        if hold:
            (notes / "hold").write_text(str(hold))
        if answer:
            (notes / "answer").write_text(answer)
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NEXTLABEL_HOME": str(notes / "home")}
        environ |= {"REDIS_URL": self.settings.redis_url or "", "NEXTLABEL_EMBEDDINGS": str(model or self.model)}
        environ |= {"NEXTLABEL_DATABASE_URL": self.settings.database_url}
        command = [
            sys.executable,
            str(Path(__file__).with_name("helping.py")),
            self.settings.redis_url or "",
            str(notes),
        ]
        with (notes / "errors").open("w") as errors:
            process = subprocess.Popen(command, env=environ, stderr=errors, text=True)
        self.workers.append(OtherWorker(process, notes))
        wait_until(lambda: Worker.count(self.client) == len(self.workers))
        return self.workers[-1]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return sentences(tmp_path / "model")


@pytest.fixture
def crew(settings: Settings, redis_client: redis.Redis, model: Path, tmp_path: Path) -> Iterator[Crew]:
    crew = Crew(settings, redis_client, model, tmp_path)
    yield crew
    for worker in crew.workers:
        worker.kill()


class Owner:
    """Has texts embedded in this process, and lets a test do something before a step of its own."""

    def __init__(self, client: redis.Redis, model: Path, texts: Sequence[str] = TEXTS, others: int = 1) -> None:
        self.shards, self.texts = RqShards(client, lambda: others), texts
        self.embed = load_model(model).embed
        self.work = Work(EMBED, signature(model), texts, numbers(load_model(model).width))
        self.width = load_model(model).width
        self.steps: list[range] = []
        self.before: Callable[[], None] = lambda: None
        self.awaited: list[Callable[[], bool]] = []

    def compute(self, places: range) -> Floats:
        self.before()
        if self.awaited and self.steps:
            self._wait_a_little()
        self.steps.append(places)
        return self.embed([self.texts[place] for place in places])

    def _wait_a_little(self) -> None:
        """No longer than until it is to see to Redis again."""
        until = time.monotonic() + 2 * sharing._EXCHANGE_SECONDS
        while time.monotonic() < until:
            if self.awaited[0]():
                self.awaited.pop(0)
                return
            time.sleep(0.01)

    def run(self) -> Floats:
        rows = np.full((len(self.texts), self.width), np.nan, dtype=np.float32)
        for places, found in self.shards.rows(self.work, self.compute):
            assert np.isnan(rows[places.start : places.stop]).all(), "a shard came twice"
            rows[places.start : places.stop] = found
        return rows

    def assert_right(self) -> None:
        assert self.run().tobytes() == self.embed(self.texts).tobytes()
        assert not self.awaited, "it was done before this happened"

    def slowly_until(self, *happened: Callable[[], bool]) -> None:
        """Go on text by text, each for as long as it takes to see to Redis, until all of this came about in turn."""
        self.work = replace(self.work, step=1)
        self.awaited += happened


@pytest.fixture
def owner(redis_client: redis.Redis, model: Path) -> Owner:
    return Owner(redis_client, model)


def queue_of(client: redis.Redis) -> Queue:
    return Queue(SHARD_QUEUE, connection=client, job_class=OurJob, serializer=JSONSerializer)


def left_behind(client: redis.Redis) -> list[bytes]:
    """What does not expire by itself, and computations that are still open."""
    keys = [*client.scan_iter("rq:job:*"), *client.scan_iter("rq:results:*")]
    lasting = [key for key in keys if client.ttl(key) == -1]
    return [*lasting, *client.scan_iter("rq:group:*"), *client.lrange(queue_of(client).key, 0, -1)]


def came_back(client: redis.Redis) -> bool:
    return bool(queue_of(client).finished_job_registry.get_job_ids(cleanup=False))


def wait_until(happened: Callable[[], bool]) -> None:
    wait_for(happened, every=0.02)


# --- the same rows -----------------------------------------------------------------------------------------


def test_one_worker_alone_does_it_all_and_puts_nothing_into_redis(redis_client: redis.Redis, model: Path) -> None:
    owner = Owner(redis_client, model, others=0)
    owner.before = lambda: assert_empty(redis_client)
    owner.assert_right()
    assert sum(map(len, owner.steps)) == len(TEXTS)


def assert_empty(client: redis.Redis) -> None:
    assert list(client.scan_iter()) == []


def test_two_workers_share_and_the_rows_are_the_same_bit_by_bit(
    owner: Owner, crew: Crew, redis_client: redis.Redis
) -> None:
    worker = crew.start()
    owner.slowly_until(lambda: came_back(redis_client))
    owner.assert_right()
    assert worker.steps
    assert sum(map(len, owner.steps)) < len(TEXTS)
    wait_until(lambda: left_behind(redis_client) == [])


def test_what_is_soon_done_is_not_shared(redis_client: redis.Redis, model: Path) -> None:
    few = Owner(redis_client, model, TEXTS[: 2 * SHARD])
    few.before = lambda: assert_empty(redis_client)
    few.assert_right()


def test_any_text_reaches_another_worker_as_it_is(redis_client: redis.Redis) -> None:
    """Also half of a surrogate pair, which UTF-8 has no place for."""
    odd = ["\ud800", "👍 é", '"\x00\\\n', ""]
    jobs = sharing._Jobs(redis_client, Work(EMBED, "a model", odd, numbers(3)), [range(4)])
    jobs.enqueue([0])
    (job,) = queue_of(redis_client).jobs
    assert list(job.args) == [EMBED, "a model", odd, STEP]
    jobs.close()
    assert left_behind(redis_client) == []


# --- what may go wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step", [pytest.param(1, id="the first", marks=pytest.mark.everything), pytest.param(SHARD + 1, id="a later one")]
)
def test_a_shard_whose_process_was_killed_is_done_again_at_once(owner: Owner, crew: Crew, step: int) -> None:
    worker, killed = crew.start(hold=step), list[str]()

    def kill() -> bool:
        if len(worker.steps) == step:
            killed.append(worker.steps[-1])
            os.kill(worker.at_work, signal.SIGKILL)
            worker.release()
        return bool(killed)

    owner.slowly_until(kill, lambda: worker.steps.count(killed[0]) == 2)
    owner.assert_right()


def test_a_shard_of_a_worker_that_was_killed_is_done_by_another(owner: Owner, crew: Crew) -> None:
    killed, other = crew.start(hold=1), crew.start(hold=1)

    def kill() -> bool:
        if killed.steps and other.steps:
            killed.kill()
            other.release()
        return killed.process.poll() is not None

    owner.slowly_until(kill, lambda: killed.steps[0] in other.steps)
    owner.assert_right()


def test_a_worker_that_was_killed_is_not_waited_for(owner: Owner, crew: Crew) -> None:
    worker = crew.start(hold=1)

    def kill() -> bool:
        if worker.steps:
            worker.kill()
        return worker.process.poll() is not None

    owner.slowly_until(kill)
    owner.assert_right()


def test_a_worker_that_does_not_come_back_is_not_waited_for(
    owner: Owner, crew: Crew, redis_client: redis.Redis
) -> None:
    """It holds its shard and lives; when it goes on at last, it finds that nobody wants it."""
    worker = crew.start(hold=1)
    owner.slowly_until(lambda: bool(worker.steps))
    owner.assert_right()
    worker.release()
    wait_until(lambda: not queue_of(redis_client).started_job_registry.get_job_ids(cleanup=False))
    assert len(worker.steps) == 1


def test_a_worker_with_another_model_leaves_the_shards_to_others(owner: Owner, crew: Crew, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = crew.start(model=static(tmp_path / "other"))
    able: list[OtherWorker] = []

    def declined() -> bool:
        if "leaves a shard of embed to others" in other.errors():
            able.append(crew.start())
        return bool(able)

    owner.slowly_until(declined, lambda: bool(able[0].steps))
    owner.assert_right()
    assert other.steps == []
    assert "Traceback" not in other.errors()


def test_redis_may_be_flushed_midway_and_help_comes_back(owner: Owner, crew: Crew, redis_client: redis.Redis) -> None:
    worker = crew.start(hold=1)

    def flush() -> bool:
        if worker.steps:
            redis_client.flushall()
            worker.release()
        return bool(worker.steps)

    owner.slowly_until(flush, lambda: len(worker.steps) > SHARD)  # one more than it had begun
    owner.assert_right()
    assert sum(map(len, owner.steps)) < len(TEXTS)


def test_redis_may_go_away_midway_and_nobody_waits_for_it(
    crew: Crew, model: Path, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    server = EmbeddedRedis(tmp_path_factory.mktemp("r"))
    crew.settings = replace(crew.settings, redis_url=server.ensure())
    crew.client = wiring.connect_redis(server.ensure())
    worker, owner = crew.start(hold=1), Owner(crew.client, model)

    def stop() -> bool:
        if worker.steps:
            server.stop()
        return bool(worker.steps)

    owner.slowly_until(stop)
    try:
        owner.assert_right()
    finally:
        server.stop()
    assert caplog.text.count("without help for now") == 1  # and is not asked at every step


def test_without_redis_from_the_start_it_is_computed_all_the_same(model: Path) -> None:
    with wiring.connect_redis("redis://127.0.0.1:1") as client:
        owner = Owner(client, model)
        owner.shards = RqShards(client, RqJobQueue(client).other_workers)
        owner.assert_right()


def test_what_cannot_be_computed_is_raised_where_it_is_wanted(
    owner: Owner, redis_client: redis.Redis, crew: Crew
) -> None:
    """As without other workers: they hand it back."""
    worker, embed = crew.start(answer="an error"), owner.embed

    def failing(texts: Sequence[str]) -> Floats:
        if owner.texts[-1] in texts:
            raise ArithmeticError("too much")
        return embed(texts)

    owner.embed = failing
    owner.slowly_until(lambda: "ArithmeticError" in worker.errors())
    with pytest.raises(ArithmeticError, match="too much"):
        owner.run()
    assert not owner.awaited
    wait_until(lambda: left_behind(redis_client) == [])


@pytest.mark.parametrize("answer", representing(["another width", "an error"], {"an error"}))
def test_a_worker_that_fails_or_answers_nonsense_is_made_good(owner: Owner, crew: Crew, answer: str) -> None:
    worker = crew.start(answer=answer)
    owner.slowly_until(lambda: bool(worker.steps))
    owner.assert_right()


# --- what it costs others ----------------------------------------------------------------------------------


def test_few_shards_are_in_redis_at_a_time_and_all_of_it_expires_by_itself(
    owner: Owner, redis_client: redis.Redis
) -> None:
    waiting: list[int] = []

    def note() -> None:
        if queue_of(redis_client).count:
            waiting.append(queue_of(redis_client).count)
            keys = [*redis_client.scan_iter("rq:job:*"), *redis_client.scan_iter("rq:group:*")]
            assert all(0 < redis_client.ttl(key) <= 30 for key in keys)

    owner.before = note
    owner.assert_right()
    assert max(waiting) == 2


def test_what_an_owner_that_died_left_behind_is_computed_by_nobody(
    crew: Crew, redis_client: redis.Redis, model: Path
) -> None:
    jobs = sharing._Jobs(redis_client, Work(EMBED, signature(model), TEXTS, numbers(3)), [range(9), range(9, 99)])
    jobs.enqueue([0, 1])
    redis_client.delete(jobs._group.key, *redis_client.keys("rq:job:*")[:1])  # as they expire
    worker = crew.start()
    wait_until(lambda: left_behind(redis_client) == [])
    assert worker.steps == []


@pytest.mark.parametrize("answer", representing(["", "an error"], {""}))
def test_a_worker_goes_on_where_a_shard_that_it_is_at_expires(
    crew: Crew, redis_client: redis.Redis, model: Path, answer: str
) -> None:
    jobs = sharing._Jobs(redis_client, Work(EMBED, signature(model), TEXTS, numbers(3)), [range(9)])
    jobs.enqueue([0])
    worker = crew.start(hold=1, answer=answer)
    wait_until(lambda: bool(worker.steps))
    redis_client.delete(jobs._group.key, *redis_client.keys("rq:job:*"))  # its owner died
    worker.release()
    training = Queue(LEARN_QUEUE, connection=redis_client, serializer=JSONSerializer).enqueue(LEARN, "nobody")
    wait_until(lambda: training.get_status() in (*ENDED, None))
    assert (worker.process.poll(), "Traceback" in worker.errors()) == (None, False), worker.errors()


def test_a_worker_leaves_the_shards_for_a_training_and_helps_again_after_it(
    owner: Owner, crew: Crew, redis_client: redis.Redis
) -> None:
    worker, queue = crew.start(), Queue(LEARN_QUEUE, connection=redis_client, serializer=JSONSerializer)
    training: list[tuple[Job, int]] = []

    def asked() -> bool:
        if worker.steps:
            training.append((queue.enqueue(LEARN, "nobody", result_ttl=600, failure_ttl=600), worker.at_work))
        return bool(worker.steps)

    owner.slowly_until(asked, lambda: training[0][0].get_status() in ENDED, lambda: worker.at_work != training[0][1])
    owner.assert_right()


def test_a_worker_that_is_to_stop_does_so_after_the_shard_at_hand(owner: Owner, crew: Crew) -> None:
    worker = crew.start()

    def asked() -> bool:
        if worker.steps:
            worker.process.terminate()
        return bool(worker.steps)

    owner.slowly_until(asked, lambda: worker.process.poll() is not None)
    owner.assert_right()
    assert worker.process.returncode == 0


def test_long_texts_make_small_shards() -> None:
    lengths = [len(shard) for shard in sharing._cut(["x" * 300_000] * 7 + ["y"] * 300 + ["z" * 2_000_000] * 2, 250)]
    assert lengths == [3, 3, 250, 51, 1, 1]


# --- as part of learning -----------------------------------------------------------------------------------


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
    parts, reported = another_worker, list[int]()

    def progress(step: str, n: int) -> None:
        if step == "embed":
            if not reported:  # the first shard is done: now the worker has one
                eventually(lambda: came_back(parts.redis))
            reported.append(n)

    eventually(lambda: parts.job_queue.other_workers() == 1)
    parts.loop.run(team.project, parts.fences.next(team.project), progress)
    texts = list({read_text(task.data, ["text"]) for task in team.parts.store.open(team.project)})
    assert reported == sorted(reported)
    assert (len(reported) > 5, reported[-1]) == (True, len(texts))
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
