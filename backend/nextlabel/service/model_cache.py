"""Models in the memory of one process, by project: loaded beside the requests, and let go when nobody asks for them.

A model that takes long to load holds up no other project, and none of its own project's requests that an earlier
version can answer. Requests that nothing can answer yet wait, but never so many that no thread is left for others.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import TracebackType

from nextlabel.errors import ModelNotReady
from nextlabel.estimators.project import Model
from nextlabel.labeling import ModelVersion, ProjectId, QueueVersion

log = logging.getLogger("nextlabel.models")

_BRIEF_SECONDS, _PATIENT_SECONDS = 1.0, 60.0
_AGAIN_SECONDS = 5.0  # after a load that failed
_MOST_MODELS = 64


@dataclass(frozen=True, slots=True)
class InService:
    """A model as this process serves it, and the version string that goes with it."""

    version: QueueVersion
    trained: ModelVersion | None
    model: Model


@dataclass(eq=False, slots=True)
class _Load:
    """A version that is being loaded, or could not be."""

    version: ModelVersion
    announced: QueueVersion
    began: float
    over: threading.Event = field(default_factory=threading.Event)
    loaded: InService | None = None
    error: BaseException | None = None
    trace: TracebackType | None = None
    failed_at: float = 0.0

    def result(self, before: InService | None) -> InService:
        """What answers a request; ``before`` where this cannot. Raises what loading raised, and `ModelNotReady`."""
        found = self.loaded or before
        if found is not None:
            return found
        if self.error is not None:
            raise self.error.with_traceback(self.trace)
        raise ModelNotReady(f"Version {self.announced} is still being loaded: ask again in a few seconds.")


@dataclass(eq=False, slots=True)
class _Held:
    """What there is of one project."""

    asked_at: float = 0.0
    serving: InService | None = None
    load: _Load | None = None


class ModelCache:
    """The model in service of each project, at most so many. Safe for threads; nothing is loaded before the first
    `get`, so that the process may fork until then."""

    def __init__(
        self,
        load: Callable[[ProjectId, ModelVersion], Model],
        *,
        threads: int = 4,
        idle_seconds: float = 900.0,
        most: int = _MOST_MODELS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``threads`` is how many may call `get` at a time: all but one of them wait for a first model for as long as
        it takes, further ones briefly. A model that nobody asks for ``idle_seconds`` is let go."""
        self._load, self._idle_seconds, self._most, self._clock = load, idle_seconds, most, clock
        self._patient = threading.Semaphore(max(1, threads - 1))
        self._lock = threading.Lock()
        self._held: OrderedDict[ProjectId, _Held] = OrderedDict()  # asked for longest ago first
        self._sweeper: threading.Timer | None = None

    def get(self, project: ProjectId, version: ModelVersion, announced: QueueVersion) -> InService:
        """That version, announced as it is now; the one before where that takes long to load or cannot be loaded.

        Raises what loading raised, and for a while without another try; `ModelNotReady` where it takes too long.
        """
        with self._lock:
            held = self._held.setdefault(project, _Held())
            held.asked_at = self._clock()
            self._held.move_to_end(project)
            before = held.serving
            if before is not None and before.trained == version:
                held.load = None  # of a version that was in service meanwhile, and is not any more
                held.serving = before if before.version == announced else replace(before, version=announced)
                return held.serving
            load, begun = self._begin(project, held, version, announced)
        if begun or before is None:
            self._wait(load, patiently=before is None)
        return load.result(before)

    def _begin(
        self, project: ProjectId, held: _Held, version: ModelVersion, announced: QueueVersion
    ) -> tuple[_Load, bool]:
        """The load of that version, and whether it begins with this. One that failed is tried again after a while."""
        load, now = held.load, self._clock()
        if load is not None and load.version == version and (not load.error or now < load.failed_at + _AGAIN_SECONDS):
            return load, False
        load = _Load(version, announced, now)
        threading.Thread(target=self._run, args=(project, held, load), name=f"load {version}", daemon=True).start()
        held.load = load
        return load, True

    def _run(self, project: ProjectId, held: _Held, load: _Load) -> None:
        try:
            load.loaded = InService(load.announced, load.version, self._load(project, load.version))
        except BaseException as error:  # whoever waits for it raises it
            load.failed_at, load.trace, load.error = self._clock(), error.__traceback__, error
        with self._lock:
            gone: list[object] = [held.serving]
            if load.loaded is not None and held.load is load:
                held.serving, held.load = load.loaded, None
            elif load.error is not None and held.serving is not None:
                log.error("project %s: %s serves still, for: %s", project, held.serving.version, load.error)
            gone += self._let_go()
        load.over.set()
        gone.clear()  # not before the lock is free: to end a team's own model takes a moment

    def _wait(self, load: _Load, *, patiently: bool) -> None:
        """Until it is over: for long where nothing else can answer, but leave a thread to those who need not wait."""
        patient = patiently and self._patient.acquire(blocking=False)
        try:
            load.over.wait(_PATIENT_SECONDS if patient else max(0.0, load.began + _BRIEF_SECONDS - self._clock()))
        finally:
            if patient:
                self._patient.release()

    def _let_go(self) -> list[_Held]:
        """Of what nobody has asked for a while, and of what is too much; and see to it again in time, even if nobody
        asks for anything. Requests at hand keep their models."""
        gone: list[_Held] = []
        while self._held:
            left = next(iter(self._held.values())).asked_at + self._idle_seconds - self._clock()
            if left > 0 and len(self._held) <= self._most:
                self._sweep_in(left)
                break
            gone.append(self._held.popitem(last=False)[1])
        return gone

    def _sweep_in(self, seconds: float) -> None:
        if self._sweeper is None or not self._sweeper.is_alive():
            self._sweeper = timer = threading.Timer(seconds, _sweep, [weakref.ref(self)])
            timer.daemon = True
            timer.start()

    def _sweep(self) -> None:
        with self._lock:
            self._sweeper = None
            gone = self._let_go()
        gone.clear()


def _sweep(cache: weakref.ref[ModelCache]) -> None:
    """Without holding on to the cache until then."""
    if (still := cache()) is not None:
        still._sweep()
