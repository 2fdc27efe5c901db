"""The models of their own that a team has named, and where the versions of each project's lie on this machine."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from nextlabel.errors import SettingsError
from nextlabel.hosting.model import HostedModel, Limits
from nextlabel.hosting.source import ModelSource
from nextlabel.labeling import LabelSchema

OUR_OWN = "built-in"
"""What a project says that wants nextlabel's own estimators although the team has named a model."""
_KEPT_VERSIONS = 3  # another process may still be serving the one before the last
_NEW = "new-"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How one project runs its model: what the team has typed in for it, and how it reaches the labeling tool."""

    parameters: Mapping[str, object] = field(default_factory=dict)
    hostname: str = ""
    access_token: str = field(default="", repr=False)
    region_scores: str = "score"
    project: str = ""
    """What the tool calls the project."""


def read_models(text: str) -> dict[str, ModelSource]:
    """Models by name, from ``[name=]path/to/model.py:MyModel, …``; without a name its class is one.

    Raises `SettingsError` for what is no model, and for two of one name.
    """
    found: dict[str, ModelSource] = {}
    for one in filter(None, (part.strip() for part in text.replace("\n", ",").split(","))):
        name, equals, source = one.partition("=")
        model = ModelSource.parse(source if equals else one)
        name = name.strip() if equals else model.name
        if not name or name in found or name == OUR_OWN:
            raise SettingsError(f"The model {one!r} needs a name of its own: write it as name={model}.")
        found[name] = model
    return found


class Hosts:
    """Opens a team's models for its projects. ``named`` are those that the team has named, the first for every project
    that does not say otherwise; ``circumstances`` those of a project; ``folder`` is where versions' files lie."""

    def __init__(
        self,
        folder: Path,
        named: Callable[[], Mapping[str, ModelSource]],
        circumstances: Callable[[str], Circumstances],
        limits: Limits,
    ) -> None:
        self._folder = folder
        self._named = named
        self._circumstances = circumstances
        self._limits = limits

    def chosen(self, wanted: str) -> str:
        """The name of the model that a project learns with, "" for nextlabel's own; ``wanted`` is what the project says
        itself. Raises `SettingsError` naming those there are."""
        named = self._named()
        if wanted == OUR_OWN:
            return ""
        if not wanted:
            return next(iter(named), "")
        if wanted not in named:
            raise SettingsError(f"There is no model '{wanted}': there are {', '.join([OUR_OWN, *named])}.")
        return wanted

    def learner(self, project: str, name: str) -> str:
        """What stands for a model as it is now: changes with its file, and with what was typed in for it."""
        source = self._source(name)
        digest = hashlib.sha256(f"{source.module}:{source.name}".encode())
        digest.update(source.path.read_bytes() if source.path else b"")
        digest.update(orjson.dumps(dict(self._circumstances(project).parameters), option=orjson.OPT_SORT_KEYS))
        return f"{name} {digest.hexdigest()[:12]}"

    def open(
        self,
        project: str,
        name: str,
        schema: LabelSchema,
        folder: Path,
        train_output: Mapping[str, object] | None = None,
    ) -> HostedModel:
        """A version of a model; its process starts when it is first asked."""
        now = self._circumstances(project)
        return HostedModel(
            self._source(name),
            project=now.project,
            schema=schema,
            folder=folder,
            train_output=train_output,
            parameters=now.parameters,
            access={"hostname": now.hostname, "access_token": now.access_token},
            limits=self._limits,
        )

    def check_without_words(self, name: str, schema: LabelSchema, parameters: Mapping[str, object]) -> None:
        """For a tool without Label Studio's words. Raises `HostedModelError` for a model that needs them, cannot be
        loaded, or has nothing to learn here."""
        wordless = replace(schema, source="")
        with (
            tempfile.TemporaryDirectory() as made,
            HostedModel(
                self._source(name),
                project="",
                schema=wordless,
                folder=Path(made),
                parameters=parameters,
                limits=self._limits,
            ) as model,
        ):
            _ = model.learns

    def way(self, project: str) -> str:
        """How the scores of regions make one uncertainty there (`hosting.uncertainty`)."""
        return self._circumstances(project).region_scores

    def new_folder(self, project: str) -> Path:
        """An empty folder for a version in the making."""
        return Path(tempfile.mkdtemp(prefix=_NEW, dir=self._home(project)))

    def tidy(self, project: str) -> None:
        """Remove what trainings have left behind. To be called before one, under the project's lease."""
        for left in self._home(project).glob(f"{_NEW}*"):
            shutil.rmtree(left, ignore_errors=True)

    def folder_of(self, project: str, version: str, unpack: Callable[[Path], None]) -> Path:
        """Where a version's files lie; ``unpack`` brings them where they are not on this machine yet."""
        folder = self._home(project) / version
        if not folder.is_dir():
            made = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=folder.parent))
            unpack(made)
            try:
                made.rename(folder)
            except OSError:  # another process was first
                shutil.rmtree(made, ignore_errors=True)
            self._forget_old(folder.parent)
        return folder

    def _forget_old(self, home: Path) -> None:
        versions = [one for one in home.iterdir() if one.is_dir() and not one.name.startswith((".", _NEW))]
        for old in sorted(versions, key=lambda one: one.stat().st_ctime)[:-_KEPT_VERSIONS]:
            shutil.rmtree(old, ignore_errors=True)

    def _home(self, project: str) -> Path:
        home = self._folder / project
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return home

    def _source(self, name: str) -> ModelSource:
        named = self._named()
        if name not in named:
            raise SettingsError(
                f"The model '{name}' is not known here: start `nextlabel serve` with --model, or set NEXTLABEL_MODEL."
            )
        return named[name]
