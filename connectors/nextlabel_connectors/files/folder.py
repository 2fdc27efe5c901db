"""The files of one project: which they are, and what becomes of a file that cannot be read or written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nextlabel.errors import ProjectGone, ToolRejected, ToolUnavailable
from nextlabel.labeling import ToolProjectId
from nextlabel_connectors.files.order import OrderFile
from nextlabel_connectors.files.rows import SUFFIXES, TaskFile

_BESIDE = (".labels", ".next", ".schema")
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Files:
    """A folder, and the name of the project in it: that of its file of tasks, without the ending."""

    folder: Path
    name: str

    @property
    def order(self) -> OrderFile:
        return OrderFile(self._beside(".next.jsonl"), self._beside(".next.json"))

    @property
    def labels(self) -> Path:
        return self._beside(".labels.jsonl")

    @property
    def schemas(self) -> tuple[Path, ...]:
        return self._beside(".schema.json"), self._beside(".schema.toml")

    def tasks(self) -> TaskFile:
        """Raises `ToolUnavailable` without the folder, `ProjectGone` without the file."""
        found = [path for path in map(self._beside, SUFFIXES) if path.is_file()]
        if not self.folder.is_dir():
            raise ToolUnavailable(f"There is no folder {self.folder}: mount it, or make it.")
        if not found:
            raise ProjectGone(f"{self.folder} has no tasks of the name {self.name}: put {self.name}.jsonl there.")
        if len(found) > 1:
            names = " and ".join(path.name for path in found)
            raise ToolRejected(f"{names} would both be the project {self.name}: move all but one away.")
        return TaskFile(found[0])

    def _beside(self, ending: str) -> Path:
        return self.folder / f"{self.name}{ending}"


def files_of(address: str, project: ToolProjectId) -> Files:
    """Raises `ToolRejected` for what is no folder's address, or no project's name."""
    split = urlsplit(address)
    if split.scheme not in ("", "file") or split.netloc:
        raise ToolRejected(f"{address!r} is no folder: give its path, such as /data/mails.")
    folder = Path(unquote(split.path) if split.scheme else address)
    if not folder.is_absolute():
        raise ToolRejected(f"{address!r} must be a whole path, from / on: workers start elsewhere.")
    bad = not project or len(project) > _LONGEST_NAME or project.startswith(".") or not project.isprintable()
    if bad or "/" in project or "\\" in project or project.endswith(_BESIDE):
        raise ToolRejected(
            f"{project!r:.80} cannot be a project: it is the name of a file of tasks without its ending."
        )
    return Files(folder, project)


@contextmanager
def reachable(files: Files) -> Iterator[None]:
    """Errors of the file system, as those of a tool."""
    try:
        yield
    except PermissionError as error:
        raise ToolRejected(f"{error.filename or files.folder}: this user may not read or write there.") from error
    except FileNotFoundError as error:
        files.tasks()
        raise ToolUnavailable(f"{error.filename or files.folder} has just gone: try again.") from error
    except OSError as error:
        raise ToolUnavailable(f"{error.filename or files.folder}: {error.strerror or error}.") from error
