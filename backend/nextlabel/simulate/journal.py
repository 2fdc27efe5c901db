"""Finished runs on disk, one line each, so that a simulation that was stopped goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextlabel.errors import ConfigurationError
from nextlabel.simulate.runs import Curve

_FORMAT = "nextlabel.simulate/2"


class Journal:
    """A JSONL file: the settings, then what each finished run gave. Without a path nothing is kept.

    A line cut off by a crash is removed. Raises `ConfigurationError` for a file that is something else, or that holds
    runs made with other settings (it says which).
    """

    def __init__(self, path: Path | None, settings: Mapping[str, object]) -> None:
        self.curves: dict[tuple[str, int], Curve] = {}
        self.full: dict[int, float] = {}
        self._path = path
        if path is None:
            return
        if not path.exists() or not path.read_bytes().strip():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            self._append({"format": _FORMAT, "settings": dict(settings)})
        else:
            self._read(path, json.loads(json.dumps(dict(settings))))

    def add_curve(self, curve: Curve) -> None:
        self.curves[curve.strategy, curve.seed] = curve
        self._append({"curve": asdict(curve)})

    def add_full(self, seed: int, score: float) -> None:
        self.full[seed] = score
        self._append({"full": score, "seed": seed})

    def _append(self, entry: Mapping[str, object]) -> None:
        if self._path is None:
            return
        line = (json.dumps(entry, ensure_ascii=False) + "\n").encode()
        with self._path.open("ab", buffering=0) as file:  # one write: whole lines, even from two processes
            file.write(line)
            os.fsync(file.fileno())

    def _read(self, path: Path, settings: dict[str, object]) -> None:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.split(b"\n")[:-1]
        head = _parse(path, 1, lines[0] if lines else content)
        if head.get("format") != _FORMAT:
            raise ConfigurationError(f"{path} is no file of runs that this release has simulated: choose another one.")
        _refuse_others(path, head["settings"], settings)
        for number, line in enumerate(lines[1:], 2):
            self._take(path, number, _parse(path, number, line))
        if len(whole) < len(content):
            with path.open("r+b") as file:
                file.truncate(len(whole))

    def _take(self, path: Path, number: int, entry: dict[str, Any]) -> None:
        try:
            if "curve" in entry:
                read = dict(entry["curve"]).items()
                given: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in read}
                curve = Curve(**given)
                self.curves[curve.strategy, curve.seed] = curve
            else:
                self.full[entry["seed"]] = entry["full"]
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{path}, line {number}, is not a run: remove the line or the file.") from error


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise ConfigurationError(f"{path}, line {number}, is no JSON: it is damaged, or no file of runs.") from error
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{path}, line {number}, is not a file of simulated runs.")
    return entry


def _refuse_others(path: Path, kept: Mapping[str, object], asked: Mapping[str, object]) -> None:
    other = [name for name in asked if kept.get(name) != asked[name]]
    if other:
        stated = "; ".join(f"{name} was {kept.get(name)!r} and is now {asked[name]!r}" for name in other)
        raise ConfigurationError(f"{path} holds runs with other settings ({stated}): choose another file to resume.")
