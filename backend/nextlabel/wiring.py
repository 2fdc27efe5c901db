"""The only place where objects are made: from `Settings` to everything that runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache, lru_cache, partial
from pathlib import Path

import redis

from nextlabel.errors import FileUnavailable, SettingsError
from nextlabel.features.cache import VectorCache
from nextlabel.features.embedding import embedder
from nextlabel.features.source import Source
from nextlabel.features.text_cache import TextFeatureCache
from nextlabel.features.work import EMBED, SCORE
from nextlabel.hosting import Limits
from nextlabel.hosting.hosts import Circumstances, Hosts, read_models
from nextlabel.jobs.alarms import Alarms
from nextlabel.jobs.circuits import ToolCircuits
from nextlabel.jobs.embedded_redis import BAD_REDIS_URL, EmbeddedRedis
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.jobs.shards import Compute, RedisShards
from nextlabel.labeling import ProjectId
from nextlabel.learning import scoring
from nextlabel.loop.turn import ActiveLearning
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import Connector, HasFiles
from nextlabel.service import discovery
from nextlabel.service.answering import Service
from nextlabel.service.connecting import Connecting
from nextlabel.service.disconnecting import Disconnecting
from nextlabel.service.overview import Overview
from nextlabel.service.pausing import Pausing
from nextlabel.service.predictions import Predictions
from nextlabel.service.pruning import Pruning
from nextlabel.service.reconciling import Reconciling
from nextlabel.service.turns import Turns
from nextlabel.service.upkeep import Upkeep
from nextlabel.settings import Settings
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.database import Database
from nextlabel.storage.fences import StoredFences
from nextlabel.storage.findings import StandingFindings
from nextlabel.storage.label_store import SqlLabelStore
from nextlabel.storage.model_store import StoredModels
from nextlabel.storage.orders import StoredOrders
from nextlabel.storage.retention import Retention
from nextlabel.storage.round_log import RoundLog
from nextlabel.strategies import finding

_FOLDERS = 64  # with texts' counts that a process has in view
_JOB_SECONDS = 3600  # that a job may take, beside what a team's own model is given


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything one process needs, wired together. Nothing has been connected to yet, so it may be forked."""

    settings: Settings
    database: Database
    connections: SqlConnections
    store: SqlLabelStore
    models: StoredModels
    orders: StoredOrders
    fences: StoredFences
    retention: Retention
    rounds: RoundLog
    findings: StandingFindings
    job_queue: RqJobQueue
    circuits: ToolCircuits
    alarms: Alarms
    shards: RedisShards
    hosts: Hosts
    turns: Turns
    upkeep: Upkeep
    pruning: Pruning
    overview: Overview
    connecting: Connecting
    disconnecting: Disconnecting
    pausing: Pausing
    reconciling: Reconciling
    predictions: Predictions
    loop: ActiveLearning
    service: Service
    redis: redis.Redis = field(repr=False)

    def open_connector(self, connection: Connection) -> Connector:
        return _open(self.settings, connection)


def build(settings: Settings, redis_url: str) -> Parts:
    """Wire a process. ``redis_url`` is the settings' own, or that of the embedded server."""
    make_home(settings.home)
    finding.look_in(settings.strategies_folder)
    finding.allow(settings.strategy_functions)
    database = Database(settings.database_url)
    connections = SqlConnections(database, settings)
    store = SqlLabelStore(database)
    hosts = _hosts(settings, connections)
    models = StoredModels(database, settings.models_url, hosts)
    orders, fences = StoredOrders(database), StoredFences(database)
    client = connect_redis(redis_url)
    circuits = ToolCircuits(client)
    alarms = Alarms(client, _folders(settings, database))
    job_queue = RqJobQueue(client, job_timeout=_JOB_SECONDS + int(settings.model_fit_seconds))
    embeddings = Path(settings.embeddings).expanduser() if settings.embeddings else None
    helping: dict[str, Compute] = {
        EMBED: partial(embedder, embeddings),
        SCORE: scoring.helper(models.load, hosts.learner),
    }
    shards = RedisShards(client, job_queue, helping)
    strategy = lru_cache(maxsize=64)(finding.make)
    open_connector = partial(_open, settings)
    source = _Sources(settings, connections, shards)
    retention, rounds = Retention(database, settings.models_url, settings.keep_models), RoundLog(database)
    findings = StandingFindings(database)
    loop = ActiveLearning(
        connections=connections,
        store=store,
        registry=models,
        orders=orders,
        fences=fences,
        open_connector=open_connector,
        strategy=strategy,
        source=source,
        hosts=hosts,
        shards=shards,
        embeddings=settings.embeddings,
        full_pull_every=timedelta(hours=settings.full_reconcile_hours),
    )
    upkeep = Upkeep(connections, findings, rounds, job_queue, circuits, open_connector)
    return Parts(
        settings=settings,
        database=database,
        connections=connections,
        store=store,
        models=models,
        orders=orders,
        fences=fences,
        retention=retention,
        rounds=rounds,
        findings=findings,
        job_queue=job_queue,
        circuits=circuits,
        alarms=alarms,
        shards=shards,
        hosts=hosts,
        turns=Turns(loop, upkeep, connections, orders, fences, findings, rounds, job_queue, circuits, alarms),
        upkeep=upkeep,
        pruning=Pruning(connections, orders, retention, findings, job_queue, open_connector),
        connecting=Connecting(
            connections, models, orders, fences, findings, circuits, job_queue, hosts, loop, open_connector
        ),
        disconnecting=Disconnecting(
            settings.home, connections, orders, fences, retention, findings, job_queue, open_connector
        ),
        reconciling=Reconciling(connections, store, job_queue, circuits),
        pausing=Pausing(connections, models, fences, job_queue),
        predictions=Predictions(connections, orders, open_connector),
        overview=Overview(settings, connections, store, models, orders, findings, rounds, circuits, alarms),
        loop=loop,
        service=Service(
            connections=connections,
            registry=models,
            orders=orders,
            job_queue=job_queue,
            connector_type=discovery.connector_type,
            default_kind=settings.connector,
            strategy=strategy,
            source=source.at_once,
            hosts=hosts,
            threads=settings.web_threads,
            idle_seconds=settings.model_idle_seconds,
            alarm=alarms.standing,
            heard=circuits.answered,
        ),
        redis=client,
    )


