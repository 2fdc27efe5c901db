"""A project's model as a file that stands by itself, and the way back: no installation, database or tool is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextlabel.errors import ArtifactError, FileUnavailable, NextlabelError
from nextlabel.estimators.project import ProjectModel
from nextlabel.estimators.restoring import restore
from nextlabel.features.source import Source
from nextlabel.labeling import Label, Task, TaskId

ABOUT = "about"
_BY_A_NETWORK = ("embedding", "image-embedding")


@dataclass(frozen=True, slots=True)
class Exported:
    """A model that was exported; ``about`` says which. Its predictions are those that it gave where it was learned."""

    about: Mapping[str, object]
    model: ProjectModel
    source: Source

    def predict(self, records: Sequence[Mapping[str, object]]) -> list[dict[str, dict[str, Label | float]]]:
        """For each record, the fields of a task by name, and each target the ``label`` and its ``confidence``; empty
        where nothing is known."""
        tasks = [Task(TaskId(str(n)), record) for n, record in enumerate(records)]
        found: list[dict[str, dict[str, Label | float]]] = [{} for _ in tasks]
        if self.model.informative:
            for target, predicted in self.model.predict(tasks, self.source).items():
                for row, guess in zip(found, predicted.guesses(target), strict=True):
                    row[target] = {"label": guess.label, "confidence": guess.confidence}
        return found


def dump_exported(model: ProjectModel, about: Mapping[str, object]) -> bytes:
    """A skops file of plain values and arrays: no code."""
    import skops.io  # noqa: PLC0415 - takes a second

    return bytes(skops.io.dumps(model.state() | {ABOUT: dict(about)}))


def load_exported(
    path: str | Path, *, file: Callable[[str], bytes] | None = None, embeddings: str | Path | None = None
) -> Exported:
    """Read what `nextlabel export model` wrote; nothing in the file is run.

    ``file`` reads what stands at an address that a record names, such as a picture: by default a path on this machine.
    ``embeddings`` is the folder with the network of a model that reads by one, where it stands elsewhere than there.
    Raises `ArtifactError` for what is no such file, or of another release of nextlabel.
    """
    import skops.io  # noqa: PLC0415

    try:
        state: dict[str, Any] = dict(skops.io.loads(Path(path).read_bytes(), trusted=[]))
        if embeddings is not None:
            for one in _parts(state):
                if one.get("kind") in _BY_A_NETWORK:
                    one["folder"] = str(embeddings)
        return Exported(state.get(ABOUT, {}), restore(state), Source(file=file or _local))
    except (NextlabelError, OSError):
        raise
    except Exception as error:  # whatever the file holds
        raise ArtifactError(f"{path} cannot be read as an exported model ({type(error).__name__}).") from error


def _local(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FileUnavailable(f"{path}: {error.strerror}.") from error


def fields_of(state: Mapping[str, Any]) -> list[str]:
    """The fields of tasks that a model reads, from its state."""
    found: dict[str, None] = {}
    for one in _parts(state):
        found |= dict.fromkeys(name for name in one.get("fields", ()) if isinstance(name, str))
        if one.get("kind") == "tabular":
            found |= dict.fromkeys(str(field) for field, *_ in one["inputs"])
    return [name for name in found if name != "side"]


def _parts(state: object) -> Iterator[dict[str, Any]]:
    """Every mapping in a state, from the outermost in."""
    if isinstance(state, dict):
        yield state
        for inner in state.values():
            yield from _parts(inner)
    elif isinstance(state, list):
        for inner in state:
            yield from _parts(inner)
