"""The only place where objects are made: from `Settings` to everything that runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path

import redis

from nextlabel.errors import FileUnavailable, SettingsError
from nextlabel.features.arrays import ArrayFiles
from nextlabel.features.cache import VectorCache
from nextlabel.features.embedding import embedder
from nextlabel.features.media.documents import TextFiles
from nextlabel.features.model_folders import Embeddings
from nextlabel.features.source import Source
from nextlabel.features.text_cache import TextFeatureCache
from nextlabel.features.work import EMBED, SCORE
from nextlabel.hosting import Limits
from nextlabel.hosting.hosts import Circumstances, Hosts, read_models
from nextlabel.jobs.alarms import Alarms
from nextlabel.jobs.circuits import ToolCircuits
from nextlabel.jobs.embedded_redis import BAD_REDIS_URL, EmbeddedRedis
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.jobs.shards import Compute, Helper, RqShards
from nextlabel.labeling import ProjectId
from nextlabel.learning import scoring
from nextlabel.loop.turn import ActiveLearning
from nextlabel.ports.state import Connection
from nextlabel.ports.tool import Connector, HasFiles
from nextlabel.service import discovery
from nextlabel.service.accounts import Accounts
from nextlabel.service.annotators import Annotators
from nextlabel.service.answering import Service
from nextlabel.service.by_hand import ByHand
from nextlabel.service.connecting import Connecting
from nextlabel.service.disconnecting import Disconnecting
from nextlabel.service.doctor import Doctor
from nextlabel.service.exporting import Exporting
from nextlabel.service.figures import Figures
from nextlabel.service.notes import Notes
from nextlabel.service.overview import Overview
from nextlabel.service.pausing import Pausing
from nextlabel.service.predictions import Predictions
from nextlabel.service.pruning import Pruning
from nextlabel.service.reconciling import Reconciling
from nextlabel.service.reviewing import Reviewing
from nextlabel.service.story import Story
from nextlabel.service.suspects import Suspects
from nextlabel.service.tokens import Tokens
from nextlabel.service.turns import Turns
from nextlabel.service.upkeep import Upkeep
from nextlabel.service.versions import Versions
from nextlabel.service.which_project import WhichProject
from nextlabel.settings import Settings
from nextlabel.storage.actions import StoredActions
from nextlabel.storage.agreements import StoredAgreements
from nextlabel.storage.checkpoints import StoredCheckpoints
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.counts import StoredCounts
from nextlabel.storage.database import Database
from nextlabel.storage.fences import StoredFences
from nextlabel.storage.figures import StoredFigures
from nextlabel.storage.findings import StandingFindings
from nextlabel.storage.label_store import SqlLabelStore
from nextlabel.storage.marks import ProjectMarks
from nextlabel.storage.model_store import StoredModels
from nextlabel.storage.notes import StoredNotes
from nextlabel.storage.orders import StoredOrders
from nextlabel.storage.page_secrets import PageSecrets
from nextlabel.storage.reserves import StoredReserves
from nextlabel.storage.retention import Retention
from nextlabel.storage.reviews import StoredReviews
from nextlabel.storage.round_log import RoundLog
from nextlabel.storage.suspects import StoredSuspects
from nextlabel.storage.tokens import StoredTokens
from nextlabel.strategies import finding

_FOLDERS = 64  # with texts' counts that a process has in view
_WATCH_SECONDS = 2.0  # that Redis may take to answer whoever only looks
_ANSWER_SECONDS = 5.0  # that it may take otherwise: one that hangs must not have pages and commands hang with it
_JOB_SECONDS = 3600  # that a job may take, beside what a team's own model is given


class Parts:
    """Everything one process needs, each made when it is first asked for.

    Nothing connects to anything before it is used, so that a process may be forked.
    """

    def __init__(self, settings: Settings, redis_url: str) -> None:
        self.settings = settings
        self._redis_url = redis_url
        self.redis = connect_redis(redis_url)
        self.strategy = lru_cache(maxsize=64)(finding.make)
        self.open_connector = partial(_open, settings)

    # --- what is kept --------------------------------------------------------------------------------------

    @cached_property
    def database(self) -> Database:
        return Database(self.settings.database_url)

    @cached_property
    def connections(self) -> SqlConnections:
        return SqlConnections(self.database, self.settings)

    @cached_property
    def store(self) -> SqlLabelStore:
        return SqlLabelStore(self.database)

    @cached_property
    def models(self) -> StoredModels:
        return StoredModels(self.database, self.settings.models_url, self.hosts)

    @cached_property
    def orders(self) -> StoredOrders:
        return StoredOrders(self.database)

    @cached_property
    def reserves(self) -> StoredReserves:
        return StoredReserves(self.database)

    @cached_property
    def agreements(self) -> StoredAgreements:
        return StoredAgreements(self.database)

    @cached_property
    def counts(self) -> StoredCounts:
        return StoredCounts(self.database)

    @cached_property
    def checkpoints(self) -> StoredCheckpoints:
        return StoredCheckpoints(self.database)

    @cached_property
    def fences(self) -> StoredFences:
        return StoredFences(self.database)

    @cached_property
    def retention(self) -> Retention:
        return Retention(self.database, self.settings.models_url, self.settings.keep_models)

    @cached_property
    def rounds(self) -> RoundLog:
        return RoundLog(self.database)

    @cached_property
    def findings(self) -> StandingFindings:
        return StandingFindings(self.database)

    @cached_property
    def actions(self) -> StoredActions:
        return StoredActions(self.database)

    # --- jobs ----------------------------------------------------------------------------------------------

    @cached_property
    def job_queue(self) -> RqJobQueue:
        return RqJobQueue(self.redis, job_timeout=_JOB_SECONDS + int(self.settings.model_fit_seconds))

    @cached_property
    def circuits(self) -> ToolCircuits:
        return ToolCircuits(self.redis)

    @cached_property
    def alarms(self) -> Alarms:
        return Alarms(self.redis, _folders(self.settings, self.database))

    @cached_property
    def shards(self) -> RqShards:
        return RqShards(self.redis, self.job_queue.other_workers)

    @cached_property
    def helper(self) -> Helper:
        computers: dict[str, Compute] = {
            EMBED: partial(embedder, Embeddings.of(self.settings)),
            SCORE: scoring.helper(self.models.load, self.hosts.learner),
        }
        return Helper(self.redis, computers)

    # --- learning ------------------------------------------------------------------------------------------

    @cached_property
    def hosts(self) -> Hosts:
        return _hosts(self.settings, self.connections)

    @cached_property
    def sources(self) -> _Sources:
        return _Sources(self.settings, self.connections, self.shards)

    @cached_property
    def loop(self) -> ActiveLearning:
        return ActiveLearning(
            connections=self.connections,
            store=self.store,
            registry=self.models,
            orders=self.orders,
            reserves=self.reserves,
            checkpoints=self.checkpoints,
            fences=self.fences,
            reviews=self.reviews,
            open_connector=self.open_connector,
            strategy=self.strategy,
            source=self.sources,
            hosts=self.hosts,
            shards=self.shards,
            embeddings=Embeddings.of(self.settings),
            full_pull_every=timedelta(hours=self.settings.full_reconcile_hours),
        )

    # --- the use cases -------------------------------------------------------------------------------------

    @cached_property
    def service(self) -> Service:
        return Service(
            connections=self.connections,
            registry=self.models,
            orders=self.orders,
            reserves=self.reserves,
            job_queue=self.job_queue,
            connector_type=discovery.connector_type,
            default_kind=self.settings.connector,
            strategy=self.strategy,
            source=self.sources.at_once,
            hosts=self.hosts,
            threads=self.settings.web_threads,
            idle_seconds=self.settings.model_idle_seconds,
            alarm=self.alarms.standing,
            tool_answered=self.circuits.answered,
        )

    @cached_property
    def turns(self) -> Turns:
        return Turns(
            self.loop,
            self.upkeep,
            self.connections,
            self.orders,
            self.fences,
            self.findings,
            self.rounds,
            self.job_queue,
            self.circuits,
            self.alarms,
            self.suspects,
            self.reviewing,
            self.annotators,
            self.counts,
            self.notes,
        )

    @cached_property
    def upkeep(self) -> Upkeep:
        return Upkeep(self.connections, self.findings, self.rounds, self.job_queue, self.circuits, self.open_connector)

    @cached_property
    def pruning(self) -> Pruning:
        return Pruning(
            self.connections, self.orders, self.retention, self.findings, self.job_queue, self.open_connector
        )

    @cached_property
    def which_project(self) -> WhichProject:
        return WhichProject(self.settings, self.connections)

    @cached_property
    def connecting(self) -> Connecting:
        return Connecting(
            self.connections,
            self.models,
            self.orders,
            self.fences,
            self.findings,
            self.circuits,
            self.job_queue,
            self.hosts,
            self.loop,
            self.open_connector,
            self.turns.after_connecting,
        )

    @cached_property
    def doctor(self) -> Doctor:
        return Doctor(self.overview, self.connecting, self.job_queue, self.open_connector, self.actions)

    @cached_property
    def reviews(self) -> StoredReviews:
        return StoredReviews(self.database)

    @cached_property
    def suspects(self) -> Suspects:
        return Suspects(
            self.connections,
            self.store,
            self.models,
            self.reserves,
            StoredSuspects(self.database),
            self.reviews,
            self.open_connector,
            self.actions,
        )

    @cached_property
    def annotators(self) -> Annotators:
        return Annotators(self.connections, self.store, self.reserves, self.agreements)

    @cached_property
    def versions(self) -> Versions:
        return Versions(self.connections, self.models, self.fences, self.job_queue, self.loop, self.actions, self.notes)

    @cached_property
    def notes(self) -> Notes:
        return Notes(
            self.settings.notes_url,
            StoredNotes(self.database),
            self.connections,
            self.overview,
            self.annotators,
            self.circuits,
            self.alarms,
            self.job_queue,
            self.redis,
        )

    @cached_property
    def by_hand(self) -> ByHand:
        return ByHand(self.models, self.loop, self.turns)

    @cached_property
    def story(self) -> Story:
        return Story(self.overview, self.annotators)

    @cached_property
    def exporting(self) -> Exporting:
        return Exporting(
            self.connections,
            self.store,
            self.models,
            self.reserves,
            self.versions,
            self.sources.at_once,
            discovery.connector_type,
            self.open_connector,
        )

    @cached_property
    def reviewing(self) -> Reviewing:
        return Reviewing(self.connections, self.store, self.suspects.suspects, self.reviews, self.open_connector)

    @cached_property
    def accounts(self) -> Accounts:
        return Accounts(PageSecrets(self.database), self.actions)

    @cached_property
    def disconnecting(self) -> Disconnecting:
        return Disconnecting(
            self.settings.home,
            self.connections,
            self.orders,
            self.fences,
            self.retention,
            self.findings,
            self.job_queue,
            self.open_connector,
            (self.suspects.remove_tab, self.reviewing.withdraw),
        )

    @cached_property
    def reconciling(self) -> Reconciling:
        return Reconciling(self.connections, self.store, self.job_queue, self.circuits)

    @cached_property
    def pausing(self) -> Pausing:
        return Pausing(self.connections, self.models, self.fences, self.job_queue)

    @cached_property
    def predictions(self) -> Predictions:
        return Predictions(self.connections, self.orders, self.open_connector)

    @cached_property
    def tokens(self) -> Tokens:
        return Tokens(StoredTokens(self.database))

    @cached_property
    def figures(self) -> Figures:
        return Figures(self.connections, StoredFigures(self.database), self._watching, self._alarms_seen.standing)

    @cached_property
    def overview(self) -> Overview:
        return Overview(
            self.settings,
            self.connections,
            self.store,
            self.models,
            self.orders,
            self.reserves,
            self.checkpoints,
            self.findings,
            self.rounds,
            ToolCircuits(self._watching),
            self._alarms_seen,
            self.suspects.suspects,
            self.actions,
            ProjectMarks(self.database),
            self.counts,
            self.agreements,
            RqJobQueue(self._watching),
        )

    @cached_property
    def _watching(self) -> redis.Redis:
        """For who only looks, and must not wait for a Redis that hangs."""
        return connect_redis(self._redis_url, patience=_WATCH_SECONDS)

    @cached_property
    def _alarms_seen(self) -> Alarms:
        return Alarms(self._watching, _folders(self.settings, self.database))


def build(settings: Settings, redis_url: str) -> Parts:
    """Wire a process. ``redis_url`` is the settings' own, or that of the embedded server."""
    make_home(settings.home)
    finding.use_folder(settings.strategies_folder)
    finding.allow(settings.strategy_functions)
    parts = Parts(settings, redis_url)
    _ = parts.database, parts.alarms  # a bad address is refused now; and folders are looked for where they are now
    return parts


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

    def __init__(self, settings: Settings, connections: SqlConnections, shards: RqShards) -> None:
        self._settings, self._connections, self._shards = settings, connections, shards
        self._texts = lru_cache(maxsize=_FOLDERS)(TextFeatureCache)

    def __call__(self, project: ProjectId) -> Source:
        folder = self._folder(project)
        vectors, files = VectorCache(folder, self._shards), self._files_of(project)
        fits = ArrayFiles(folder / "fits")
        return Source(self._texts(folder).features, vectors, files, texts=TextFiles(folder), fits=fits)

    def at_once(self, project: ProjectId) -> Source:
        """For a request: nobody is asked to help, and no counts are kept."""
        folder = self._folder(project)
        vectors, files = VectorCache(folder), self._files_of(project)
        return Source(self._texts(folder).features_at_once, vectors, files, texts=TextFiles(folder))

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


def connect_redis(url: str, *, patience: float = _ANSWER_SECONDS) -> redis.Redis:
    """A client; it connects at its first command. ``patience`` is how many seconds an answer may take; a worker, which
    waits for jobs, takes longer."""
    try:
        return redis.Redis.from_url(url, socket_connect_timeout=3, socket_timeout=patience, health_check_interval=30)
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
