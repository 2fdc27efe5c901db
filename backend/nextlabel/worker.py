"""What RQ calls, and the process that RQ runs in. Jobs are named by dotted path: ``nextlabel.worker.learn``."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from pathlib import Path

import redis
from rq.serializers import JSONSerializer

from nextlabel.errors import (
    ArtifactError,
    ConfigurationError,
    HostedModelError,
    NextlabelError,
    NotConnected,
    ProjectGone,
    SchemaError,
    StaleWorker,
    StorageBusy,
    StorageError,
    ToolRejected,
    ToolUnavailable,
)
from nextlabel.jobs.alarms import is_no_room
from nextlabel.jobs.allowed import OurWorker
from nextlabel.jobs.circuits import same_tool
from nextlabel.jobs.job_queue import QUEUES
from nextlabel.labeling import ProjectId
from nextlabel.loop.turn import Round
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import STRATEGY, Finding
from nextlabel.service.garbage import spare_what_stays
from nextlabel.service.ownership import LEFT_ALONE, left_alone
from nextlabel.settings import Settings
from nextlabel.storage.model_store import preload
from nextlabel.wiring import Parts, build, embedded_redis

log = logging.getLogger("nextlabel.worker")

_BUSY_SECONDS = 1.0
_LOCKED_SECONDS = 5.0
_NO_ROOM_SECONDS = 15.0
_DRIFT_SECONDS = 50  # less than two turns of the usual schedule, so that drift is seen within a minute
_CLEAR_SECONDS = 60
_PRUNE_PAUSE_SECONDS, _PRUNE_MOST = 0.3, 5000
# How many predictions are removed at a time at rest, and while people are at work. Then so many old orders are left
# for when they are not: the tool tells a task with all of its predictions, so that there must be an end to them.
_WHOLE_LOT, _TRICKLE_LOT, _MOST_LEFT = 250, 10, 50
_WARN_AGAIN_SECONDS = 86_400
_SWEEP_SECONDS = 3600  # listing a store may be slow, and cost money


def learn(project: str) -> str:
    """Job: one turn of the loop. Returns what happened, in words for a person."""
    parts = _parts()
    try:
        return learn_project(parts, ProjectId(project))
    finally:
        parts.database.dispose()


def learn_project(parts: Parts, project: ProjectId) -> str:
    """One turn under the project's lease. Only what another try could mend is raised; the rest is told."""
    try:
        return _turn(parts, project)
    except StorageBusy as error:
        parts.job_queue.request_retraining(project, quiet=_LOCKED_SECONDS, max_wait=_LOCKED_SECONDS)
        log.warning("project %s: %s", project, error)  # the story is kept where nothing can be written now
        return str(error)


def _turn(parts: Parts, project: ProjectId) -> str:
    started = time.monotonic()
    with parts.job_queue.lease(project) as lease:
        if lease is None:
            parts.job_queue.request_retraining(project, quiet=_BUSY_SECONDS, max_wait=_BUSY_SECONDS)
            return "another worker is on it; asked again"
        done = _attempt(parts, project, started)
    return done if isinstance(done, str) else _record(parts, project, done, time.monotonic() - started)


def _attempt(parts: Parts, project: ProjectId, started: float) -> Round | str:
    """What came of it, or in words why nothing did."""
    try:
        if why_not := _rests(parts, project) or _waits(parts, project):
            return why_not
        done = parts.loop.run(project, parts.models.next_fence(project))
        parts.circuits.succeeded(parts.connections.get(project))
    except ToolUnavailable as error:
        wait = parts.circuits.failed(parts.connections.get(project), str(error), error.retry_after)
        parts.job_queue.request_retraining(project, quiet=wait, max_wait=wait)
        return _failed(parts, project, started, f"{error} Asked again in {wait:.0f} s.")
    except StorageBusy:
        raise
    except (StorageError, OSError) as error:
        if isinstance(error, OSError) and not (is_no_room(error) or parts.alarms.look()):
            raise
        return _no_room(parts, project, started, error)
    except (ToolRejected, ConfigurationError, StaleWorker, ArtifactError, HostedModelError) as error:
        if isinstance(error, StaleWorker) and (rests := _rests(parts, project)):
            return rests
        return _failed(parts, project, started, f"{error}{_is_asked_no_more(parts, project, error)}")
    return done


def _waits(parts: Parts, project: ProjectId) -> str:
    """Why its tool is left alone for now, in words; empty where it is not. Raises what the connector raises."""
    connection = parts.connections.get(project)
    _warn_of_options(parts, connection)
    wait = _wait_for_tool(parts, connection)
    if wait:
        parts.job_queue.request_retraining(project, quiet=wait, max_wait=wait)
    return f"its tool does not answer; asked again in {wait:.0f} s" if wait else ""


