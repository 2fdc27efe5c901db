"""Bytes of a model, wherever fsspec can write."""

from __future__ import annotations

from contextlib import suppress

import fsspec

from nextlabel.errors import ArtifactError


def write_artifact(artifact: str, content: bytes) -> None:
    try:
        with fsspec.open(artifact, "wb", auto_mkdir=True) as file:
            file.write(content)
    except OSError as error:
        raise ArtifactError(f"{artifact} cannot be written ({error}): check NEXTLABEL_MODELS_URL.") from error


def read_artifact(artifact: str) -> bytes:
    try:
        with fsspec.open(artifact, "rb") as file:
            return bytes(file.read())
    except OSError as error:
        raise ArtifactError(f"{artifact} cannot be read ({error}): restore it, or retrain.") from error


def remove_artifact(artifact: str) -> None:
    """What cannot be removed stays, until the sweep of files that no version refers to."""
    with suppress(OSError):
        fs, path = fsspec.core.url_to_fs(artifact)
        fs.rm_file(path)
