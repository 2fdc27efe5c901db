"""A folder of files as one artifact, wherever fsspec can write: streamed, and checked by hash before it is unpacked."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
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
            digest = _digest(packed)
            name = f"{artifact}-{digest[:12]}.tar"
            with fsspec.open(name, "wb", auto_mkdir=True) as file:
                shutil.copyfileobj(packed, file, _CHUNK)
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
            with tarfile.open(fileobj=local) as tar:
                tar.extractall(folder, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise ArtifactError(f"{name} cannot be read ({error}): restore it, or retrain.") from error


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
