"""Any scikit-learn estimator by its name: a class, an object that is made already, or a function that makes one."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

from nextlabel.errors import SettingsError

_HOW = 'write "package.module.Class", "package.module:pipeline" or "path/to/file.py:pipeline"'


def load_estimator(name: str) -> Any:
    """A new, unfitted estimator; what was found is left as it is. Unlike a `HostedModel` it runs in this process.

    Raises `SettingsError` where there is none of that name, or it is none.
    """
    found = _find(name)
    try:
        made: Any = found() if inspect.isclass(found) or inspect.isfunction(found) else found
    except Exception as error:  # the code is somebody else's: anything may be wrong in it
        raise SettingsError(
            f"The estimator {name!r} cannot be made without arguments ({type(error).__name__}: {error}): "
            "name an object that is made already, or a function that makes one."
        ) from error
    missing = [method for method in ("fit", "predict", "get_params") if not callable(getattr(made, method, None))]
    if missing:
        raise SettingsError(f"{name!r} is no scikit-learn estimator: it has no {', '.join(missing)}.")
    from sklearn.base import clone  # noqa: PLC0415 - a second to import, which the child has no use for

    return clone(made)


def _find(name: str) -> Any:
    module_name, colon, member = name.strip().rpartition(":" if ":" in name else ".")
    if not colon or not module_name or not member.isidentifier():
        raise SettingsError(f"The estimator {name!r} cannot be read: {_HOW}.")
    try:
        module = _file(Path(module_name)) if module_name.endswith(".py") else importlib.import_module(module_name)
    except Exception as error:
        raise SettingsError(
            f"The estimator {name!r} cannot be imported ({type(error).__name__}: {error}): {_HOW}."
        ) from error
    if not hasattr(module, member):
        raise SettingsError(f"The estimator {name!r} is not there: {module_name} has no {member}.")
    return getattr(module, member)


def _file(path: Path) -> Any:
    path = path.expanduser().absolute()
    name = f"nextlabel_estimator_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that what is made of it can be pickled and cloned
    spec.loader.exec_module(module)
    return module
