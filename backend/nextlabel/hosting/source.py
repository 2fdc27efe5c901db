"""Where a team's model is found: ``path/to/model.py:MyModel`` or ``package.module:MyModel``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from nextlabel.errors import SettingsError

_HOW = 'write "path/to/model.py:MyModel", "package.module:MyModel" or "package.module.MyModel"'


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A class, or for scikit-learn also an object or a function that makes one, in a file or in an installed module.

    ``module`` is the file's absolute path or the module's dotted name; ``name`` is the class, object or function.
    """

    module: str
    name: str

    @classmethod
    def parse(cls, text: str) -> ModelSource:
        """Raises `SettingsError` saying what to write. Only whether the file or package is there is looked at:
        nothing is imported."""
        text = text.strip()
        is_dotted = ":" not in text and not text.endswith(".py")
        module, mark, name = (part.strip() for part in text.rpartition("." if is_dotted else ":"))
        if not mark or not module or not name.isidentifier():
            raise SettingsError(f"The model {text!r} names no class: {_HOW}.")
        if module.endswith(".py"):
            path = Path(module).expanduser().absolute()
            if not path.is_file():
                raise SettingsError(f"The model {text!r} is not there ({path} is no file): {_HOW}.")
            return cls(str(path), name)
        if not all(part.isidentifier() for part in module.split(".")):
            raise SettingsError(f"The model {text!r} is neither a .py file nor a dotted name: {_HOW}.")
        package = module.partition(".")[0]
        if find_spec(package) is None:
            raise SettingsError(
                f"The model {text!r} is not there: no package '{package}' is installed beside nextlabel."
            )
        return cls(module, name)

    @property
    def path(self) -> Path | None:
        """The file, where it is one."""
        return Path(self.module) if self.module.endswith(".py") else None

    def __str__(self) -> str:
        return f"{self.path.name if self.path else self.module}:{self.name}"