def _record(parts: Parts, project: ProjectId, done: Round, seconds: float) -> str:
    for topic, found in done.findings().items():
        if parts.findings.replace(project, found, topic) and topic == STRATEGY:
            for one in found:
                log.warning("project %s: %s", project, one.message)
    parts.alarms.clear()
    summary = done.sentence()
    is_news = done.changes_something or done.read_again
    level = logging.ERROR if done.failure else logging.INFO if is_news else logging.DEBUG
    log.log(level, "%s (%.2f s)", summary, seconds)
    if is_news:
        parts.rounds.add(project, seconds, summary, failed=bool(done.failure))
    if done.trained:  # labels came, perhaps without a webhook
        parts.job_queue.note_work(project)
    if done.receipt or done.trained or _may_clear(parts, project):  # a version that was turned down leaves files too
        parts.job_queue.request_pruning(project)
    with suppress(ToolUnavailable, NotConnected):  # the next turn will tell
        _look_for_drift(parts, parts.connections.get(project))
    return summary


def _warn_of_options(parts: Parts, connection: Connection) -> None:
    complaint = connection.options.complaint
    if complaint and parts.job_queue.is_first_in(_WARN_AGAIN_SECONDS, "warned", connection.project):
        log.warning("project %s: %s", connection.project, complaint)


def _may_clear(parts: Parts, project: ProjectId) -> bool:
    """Whether old orders are left and nobody is at work: looked at once a minute at most."""
    return (
        parts.job_queue.is_at_rest(project)
        and parts.job_queue.is_first_in(_CLEAR_SECONDS, "clear", project)
        and bool(parts.models.old_orders(project))
    )


def _rests(parts: Parts, project: ProjectId) -> str:
    """Why nothing is to be done for a project now, in words; empty where it is worked on."""
    known = parts.connections.known(project)
    return "" if known is None or known.state == "active" else f"project {project} is {known.state}: nothing was done"


def _is_asked_no_more(parts: Parts, project: ProjectId, error: Exception) -> str:
    """A project that is gone is left alone until a person wants it, or the tool sends a webhook of it."""
    if not isinstance(error, ProjectGone):
        return ""
    parts.connections.change_state(project, "gone", among=("active",))
    return (
        f" It is asked for no more. If it comes back: `nextlabel resume --project {project}`; if it does not: "
        f"`nextlabel disconnect --project {project}`."
    )


def _wait_for_tool(parts: Parts, connection: Connection) -> float:
    """For how many seconds the tool is left alone. Once that is over, one project tries with a single request.

    Raises what the connector raises.
    """
    wait, tries = parts.circuits.admit(connection)
    if tries:
        with suppress(ToolRejected, SchemaError):  # it answers, if only to refuse: the turn will say what is wrong
            parts.open_connector(connection).label_schema(connection.project)
        parts.circuits.answered(connection)
        for other in parts.connections.active():
            if same_tool(other, connection) and other.project != connection.project:
                quiet = other.options.quiet_seconds
                parts.job_queue.request_retraining(other.project, quiet=quiet, max_wait=quiet)
    return wait


def _look_for_drift(parts: Parts, connection: Connection) -> None:
    """Whether somebody has undone in the tool what `connect` made there: told once, and again when it changes.

    It is not made again unasked. Nothing is lost without it, for labels are pulled and the order is written all the
    same; and who removed it may have meant it. Order, sampling and version are what the loop is for: those it mends.
    """
    if not connection.door_url or not parts.job_queue.is_first_in(_DRIFT_SECONDS, "drift", connection.project):
        return
    door = parts.connections.door(connection)
    try:
        found = list(parts.open_connector(connection).drift(connection.project, door))
    except ToolRejected as error:
        found = [Finding("warning", str(error))]
    if parts.findings.replace(connection.project, found):
        said = " ".join(one.message for one in found) or "All that `connect` made stands again."
        log.log(logging.WARNING if found else logging.INFO, "project %s: %s", connection.project, said)
        parts.rounds.add(connection.project, 0.0, said, failed=bool(found))


def prune(project: str) -> int:
    """Job: let old versions go, and take orders that are no longer needed out of the tool, lot by lot so that
    annotators never wait long. Returns how many predictions were removed from it.

    The order in force and the one before it stay: the latter is what a rollback switches to.
    """
    parts = _parts()
    try:
        if _rests(parts, ProjectId(project)):
            return 0
        _let_go(parts, ProjectId(project))
        return prune_orders(parts, ProjectId(project))
    except NextlabelError as error:
        log.warning("project %s: old versions and orders stay for now: %s", project, error)
        return 0


