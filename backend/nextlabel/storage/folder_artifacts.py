"""A folder of files as one artifact, wherever fsspec can write: streamed, and checked by hash before it is unpacked."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

import fsspec

from nextlabel.errors import ArtifactError

_CHUNK = 1 << 20


def write_folder(folder: Path, artifact: str) -> dict[str, str]:
    """Pack a folder next to ``artifact``; what is returned is what `read_folder` needs. Raises `ArtifactError`."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return {}
    try:
        with tempfile.TemporaryFile() as packed:
            with tarfile.open(fileobj=packed, mode="w") as tar:
                tar.add(folder, arcname=".")
                _check(tar.getmembers())
            digest = _digest(packed)
            name = f"{artifact}-{digest[:12]}.tar"
            with fsspec.open(name, "wb", auto_mkdir=True) as file:
                shutil.copyfileobj(packed, file, _CHUNK)
    except ValueError as error:
        raise ArtifactError(f"The model's folder cannot be kept ({error}): have it write plain files.") from error
    except OSError as error:
        raise ArtifactError(
            f"{artifact} cannot be written ({error}): check NEXTLABEL_MODELS_URL, and that there is room."
        ) from error
    return {"artifact": name, "sha256": digest}


def read_folder(packed: Mapping[str, str], folder: Path) -> None:
    """Unpack into a folder that is there. Raises `ArtifactError` for what is missing or not what was packed."""
    if not packed:
        return
    name = packed["artifact"]
    try:
        with tempfile.TemporaryFile() as local:
            with fsspec.open(name, "rb") as file:
                shutil.copyfileobj(file, local, _CHUNK)
            if _digest(local) != packed["sha256"]:
                raise ArtifactError(f"{name} is damaged (its hash is not the one noted at training): retrain.")
            with tarfile.open(fileobj=local, mode="r:") as tar:
                _check(tar.getmembers())
                tar.extractall(folder, filter="data")
    except (OSError, tarfile.TarError, ValueError, RecursionError, MemoryError) as error:
        raise ArtifactError(f"{name} cannot be read ({error}): restore it, or retrain.") from error


def _check(members: Sequence[tarfile.TarInfo]) -> None:
    """Raises ValueError for what is never packed, or what would be unpacked elsewhere.

    ``filter="data"`` alone was outwitted by links that lead through links, on every Python before those of June 2025.
    """
    places = [_place(member.name) for member in members]
    links = {place: member for place, member in zip(places, members, strict=True) if member.issym()}
    if len(set(places)) < len(places):
        raise ValueError("it holds two files of one name")
    for place, member in zip(places, members, strict=True):
        if member.issparse() or not (member.isdir() or member.isreg() or member.issym() or member.islnk()):
            raise ValueError(f"{member.name!r} is no plain file, folder or link")
        if any(parent in links for parent in place.parents):
            raise ValueError(f"{member.name!r} lies behind a link")
        if member.issym():
            _check_leads_inside(place, member.linkname, links)
        if member.islnk() and _place(member.linkname) in links:
            raise ValueError(f"{member.name!r} is a link to a link")


def _place(name: str) -> PurePosixPath:
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts:
        raise ValueError(f"{name!r} lies outside")
    return place


def _check_leads_inside(place: PurePosixPath, target: str, links: Mapping[PurePosixPath, object]) -> None:
    """A link may lead to a file or folder of the same archive, through folders only."""
    if PurePosixPath(target).is_absolute():
        raise ValueError(f"the link {str(place)!r} leads outside")
    at = place.parent
    for step in PurePosixPath(target).parts:
        if step == ".." and not at.parts:
            raise ValueError(f"the link {str(place)!r} leads outside")
        at = at.parent if step == ".." else at / step
        if at in links:
            raise ValueError(f"the link {str(place)!r} leads through another link")


def is_there(packed: Mapping[str, str]) -> bool:
    """Whether it can be had; only unpacking tells whether it is what was packed."""
    try:
        return not packed or bool(fsspec.open(packed["artifact"], "rb").fs.exists(packed["artifact"]))
    except OSError:
        return False


def _digest(file: IO[bytes]) -> str:
    """Of the whole file, which then stands at its beginning."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
