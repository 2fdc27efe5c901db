"""Jobs on a real Redis: many requests make one training, and no request is ever lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace

import hypothesis
import pytest
import redis
from hypothesis import strategies as st
from rq import Queue, SimpleWorker
from rq import Worker as RqWorker
from rq.serializers import JSONSerializer

from nextlabel import wiring, worker
from nextlabel.errors import JobQueueUnavailable
from nextlabel.jobs import job_queue, leases
from nextlabel.jobs.embedded_redis import EmbeddedRedis
from nextlabel.jobs.job_queue import LEARN_QUEUE, PRUNE_QUEUE, QUEUES, RqJobQueue
from nextlabel.jobs.leases import Leases, RedisLease
from nextlabel.jobs.liveness import Process
from nextlabel.labeling import ProjectId

ONE, TWO = ProjectId("1"), ProjectId("2")


@dataclass
class Clock:
    """The time that the job queue sees."""

    now: float = 1_700_000_000.0

    def time(self) -> float:
        return self.now


class Worker(SimpleWorker):
    """Works in this process until nothing is left, and leaves pytest its signals."""

    def _install_signal_handlers(self) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(job_queue, "time", clock)
    return clock


@pytest.fixture
def jobs(redis_client: redis.Redis) -> RqJobQueue:
    return RqJobQueue(redis_client)


def request(jobs: RqJobQueue, project: ProjectId = ONE, quiet: float = 1.0, max_wait: float = 10.0) -> str:
    return jobs.request_retraining(project, quiet=quiet, max_wait=max_wait)


def enqueued(redis_client: redis.Redis, name: str = LEARN_QUEUE) -> list[str]:
    return list(Queue(name, connection=redis_client, serializer=JSONSerializer).job_ids)


def work(redis_client: redis.Redis) -> None:
    Worker(list(QUEUES), connection=redis_client, serializer=JSONSerializer).work(burst=True, logging_level="ERROR")


# --- coalescing --------------------------------------------------------------------------------------------


def test_five_requests_in_a_second_make_one_job(jobs: RqJobQueue, redis_client: redis.Redis, clock: Clock) -> None:
    answered = set()
    for _ in range(5):
        answered.add(request(jobs))
        clock.now += 0.2
        assert jobs.dispatch_due() == 0
    clock.now += 1
    assert jobs.dispatch_due() == 1
    assert enqueued(redis_client) == list(answered)
    clock.now += 100
    assert jobs.dispatch_due() == 0


def test_each_further_request_moves_the_start_until_labels_pause(jobs: RqJobQueue, clock: Clock) -> None:
    request(jobs, quiet=1)
    clock.now += 0.9
    request(jobs, quiet=1)
    clock.now += 0.9
    assert jobs.dispatch_due() == 0
    clock.now += 0.1
    assert jobs.dispatch_due() == 1


def test_labels_that_never_pause_are_learned_after_the_maximum_wait(jobs: RqJobQueue, clock: Clock) -> None:
    for _ in range(10):
        assert jobs.dispatch_due() == 0
        request(jobs, quiet=1, max_wait=5)
        clock.now += 0.5
    assert jobs.dispatch_due() == 1


def test_the_maximum_wait_begins_anew_with_the_next_job(jobs: RqJobQueue, clock: Clock) -> None:
    request(jobs, quiet=0)
    assert jobs.dispatch_due() == 1
    clock.now += 60
    request(jobs, quiet=1, max_wait=5)
    assert jobs.dispatch_due() == 0


def test_a_wish_to_train_now_does_not_wait_for_a_pause(jobs: RqJobQueue) -> None:
    job = request(jobs, quiet=60, max_wait=60)
    assert request(jobs, quiet=0, max_wait=0) == job
    assert jobs.dispatch_due() == 1


def test_projects_are_learned_apart(jobs: RqJobQueue, redis_client: redis.Redis, clock: Clock) -> None:
    one, two = request(jobs, ONE, quiet=0), request(jobs, TWO, quiet=5)
    assert one != two
    assert jobs.dispatch_due() == 1
    assert enqueued(redis_client) == [one]
    clock.now += 5
    assert jobs.dispatch_due() == 1


def test_a_project_may_have_any_name(jobs: RqJobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[str] = []
    monkeypatch.setattr(worker, "learn", learned.append)
    names = ["a|b", "ü ber", "x:y", "-1"]
    for name in names:
        request(jobs, ProjectId(name), quiet=0)
    assert jobs.dispatch_due() == len(names)
    work(jobs._redis)
    assert sorted(learned) == sorted(names)


# --- workers -----------------------------------------------------------------------------------------------


def test_a_request_during_a_running_job_makes_exactly_one_more(
    jobs: RqJobQueue, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def learn(project: str) -> None:
        ran.append(project)
        if len(ran) == 1:
            assert len({request(jobs, quiet=0) for _ in range(3)}) == 1

    monkeypatch.setattr(worker, "learn", learn)
    request(jobs, quiet=0)
    for expected in (1, 2, 2):
        jobs.dispatch_due()
        work(redis_client)
        assert len(ran) == expected


def test_jobs_do_not_pile_up_while_no_worker_has_time(
    jobs: RqJobQueue, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that waits will read the newer labels too; what was asked for meanwhile is not forgotten either."""
    learned: list[str] = []
    monkeypatch.setattr(worker, "learn", learned.append)
    for _ in range(5):
        job = request(jobs, quiet=0)
        jobs.dispatch_due()
    assert len(enqueued(redis_client)) == 1
    assert jobs.status(job).state == "queued"
    work(redis_client)
    assert jobs.dispatch_due() == 1
    work(redis_client)
    assert learned == [ONE, ONE]
    assert jobs.status(job).state == "finished"