def _let_go(parts: Parts, project: ProjectId) -> None:
    """Versions that are not kept any more, and now and then files that are nobody's."""
    stuck = (
        parts.retention.sweep(project).stuck if parts.job_queue.is_first_in(_SWEEP_SECONDS, "sweep", project) else ""
    )
    while (gone := parts.retention.let_go(project)).number and not parts.job_queue.learning_waits():
        stuck = stuck or gone.stuck
    stuck = stuck or gone.stuck
    if stuck and parts.job_queue.is_first_in(_SWEEP_SECONDS, "stuck", project):
        log.warning("project %s: %s. It is tried again from time to time; see NEXTLABEL_MODELS_URL.", project, stuck)


def prune_orders(parts: Parts, project: ProjectId) -> int:
    """Those that the tool still holds and that need not stay. Predictions that nextlabel did not write are left alone,
    and those that only bear names like its own are noted for `nextlabel status`."""
    connector = parts.open_connector(parts.connections.get(project))
    removed = 0
    while removed < _PRUNE_MOST and not _rests(parts, project):
        at_rest, old = parts.job_queue.is_at_rest(project), parts.models.old_orders(project)
        if not at_rest and len(old) <= _MOST_LEFT:
            break
        lot = connector.prune(project, old, _WHOLE_LOT if at_rest else _TRICKLE_LOT, at_rest=at_rest)
        parts.models.note_removed(project, lot.emptied)
        # A training never waits for this; the reorder at its end asks for pruning again.
        if lot.removed == 0 or parts.job_queue.learning_waits():
            break
        removed += lot.removed
        time.sleep(_PRUNE_PAUSE_SECONDS)
    held, ours = connector.predictions_held(project), {order.version for order in parts.models.own_orders(project)}
    parts.findings.replace(project, list(left_alone(held, ours, parts.models.earlier_names(project))), LEFT_ALONE)
    return removed


def help_out() -> int:
    """Job: take shards of what others compute, such as embeddings. Returns how many were computed."""
    parts = _parts()
    try:
        return parts.shards.help()
    finally:
        parts.database.dispose()


def run_worker(settings: Settings, redis_url: str) -> None:
    """Work until told to stop (SIGTERM: after the job at hand).

    The flags let another worker notice within about a minute that this one was killed.
    """
    preload()
    _yield_to_the_web()
    parts = build(settings, redis_url)
    _wait_for_redis(parts)
    _ask_again_for_the_killed(parts)
    worker = OurWorker(
        list(QUEUES),
        connection=parts.redis,
        serializer=JSONSerializer,
        worker_ttl=25,
        maintenance_interval=5,
        job_monitoring_interval=5,
        log_job_description=False,
    )
    worker.log_result_lifespan = False
    spare_what_stays()
    worker.work(logging_level="WARNING", with_scheduler=False)


def _yield_to_the_web() -> None:
    """Training may take longer; an annotator who waits for a webhook may not."""
    os.nice(10)
    with suppress(
        OSError
    ):  # Linux may weigh whole sessions against each other: then only the session's niceness counts
        Path("/proc/self/autogroup").write_text("10", encoding="ascii")


def _wait_for_redis(parts: Parts) -> None:
    """RQ waits for a Redis that goes away while it works, but not for one that is away when it starts."""
    while True:
        try:
            parts.redis.ping()
        except redis.RedisError as error:
            log.error("Redis cannot be reached (%s): asking again every 2 s; check REDIS_URL.", type(error).__name__)
            time.sleep(2)
        else:
            return


def _ask_again_for_the_killed(parts: Parts) -> None:
    """A worker that is started may follow one that was killed with its job: RQ takes a minute to find that out."""
    with suppress(NextlabelError):  # then the project is looked at again on schedule
        for connection in parts.connections.active():
            if parts.job_queue.is_abandoned(connection.project):
                parts.job_queue.request_retraining(connection.project, quiet=0, max_wait=0)


def _no_room(parts: Parts, project: ProjectId, started: float, error: Exception) -> str:
    """An alarm: a person must make room, and then it goes on by itself."""
    sentence = parts.alarms.look() or (
        str(error)
        if isinstance(error, StorageError)
        else f"Nothing can be written ({error}): make room, or make it writable; nextlabel goes on by itself."
    )
    parts.alarms.raise_(sentence)
    parts.job_queue.request_retraining(project, quiet=_NO_ROOM_SECONDS, max_wait=_NO_ROOM_SECONDS)
    return _failed(parts, project, started, sentence)


def _failed(parts: Parts, project: ProjectId, started: float, sentence: str) -> str:
    log.error("project %s: %s", project, sentence)
    with suppress(StorageError):
        parts.rounds.add(project, time.monotonic() - started, sentence, failed=True)
    return sentence


def _parts() -> Parts:
    settings = Settings.from_env(os.environ)
    return build(settings, settings.redis_url or embedded_redis(settings).url)
