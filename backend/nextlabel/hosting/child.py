"""What runs in the child: a team's model, and an answer to each question until the parent has gone.

Started by `ModelProcess` as ``python -m nextlabel.hosting.child <descriptor> <parent>``. Nothing here is imported by
the service. Nothing of the service is imported here but this room, its errors, and for scikit-learn models what a
target is and how texts of tasks are read.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextlabel.errors import NextlabelError
from nextlabel.hosting import wire
from nextlabel.hosting.interfaces import Hosted, load
from nextlabel.hosting.plain import plain

if TYPE_CHECKING:
    from nextlabel.hosting.estimator import HostedEstimator

_OURS = str(Path(__file__).parent)


def main() -> None:
    """Answer until the parent closes the wire."""
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    _end_with(parent)
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)  # how the parent asks where it hangs
    os.set_inheritable(descriptor, False)  # what the model starts must not hold the wire open
    for name in [name for name in os.environ if name.startswith("NEXTLABEL_")]:
        del os.environ[name]  # the service's secrets
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    with socket.socket(fileno=descriptor) as talk:
        _answer_all(talk)


def _answer_all(talk: socket.socket) -> None:
    hosted: Hosted | HostedEstimator | None = None
    while True:
        try:
            question = wire.receive(talk)
        except (EOFError, OSError):
            return
        if question["do"] == "start":
            _limit_memory(question["memory_mb"])
        try:
            match question["do"]:
                case "start":
                    hosted = load(question)
                    answer: dict[str, Any] = {"learns": hosted.learns, "target": hosted.target}
                case "predict":
                    answer = _of(hosted).predict(question["tasks"], question["context"])
                case _:
                    answer = _of(hosted).fit(question["tasks"], question["event"])
        except BaseException as error:  # it is somebody else's code: SystemExit, too
            wire.send(talk, _failure(error))
            continue
        try:
            wire.send(talk, answer, plain=plain)
        except (TypeError, ValueError, RecursionError) as error:
            wire.send(talk, {"failure": "unwritable", "what": str(error), "trace": ""})


def _of(hosted: Hosted | HostedEstimator | None) -> Hosted | HostedEstimator:
    if hosted is None:
        raise RuntimeError("nothing was started")
    return hosted


def _failure(error: BaseException) -> dict[str, str]:
    at = error.__traceback__
    while at is not None and at.tb_frame.f_code.co_filename.startswith(_OURS):
        at = at.tb_next  # only the team's own lines are of use to the team
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    match error:
        case MemoryError():
            kind = "memory"
        case SystemExit() | KeyboardInterrupt():
            kind = "exit"
        case ModuleNotFoundError():
            kind, what = "missing", str(error)
        case NextlabelError():
            kind, what = "told", str(error)
        case _:
            kind = "raised"
    trace = "".join(traceback.format_exception(type(error), error, at)) if at else ""
    return {"failure": kind, "what": what, "trace": trace}


def _limit_memory(megabytes: int | None) -> None:
    if megabytes is None:
        return
    import resource  # noqa: PLC0415 - there is none on Windows

    try:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))
    except (ValueError, OSError) as error:  # macOS; or a limit that is lower already
        logging.getLogger(__name__).warning("memory_mb is not kept to here: %s", error)


def _end_with(parent: int) -> None:
    """Be killed when the parent dies, however it dies. Elsewhere than on Linux only the closed wire tells."""
    if not sys.platform.startswith("linux"):
        return
    prctl: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl
    prctl(1, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we could ask
        sys.exit(0)


if __name__ == "__main__":
    main()