def test_the_status_of_a_job_can_be_asked_from_the_request_to_the_end_and_after(
    jobs: RqJobQueue, redis_client: redis.Redis, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = []

    def learn(project: str) -> str:
        states.append(jobs.status(job).state)
        return f"project {project} learned"

    monkeypatch.setattr(worker, "learn", learn)
    job = request(jobs)
    states.append(jobs.status(job).state)
    clock.now += 1
    jobs.dispatch_due()
    states.append(jobs.status(job).state)
    work(redis_client)
    finished = jobs.status(job)
    redis_client.flushall()
    assert [*states, finished.state, jobs.status(job).state] == ["queued", "queued", "running", "finished", "unknown"]
    assert finished.detail == "project 1 learned"


def test_a_job_that_fails_is_tried_again_and_then_said_to_have_failed(
    jobs: RqJobQueue, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[str] = []

    def learn(project: str) -> None:
        tried.append(project)
        raise RuntimeError

    monkeypatch.setattr(worker, "learn", learn)
    job = request(jobs, quiet=0)
    jobs.dispatch_due()
    work(redis_client)
    assert len(tried) == 4
    assert jobs.status(job).state == "failed"


def test_pruning_waits_behind_learning(
    jobs: RqJobQueue, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(worker, "learn", lambda project: ran.append("learn"))
    monkeypatch.setattr(worker, "prune", lambda project: ran.append("prune"))
    jobs.request_pruning(ONE)
    request(jobs, quiet=0)
    jobs.dispatch_due()
    assert len(enqueued(redis_client, PRUNE_QUEUE)) == 1
    work(redis_client)
    assert ran == ["learn", "prune"]


def test_a_worker_that_trains_does_not_count_itself_among_those_that_may_help(
    jobs: RqJobQueue, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[int, int]] = []

    def learn(project: str) -> None:
        counted.append((SimpleWorker.count(redis_client), jobs.other_workers()))

    monkeypatch.setattr(worker, "learn", learn)
    request(jobs, quiet=0)
    jobs.dispatch_due()
    work(redis_client)
    assert counted == [(1, 0)]


def test_a_worker_that_redis_has_lost_is_known_again_at_its_next_sign_of_life(redis_client: redis.Redis) -> None:
    at_work = worker.worker_on(redis_client)
    at_work.register_birth()  # type: ignore[no-untyped-call]
    redis_client.flushall()
    at_work.heartbeat(2)  # the lease of a shard, as RQ passes it on
    (known,) = RqWorker.all(connection=redis_client)
    assert (known.name, known.hostname, known.queue_names()) == (at_work.name, at_work.hostname, at_work.queue_names())
    assert redis_client.ttl(at_work.key) > at_work.job_monitoring_interval


# --- dispatchers -------------------------------------------------------------------------------------------


def test_two_dispatchers_enqueue_each_job_once(redis_url: str, redis_client: redis.Redis) -> None:
    dispatchers = [RqJobQueue(wiring.connect_redis(redis_url)) for _ in range(2)]
    wanted = {request(dispatchers[0], ProjectId(str(n)), quiet=0) for n in range(30)}
    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(RqJobQueue.dispatch_due, dispatchers)) == 30
    found = enqueued(redis_client)
    assert (len(found), set(found)) == (30, wanted)


def test_what_a_dispatcher_took_with_it_when_it_died_is_enqueued_by_another_after_a_while(
    jobs: RqJobQueue, redis_client: redis.Redis, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs_to_come = {request(jobs, project, quiet=0) for project in (ONE, TWO)}
    with monkeypatch.context() as patched:
        patched.setattr(Queue, "enqueue", die)
        with pytest.raises(SystemExit):
            jobs.dispatch_due()
    assert jobs.dispatch_due() == 0
    clock.now += job_queue._TAKEN_SECONDS
    assert jobs.dispatch_due() == 2
    assert set(enqueued(redis_client)) == jobs_to_come
    clock.now += job_queue._TAKEN_SECONDS
    assert jobs.dispatch_due() == 0


def test_a_job_whose_dispatcher_died_is_not_said_to_be_unknown(
    jobs: RqJobQueue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = request(jobs, quiet=0)
    monkeypatch.setattr(Queue, "enqueue", die)
    with pytest.raises(SystemExit):
        jobs.dispatch_due()
    assert jobs.status(job).state == "queued"


def die(*args: object, **kwargs: object) -> None:
    raise SystemExit


# --- projects that are being trained -----------------------------------------------------------------------


def test_a_project_that_a_worker_is_training_is_given_to_no_other_and_is_enqueued_once_it_is_free(
    jobs: RqJobQueue, redis_client: redis.Redis
) -> None:
    with jobs.lease(ONE):
        job = request(jobs, ONE, quiet=0)
        assert [jobs.dispatch_due() for _ in range(3)] == [0, 0, 0]
        assert not jobs.learning_waits()
        assert jobs.status(job).state == "queued"
        other = request(jobs, TWO, quiet=0)
        assert request(jobs, ONE, quiet=60) == job
        assert jobs.dispatch_due() == 1
        assert enqueued(redis_client) == [other]
    assert jobs.dispatch_due() == 1
    assert enqueued(redis_client) == [other, job]


def test_a_project_whose_worker_was_killed_is_enqueued_at_once_for_whatever_machine(
    jobs: RqJobQueue, redis_client: redis.Redis
) -> None:
    redis_client.set(f"nextlabel:lease:{ONE}", f"{gone()}:0123", px=60_000)
    job = request(jobs, ONE, quiet=0)
    assert jobs.dispatch_due() == 1
    assert enqueued(redis_client) == [job]
    assert not redis_client.exists(
        f"nextlabel:lease:{ONE}"
    )  # on another machine nobody would know that it may be taken


def test_a_project_whose_worker_is_on_another_machine_is_enqueued_once_its_lease_has_run_out(
    jobs: RqJobQueue, redis_client: redis.Redis, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    redis_client.set(f"nextlabel:lease:{ONE}", f"{replace(gone(), host='another')}:0123", px=60_000)
    job = request(jobs, ONE, quiet=0)
    assert jobs.dispatch_due() == 0
    redis_client.pexpire(f"nextlabel:lease:{ONE}", 1)
    eventually(lambda: jobs.dispatch_due() == 1)
    assert enqueued(redis_client) == [job]


def test_a_lease_that_another_took_from_the_dead_holder_meanwhile_is_respected(
    jobs: RqJobQueue, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the moment when a dispatcher finds the holder dead and the moment when it takes what is due."""
    redis_client.set(f"nextlabel:lease:{ONE}", f"{gone()}:0123", px=60_000)
    request(jobs, ONE, quiet=0)
    is_gone, taken = Process.is_gone, list[object]()

    def found_by_both(holder: Process) -> bool:
        found = is_gone(holder)
        if found and not taken:
            taken.append("first")
            taken.append(Leases(redis_client).take(f"nextlabel:lease:{ONE}"))
        return found

    monkeypatch.setattr(Process, "is_gone", found_by_both)
    assert jobs.dispatch_due() == 0
    lease = taken[1]
    assert isinstance(lease, RedisLease)
    assert lease.held
    lease.release()
    assert jobs.dispatch_due() == 1


def gone() -> Process:
    """A process of this machine that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    alive = Process.this()
    assert alive is not None
    return replace(alive, pid=ended.pid)


STEPS = ("ask", "begin", "end", "work", "dispatch", "dispatch", "dispatcher dies", "time passes")


@hypothesis.settings(
    max_examples=60, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from((ONE, TWO))), max_size=30))
@hypothesis.example([(step, ONE) for step in ("ask", "dispatcher dies", "begin", "time passes", "dispatch")])
@hypothesis.example([(step, ONE) for step in ("ask", "dispatcher dies", "ask", "time passes", "dispatch")])
@hypothesis.example(
    [("ask", ONE), ("dispatcher dies", ONE), ("ask", ONE), ("ask", TWO), ("dispatch", ONE), ("ask", ONE)]
)
def test_whatever_happens_every_request_makes_one_job_and_none_of_a_project_that_waits_or_is_being_trained(
    redis_client: redis.Redis, steps: list[tuple[str, ProjectId]]
) -> None:
    redis_client.flushall()
    history = History(RqJobQueue(redis_client), redis_client)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_queue, "time", history.clock)
        for what, project in steps:
            history.happen(what, project)
        history.come_to_an_end()
    assert sorted(history.worked) == sorted(history.asked)


@dataclass
class History:
    """Two projects that are asked for, trained and dispatched in any order."""

    jobs: RqJobQueue
    redis: redis.Redis
    clock: Clock = field(default_factory=Clock)
    asked: dict[str, ProjectId] = field(default_factory=dict)
    worked: list[str] = field(default_factory=list)
    training: dict[ProjectId, RedisLease] = field(default_factory=dict)

    def happen(self, what: str, project: ProjectId) -> None:
        if what == "ask":
            self.asked[request(self.jobs, project, quiet=0)] = project
        elif what == "begin" and project not in self.training:
            lease = Leases(self.redis).take(f"nextlabel:lease:{project}")
            assert lease is not None
            self.training[project] = lease
        elif what == "end" and project in self.training:
            self.training.pop(project).release()
        elif what == "work":
            if (job := self.redis.lpop(Queue(LEARN_QUEUE, connection=self.redis).key)) is not None:
                assert isinstance(job, bytes)
                self.worked.append(job.decode())
        elif what == "time passes":
            self.clock.now += job_queue._TAKEN_SECONDS
        elif what.startswith("dispatch"):
            self.dispatch(dies=what == "dispatcher dies")

    def dispatch(self, *, dies: bool = False) -> None:
        before = enqueued(self.redis)
        with pytest.MonkeyPatch.context() as patch, suppress(SystemExit):
            if dies:
                patch.setattr(Queue, "enqueue", die)
            self.jobs.dispatch_due()
        waiting = [self.asked[job] for job in enqueued(self.redis)]
        assert len(waiting) == len(set(waiting))
        assert not set(waiting[len(before) :]) & set(self.training)

    def come_to_an_end(self) -> None:
        for project in (ONE, TWO):
            self.happen("end", project)
        for _ in range(2 * len(self.asked) + 2):
            for what in ("time passes", "dispatch", "work"):
                self.happen(what, ONE)


# --- leases ------------------------------------------------------------------------------------------------


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 2.0)


def test_a_lease_excludes_all_others_until_it_is_released(jobs: RqJobQueue) -> None:
    with jobs.lease(ONE) as mine:
        assert mine is not None
        with jobs.lease(ONE) as another:
            assert another is None
        with jobs.lease(TWO) as of_another_project:
            assert of_another_project is not None
        assert mine.held
    with jobs.lease(ONE) as again:
        assert again is not None


def test_a_lease_is_released_when_the_work_fails(jobs: RqJobQueue) -> None:
    with pytest.raises(ZeroDivisionError), jobs.lease(ONE):
        raise ZeroDivisionError
    with jobs.lease(ONE) as again:
        assert again is not None


@pytest.mark.usefixtures("short_leases")
def test_a_lease_outlasts_its_term_while_its_holder_lives(
    jobs: RqJobQueue, redis_client: redis.Redis, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    with jobs.lease(ONE) as mine:
        assert mine is not None
        term = redis_client.pexpiretime(f"nextlabel:lease:{ONE}")
        assert term > 0
        eventually(lambda: redis_client.time()[0] * 1_000 > term)
        with jobs.lease(ONE) as another:
            assert another is None
        assert mine.held


@pytest.mark.usefixtures("short_leases")
def test_the_lease_of_a_worker_of_which_nothing_is_known_runs_out(
    jobs: RqJobQueue, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    with jobs.lease(ONE) as killed:
        assert killed is not None
        killed._released.set()  # as when its process is gone: nobody renews the lease, nobody gives it back

        def free() -> bool:
            with jobs.lease(ONE) as mine:
                return mine is not None

        assert not free()
        eventually(free)


@pytest.mark.usefixtures("short_leases")
def test_a_lease_that_was_taken_away_is_noticed(
    jobs: RqJobQueue, redis_client: redis.Redis, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    with jobs.lease(ONE) as mine:
        assert mine is not None
        redis_client.flushall()
        with jobs.lease(ONE) as another:
            assert another is not None
            eventually(lambda: not mine.held)
            assert another.held


# --- Redis is down -----------------------------------------------------------------------------------------


@pytest.fixture(params=["gone", "hung"])
def stopped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RqJobQueue]:
    if request.param == "gone":
        with wiring.connect_redis("redis://127.0.0.1:1") as client:
            yield RqJobQueue(client)
        return
    server = EmbeddedRedis(tmp_path_factory.mktemp("r"))
    with wiring.connect_redis(server.ensure(), patience=0.2) as client:
        process = client.info()["process_id"]
        os.kill(process, signal.SIGSTOP)
        yield RqJobQueue(client)
        os.kill(process, signal.SIGCONT)
    server.stop()


def take_lease(jobs: RqJobQueue) -> None:
    with jobs.lease(ONE):
        pass


CALLS: dict[str, Callable[[RqJobQueue], object]] = {
    "request": request,
    "pruning": lambda jobs: jobs.request_pruning(ONE),
    "dispatch": RqJobQueue.dispatch_due,
    "status": lambda jobs: jobs.status("learn-1"),
    "lease": take_lease,
}


@pytest.mark.parametrize("call", CALLS)
def test_without_redis_every_call_says_what_to_do(stopped: RqJobQueue, call: str) -> None:
    with pytest.raises(JobQueueUnavailable, match=r"Redis cannot be reached.*REDIS_URL.*Nothing is lost"):
        CALLS[call](stopped)


def test_a_request_survives_a_restart_of_redis(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = EmbeddedRedis(tmp_path_factory.mktemp("r"))
    jobs = RqJobQueue(wiring.connect_redis(server.ensure()))
    try:
        job = request(jobs, quiet=0)
        server.stop()
        with pytest.raises(JobQueueUnavailable):
            request(jobs)
        server.ensure()
        assert jobs.dispatch_due() == 1
        assert jobs.status(job).state == "queued"
    finally:
        server.stop()


def test_requests_while_a_job_still_waits_for_a_worker_add_no_second_one(
    jobs: RqJobQueue, redis_client: redis.Redis
) -> None:
    for _ in range(3):
        request(jobs, quiet=0)
        jobs.dispatch_due()
    assert len(enqueued(redis_client)) == 1
