"""A team's own model as the rest of nextlabel sees it."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from nextlabel.errors import HostedModelError, SettingsError
from nextlabel.hosting import wire
from nextlabel.hosting.answers import HostedPrediction, Unreadable, read_labels, read_predictions
from nextlabel.hosting.plain_targets import plain_target
from nextlabel.hosting.process import Meanwhile, ModelProcess
from nextlabel.hosting.source import ModelSource
from nextlabel.hosting.state import at_home, portable
from nextlabel.labeling import LabelSchema, Target

_LAST_LINES = 50
_REASONS = 10  # why something is left out, in one message
_GRACE_SECONDS = 2.0

Doing = Literal["start", "predict", "fit"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a team's model may take: seconds to start, to predict and to fit, and megabytes of memory (None: any); and
    for how many seconds its process stays when nobody asks it.

    Memory is address space (``RLIMIT_AS``), of which a model takes more than it uses (with scikit-learn loaded 450 MB,
    not 170); only Linux holds it to that.
    """

    start_seconds: float = 120.0
    predict_seconds: float = 30.0
    fit_seconds: float = 3600.0
    memory_mb: int | None = None
    idle_seconds: float = 900.0

    def __post_init__(self) -> None:
        for name in ("start_seconds", "predict_seconds", "fit_seconds", "memory_mb", "idle_seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingsError(f"'{name}' is {value}: it must be more than 0.")

    def seconds(self, doing: Doing) -> float:
        """How long that may take."""
        return {"start": self.start_seconds, "predict": self.predict_seconds, "fit": self.fit_seconds}[doing]


class HostedModel:
    """One version of a team's model, unchanged, in a process of its own: label-studio-ml's or scikit-learn's.

    ``folder`` holds the files of this version, and the model works in it; ``train_output`` is what the fit that made
    the version returned. Neither need exist for a model that was never fitted. ``parameters`` reach the model as Label
    Studio's extra params (2.x) or as arguments of its constructor (1.x); ``access`` is Label Studio's ``hostname`` and
    an ``access_token``, for models that fetch files from there.

    The process starts with the first prediction and stays until nobody has asked it for long; the next one starts
    another. The model may print, raise, hang, eat memory, exit or crash: a `HostedModelError` says which, with its last
    lines. What it raises leaves the process running, as label-studio-ml's own server does; after anything else it is
    ended, and the next call starts another. Predictions are made one after the other, from whatever threads they are
    asked for, and none waits for its turn longer than one may take; a fit does not hold them up.

    A scikit-learn model learns and predicts the first target of the schema that suits it, from the tasks' ``data``
    alone; of the ``parameters`` it gets those that it knows. A model for label-studio-ml reads the schema's ``source``.
    """

    def __init__(
        self,
        source: ModelSource,
        *,
        project: str,
        schema: LabelSchema,
        folder: Path,
        train_output: Mapping[str, object] | None = None,
        parameters: Mapping[str, object] | None = None,
        access: Mapping[str, str] | None = None,
        limits: Limits = Limits(),
    ) -> None:
        self._source = source
        self._project = project
        self._schema = schema
        self._folder = folder.resolve()
        self._train_output = dict(train_output or {})
        self._parameters = dict(parameters or {})
        self._access = dict(access or {})
        self._about: tuple[bool, Target | None] | None = None
        self._limits = limits
        self._lock = threading.Lock()
        self._process: ModelProcess | None = None
        self._asked_at = 0.0
        self._resting: threading.Thread | None = None
        self._closed = False

    @property
    def learns(self) -> bool:
        """Whether it can be fitted at all. Raises `HostedModelError` where it cannot be loaded."""
        return self._known()[0]

    @property
    def target(self) -> Target | None:
        """The target that a scikit-learn model learns; None for a model for label-studio-ml. Raises
        `HostedModelError` where it cannot be loaded."""
        return self._known()[1]

    def predict(
        self, tasks: Sequence[Mapping[str, object]], context: Mapping[str, object] | None = None
    ) -> list[HostedPrediction]:
        """One prediction per task, in order. Raises `HostedModelError`.

        For label-studio-ml tasks are Label Studio's, and so is the ``context`` of what an annotator has just drawn; of
        others only the ``data`` counts.
        """
        if not tasks:
            return []
        with self._turn():
            process = self._running()
            answer = self._ask(process, "predict", {"do": "predict", "tasks": list(tasks), "context": context})
            self._asked_at = time.monotonic()
            self._rest_after(self._limits.idle_seconds)
            target = self._known()[1]
            try:
                if target is not None:
                    return read_labels(answer["predictions"], len(tasks), target)
                return read_predictions(answer["predictions"], len(tasks), answer["version"])
            except Unreadable as wrong:
                raise self._error(f"{wrong}. Correct its predict.", process) from None

    def fit(
        self,
        tasks: Sequence[Mapping[str, object]],
        event: str = "START_TRAINING",
        *,
        into: Path,
        meanwhile: Meanwhile | None = None,
    ) -> Mapping[str, object] | None:
        """Train on annotated tasks; the new version's state is what is returned and the files in ``into``. None where
        the fit changed neither: then there is no new version, and ``into`` is gone. For label-studio-ml tasks are Label
        Studio's, with their annotations; others have ``data`` and a ``label`` of the target.

        It is trained in another process, on a copy of this version's files: this version stays as it is, whatever
        happens, and goes on predicting. ``into`` must be new or empty; after a `HostedModelError` it is gone. The next
        version is a HostedModel of that folder, wherever it was moved, and the returned ``train_output``.
        ``meanwhile`` is done now and then where it takes long; what that raises ends it.
        """
        folder = into.resolve()
        if folder.is_relative_to(self._folder) or (folder.exists() and any(folder.iterdir())):
            raise HostedModelError(f"{folder} is in use: a version of {self._source} needs a new folder of its own.")
        process: ModelProcess | None = None
        try:
            self._copy_files(folder)
            process = self._start(folder)
            answer = self._ask(process, "fit", {"do": "fit", "tasks": list(tasks), "event": event}, meanwhile)
            if not answer["changed"]:
                process.end()
                shutil.rmtree(folder, ignore_errors=True)
                return None
            state = answer["state"]
            if state is None:  # trained nothing, or keeps all it knows in files: what was known before still holds
                return dict(self._train_output)
            return dict(portable(state, folder))
        except BaseException:
            if process is not None:
                process.end()  # before the folder goes: it might write to it still
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            if process is not None:
                process.end()

    def close(self) -> None:
        """End the process, after the prediction at hand; there are none afterwards."""
        with self._lock:
            self._closed = True
            if self._process is not None and self._process.is_ours:
                self._process.end()
            self._process = None

    def __del__(self) -> None:
        """A version that nobody asks any more takes its process with it."""
        process = getattr(self, "_process", None)
        if process is not None and process.is_ours:
            process.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        seconds = self._limits.predict_seconds
        if not self._lock.acquire(timeout=seconds):
            raise HostedModelError(
                f"{self._source} was busy with other predictions for {seconds:g} s: ask it for fewer."
            )
        try:
            if self._closed:
                raise HostedModelError(f"{self._source} was closed: ask the version that is in service now.")
            yield
        finally:
            self._lock.release()

    def _rest_after(self, seconds: float) -> None:
        """See then whether anybody still asks it. Without holding on to it: a version that is gone need not rest."""
        if self._resting is None or not self._resting.is_alive():  # such as after a fork
            self._resting = timer = threading.Timer(seconds, _rest, [weakref.ref(self)])
            timer.daemon = True
            timer.start()

    def _rest_if_idle(self) -> None:
        with self._lock:
            self._resting = None
            left = self._asked_at + self._limits.idle_seconds - time.monotonic()
            process = self._process
            if process is None or not process.is_ours:
                return
            if left > 0:
                self._rest_after(left)
            else:
                process.end()
                self._process = None

    def _known(self) -> tuple[bool, Target | None]:
        """What the process said when it was started: whether the model learns, and which target."""
        if self._about is None:
            with self._turn():
                self._running()
        if self._about is None:
            raise RuntimeError("a process was started and said nothing")
        return self._about

    def _copy_files(self, folder: Path) -> None:
        if not self._folder.is_dir():
            return
        try:
            shutil.copytree(self._folder, folder, symlinks=True, dirs_exist_ok=True)
        except OSError as error:
            raise HostedModelError(
                f"{self._folder} cannot be copied to {folder} ({error}): make room there."
            ) from error

    def _running(self) -> ModelProcess:
        process = self._process
        if process is not None and process.is_ours and not process.has_ended:
            return process
        if process is not None and not process.is_ours:
            process.forget()  # we were forked: two of us on one wire would read each other's answers
        self._process = None
        self._process = self._start(self._folder)
        return self._process

    def _start(self, folder: Path) -> ModelProcess:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            process = ModelProcess(folder)
        except OSError as error:
            raise HostedModelError(
                f"{self._source} cannot be started in {folder} ({error}): the folder must be ours, and processes left."
            ) from error
        start = {
            "do": "start",
            "module": self._source.module,
            "name": self._source.name,
            "project": self._project,
            "label_config": self._schema.source,
            "targets": [plain_target(target) for target in self._schema.targets],
            "left_out": dict(islice(self._schema.left_out.items(), _REASONS)),
            "folder": str(folder),
            "train_output": at_home(self._train_output, folder),
            "parameters": self._parameters,
            "access": self._access,
            "memory_mb": self._limits.memory_mb,
            "path": [str(Path(entry).absolute()) for entry in sys.path],
        }
        started = self._ask(process, "start", start)
        learned = next((target for target in self._schema.targets if target.name == started["target"]), None)
        self._about = bool(started["learns"]), learned
        return process

    def _ask(
        self,
        process: ModelProcess,
        doing: Doing,
        message: Mapping[str, object],
        meanwhile: Meanwhile | None = None,
    ) -> Mapping[str, Any]:
        seconds = self._limits.seconds(doing)
        try:
            answer: Mapping[str, Any] = process.report(message, seconds, meanwhile)
        except TimeoutError:
            process.last_words()
            process.end()
            reason = f"did not {doing} within {seconds:g} s and was ended. Make it faster, or raise {doing}_seconds."
            raise self._error(reason, process) from None
        except wire.Garbled:
            process.end()
            reason = f"wrote to the file descriptor of nextlabel's own in {doing}: have it use only those it opened."
            raise self._error(reason, process) from None
        except (EOFError, OSError):
            reason = self._how_it_ended(process.end(_GRACE_SECONDS), doing)
            raise self._error(reason, process) from None
        except BaseException:  # interrupted between question and answer: the next would get this one's answer
            process.end()
            raise
        failure = answer.get("failure")
        if failure is None:
            return answer
        if doing == "start" or failure in ("memory", "exit"):
            process.end()
        raise self._error(self._what_failed(failure, answer["what"], doing), process, answer["trace"])

    def _what_failed(self, failure: str, what: str, doing: Doing) -> str:
        reason = {
            "exit": f"ended itself in {doing} ({what}): have it raise an error instead.",
            "missing": f"needs a Python module that is not there ({what}): install it beside nextlabel.",
            "told": f"could not {doing}: {what}",
            "unwritable": f"returned from {doing} what cannot be written as JSON ({what}): return lists, dicts and "
            "numbers.",
        }
        if failure == "memory":
            return self._out_of_memory(doing)
        if failure in reason:
            return reason[failure]
        if doing == "start":
            return f"could not be loaded: {what}. Correct the model, or where it is looked for."
        return f"raised in {doing}: {what}. Correct the model."

    def _how_it_ended(self, code: int | None, doing: Doing) -> str:
        if code is None:
            return f"closed the file descriptor of nextlabel's own in {doing}: have it close only those it opened."
        if code >= 0:
            return f"ended itself in {doing} with exit code {code}: have it raise an error instead."
        if -code == signal.SIGKILL:
            return f"was killed in {doing}, most likely by the system for want of memory: have it take less."
        name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
        return f"crashed in {doing} ({name}): a library that it uses is at fault."

    def _out_of_memory(self, doing: Doing) -> str:
        limit = self._limits.memory_mb
        if limit is None:
            return f"ran out of memory in {doing}: have it take less, or give it a larger machine."
        return f"ran out of memory in {doing}: have it take less than {limit} MB, or raise memory_mb."

    def _error(self, reason: str, process: ModelProcess, trace: str = "") -> HostedModelError:
        last = [*process.output().splitlines(), *trace.splitlines()][-_LAST_LINES:]
        lines = "".join(f"\n    {line}" for line in last)
        return HostedModelError(f"{self._source} {reason}" + (f" Its last lines:{lines}" if lines else ""))


def _rest(model: weakref.ref[HostedModel]) -> None:
    if (still := model()) is not None:
        still._rest_if_idle()
