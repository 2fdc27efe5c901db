"""Where strategies are found: entry points of one group, ours and everyone's, and the files of one folder.

A file ``strategies/shortest.py`` in nextlabel's home is the strategy ``shortest``; it holds one class with
``rank(pool, size)``, whose parameters are the strategy's options.

Whoever may set a project's options chooses among these names, and names no code: the dotted paths of ``modal:…`` and
``function:…`` are imported only where the installation allows them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nextlabel import plugins
from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import Group
from nextlabel.strategies import spec

GROUP = "nextlabel.strategies"
_NAME_CODE = ("modal", "function")  # their variant is the dotted path of a function
_LONGEST = 300  # characters of a spec, so that strategies inside strategies come to an end
_folders: list[Path] = []
_functions: set[str] = set()
_any_function = False


def use_folder(folder: Path) -> None:
    """Find the strategies in this folder's files, too; it need not exist.

    It goes onto the import path, at the end, so that other processes that are given a strategy can import it.
    """
    if folder not in _folders:
        _folders.append(folder)
        sys.path.append(str(folder))


def allow(functions: Iterable[str], *, every: bool = False) -> None:
    """Let specs name these functions by their dotted paths and no others, or every function there is.

    ``every`` is for processes in which the strategy is chosen by whoever started them.
    """
    global _any_function  # noqa: PLW0603
    _any_function = every
    _functions.clear()
    _functions.update(functions)


def names() -> list[str]:
    """What can be chosen."""
    return sorted({*plugins.names(GROUP), *_files()})


def make(text: str) -> Any:
    """The strategy that a spec chooses. Raises `SettingsError` listing those there are, or saying what is wrong.

    Nothing is imported for a function that is not allowed, however deep inside other strategies it stands.
    """
    if len(text) > _LONGEST:
        raise SettingsError(f"The strategy is longer than {_LONGEST} characters: choose one by a shorter text.")
    wanted = spec.parse(text)
    if wanted.name in _NAME_CODE and not _any_function and wanted.variant and wanted.variant not in _functions:
        raise SettingsError(
            f"The strategy '{wanted.name}:{wanted.variant}' is not allowed here: whoever runs nextlabel may name "
            "its function in NEXTLABEL_STRATEGY_FUNCTIONS, or choose another strategy."
        )
    made = spec.call(factory(wanted.name), wanted)
    if not callable(getattr(made, "rank", None)):
        raise SettingsError(f"The strategy '{wanted.name}' is broken: it has no rank(pool, size).")
    return made


def about(name: str) -> str:
    """What a strategy says of itself first, or what is wrong with it; it need not be made for that."""
    try:
        first = (factory(name).__doc__ or "").strip().partition("\n\n")[0]
        return " ".join(first.split()).replace("``", "`")
    except SettingsError as error:
        return f"broken: {error}"


def group(name: str) -> Group:
    """What a strategy is for, as it declares; those that declare nothing are somebody's own."""
    try:
        found = getattr(factory(name), "group", Group.OWN)
    except SettingsError:
        return Group.OWN
    return found if isinstance(found, Group) else Group.OWN


def factory(name: str) -> Any:
    """What makes the strategy of that name. Raises `SettingsError` where there is none, or it cannot be loaded."""
    files = _files()
    if name not in files:
        return plugins.load(GROUP, name, "strategy", also=files)
    if name in plugins.names(GROUP):
        raise SettingsError(f"{files[name]} has the name of a strategy that there is already: rename the file.")
    return _class_in(name, files[name])


def _files() -> dict[str, Path]:
    return {path.stem: path for folder in _folders for path in folder.glob("*.py") if not path.stem.startswith("_")}


def _class_in(name: str, path: Path) -> Any:
    try:
        importlib.invalidate_caches()
        module = importlib.import_module(name)
    except Exception as error:  # the file is somebody else's, anything may be wrong in it
        raise SettingsError(f"{path} cannot be loaded: {type(error).__name__}: {error}.{_if_moved(error)}") from error
    if Path(module.__file__ or "") != path:
        raise SettingsError(f"{path} has the name of the Python module '{name}': rename the file.")
    own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == name]
    strategies = [one for one in own if callable(getattr(one, "rank", None))]
    if len(strategies) != 1:
        raise SettingsError(f"{path} holds {len(strategies)} classes with rank(pool, size): a file is one strategy.")
    return strategies[0]


def _if_moved(error: Exception) -> str:
    """What to do where a file names what stands elsewhere in nextlabel since an upgrade."""
    ours = isinstance(error, ImportError) and (error.name or "").startswith("nextlabel.")
    return " Some of nextlabel's modules have other names since 0.1: its CHANGELOG lists them." if ours else ""
