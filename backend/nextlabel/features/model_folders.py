"""Which ready-made models an installation has: a setting names a folder, or a model of the hub that was downloaded."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from nextlabel.errors import ConfigurationError
from nextlabel.settings import Settings

_NAME = re.compile(r"([a-z0-9][\w.-]*/[a-z0-9][\w.-]*)(?:@([\w./-]+))?", re.ASCII | re.IGNORECASE)
_LONGEST_NAME = 200
_RECORD = "nextlabel.json"


@dataclass(frozen=True, slots=True)
class ModelName:
    """``owner/name`` on the hub, and a revision of it (a branch, a tag or a commit); empty for whichever is there."""

    repository: str
    revision: str = ""

    @classmethod
    def read(cls, text: str) -> ModelName | None:
        """None for what is no name, such as a path."""
        found = _NAME.fullmatch(text)
        if not found or len(text) > _LONGEST_NAME or ".." in text or "--" in found[1]:  # as the hub itself has it
            return None
        return cls(found[1], found[2] or "")

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository

    def folder(self, downloaded: Path) -> Path:
        """Where its files are, once they are here."""
        return downloaded / self.repository.replace("/", "--")


def named(setting: str) -> ModelName | None:
    """The name on the hub that a setting is; None for a folder that exists, which comes first, and for what is none."""
    return None if Path(setting).expanduser().is_dir() else ModelName.read(setting)


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What is known of a model that was downloaded.

    ``asked`` is the revision by the name that was asked for, ``revision`` the commit it stood for. ``kind`` is
    sentence, static or image; ``files`` are the digests that the hub has of each.
    """

    name: str
    asked: str
    revision: str
    kind: str
    licence: str
    languages: tuple[str, ...]
    bytes: int
    files: dict[str, str]

    def is_of(self, name: ModelName) -> bool:
        """Whether it is the model of that name, in the revision that the name asks for."""
        wanted = name.revision
        return self.name == name.repository and (
            not wanted or wanted == self.asked or (len(wanted) > 6 and self.revision.startswith(wanted))
        )

    def write(self, folder: Path) -> None:
        (folder / _RECORD).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Downloaded | None:
        """None for a folder that holds no model that nextlabel downloaded."""
        try:
            found = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
            return cls(**{**found, "languages": tuple(found["languages"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The models of an installation for texts and for pictures: a folder or a name on the hub; empty for none.

    ``downloaded`` is the folder of those by name (`Settings.embeddings_folder`). Nothing is ever downloaded from here.
    """

    texts: str = ""
    images: str = ""
    downloaded: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> Embeddings:
        """The installation's own; whether they are here is found out where they are needed."""
        return cls(settings.embeddings, settings.image_embeddings, settings.embeddings_folder)

    def of_texts(self) -> Path | None:
        """The model's folder; None where none is set. Raises `ConfigurationError` for a name that is not downloaded."""
        return self.folder(self.texts) if self.texts else None

    def of_images(self) -> Path | None:
        """As `of_texts`, for pictures."""
        return self.folder(self.images) if self.images else None

    def folder(self, setting: str) -> Path:
        """A folder that exists, before a name. Raises `ConfigurationError` saying what to run for neither."""
        path, name = Path(setting).expanduser(), named(setting)
        if name is None or self.downloaded is None:
            return path
        copy = name.folder(self.downloaded)
        record = Downloaded.read(copy)
        if record is None:
            raise ConfigurationError(
                f"The embeddings {name} are not downloaded, and {path} is no folder here: run "
                f"`nextlabel embeddings download {name}`, or name a folder that exists."
            )
        if not record.is_of(name):
            raise ConfigurationError(
                f"Of the embeddings {name.repository} revision {record.revision} is here, not {name.revision}: run "
                f"`nextlabel embeddings download {name}`."
            )
        return copy


NO_EMBEDDINGS = Embeddings()