def _hosts(settings: Settings, connections: SqlConnections) -> Hosts:
    limits = Limits(
        start_seconds=settings.model_start_seconds,
        predict_seconds=settings.model_predict_seconds,
        fit_seconds=settings.model_fit_seconds,
        memory_mb=settings.model_memory_mb,
        idle_seconds=settings.model_idle_seconds,
    )
    known = partial(_circumstances, connections)
    return Hosts(settings.home / "hosted", lambda: read_models(connections.models()), known, limits)


class _Sources:
    """What encoders need beside the tasks of a project."""

    def __init__(self, settings: Settings, connections: SqlConnections, shards: RedisShards) -> None:
        self._settings, self._connections, self._shards = settings, connections, shards
        self._texts = lru_cache(maxsize=_FOLDERS)(TextFeatureCache)

    def __call__(self, project: ProjectId) -> Source:
        folder = self._folder(project)
        return Source(self._texts(folder).features, VectorCache(folder, self._shards), self._files_of(project))

    def at_once(self, project: ProjectId) -> Source:
        """For a request: nobody is asked to help, and no counts are kept."""
        folder = self._folder(project)
        return Source(self._texts(folder).features_at_once, VectorCache(folder), self._files_of(project))

    def _folder(self, project: ProjectId) -> Path:
        return self._settings.home / "features" / project

    def _files_of(self, project: ProjectId) -> Callable[[str], bytes]:
        # Opened once a file is asked for, and then for all of them: a connector for each cost more than most files.
        connector = cache(lambda: _open(self._settings, self._connections.get(project)))

        def file(address: str) -> bytes:
            tool = connector()
            if not isinstance(tool, HasFiles):
                raise FileUnavailable(f"{address}: this tool keeps no files.")
            return tool.file(address)

        return file


def connect_redis(url: str) -> redis.Redis:
    """A client; it connects at its first command."""
    try:
        return redis.Redis.from_url(url, socket_connect_timeout=3, health_check_interval=30)
    except ValueError:
        raise SettingsError(BAD_REDIS_URL) from None


def embedded_redis(settings: Settings) -> EmbeddedRedis:
    """The server of this home folder, for installations without a REDIS_URL."""
    return EmbeddedRedis(settings.home)


def _circumstances(connections: SqlConnections, project: str) -> Circumstances:
    connection = connections.get(ProjectId(project))
    options, access = connection.options, connection.tool.access
    return Circumstances(options.parameters, access.url, access.token, options.region_scores, connection.at_tool)


def _open(settings: Settings, connection: Connection) -> Connector:
    """The hosts that files may be read from are this installation's to say, so they are kept with no project."""
    access = replace(connection.tool.access, file_hosts=settings.file_hosts)
    return discovery.connector_type(connection.tool.kind).open(access, connection.at_tool)


def _folders(settings: Settings, database: Database) -> list[Path]:
    """Those of this machine that state is kept in."""
    models = [] if "://" in settings.models_url else [Path(settings.models_url).expanduser()]
    wanted = [settings.home, *models, *([database.folder] if database.folder else [])]
    return [folder for folder in dict.fromkeys(wanted) if folder.is_dir()]


def make_home(home: Path) -> None:
    """Raises `SettingsError` where it cannot be made."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(
            f"{home} cannot be made ({error.strerror}): set NEXTLABEL_HOME to a folder that can."
        ) from None
