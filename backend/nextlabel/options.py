"""Per-project settings: what a team may type into Label Studio's "extra params" or `nextlabel connect --option`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from nextlabel.errors import SettingsError
from nextlabel.hosting.uncertainty import WAYS


@dataclass(frozen=True, slots=True)
class ProjectOptions:
    """How one project is run.

    ``strategy`` is a query strategy's spec; until there are ``cold_start`` labels, tasks that represent the whole pool
    come first instead, because a model of a few labels is sure and unsure of the wrong things. ``window`` is the number
    of tasks kept in order in the tool; ``quiet_seconds`` how long labels must pause before a training starts, and
    ``max_wait_seconds`` after how long it starts even if they do not pause; ``seed`` fixes all randomness.

    For a model of the team's own: ``model`` is the name of one that the installation has, "built-in" for nextlabel's
    own estimators, "" for what the installation starts with; ``parameters`` is what the model is given as extra params;
    ``region_scores`` how the scores of several regions make one uncertainty (`nextlabel.hosting.uncertainty`).

    ``rank_seconds`` is how long a model that is slow task by task, one of the team's own or the tagger of spans, may be
    asked about open tasks for one order, drawn at random where there are too many.
    """

    strategy: str = "adaptive"
    window: int = 200
    quiet_seconds: float = 1.0
    max_wait_seconds: float = 10.0
    seed: int = 0
    cold_start: int = 10
    model: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    region_scores: str = "score"
    rank_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not self.strategy:
            raise SettingsError("'strategy' is empty: give a query strategy's name, e.g. \"margin\".")
        for name, low, high in (
            ("cold_start", 0, 10_000),
            ("window", 1, 10_000),
            ("quiet_seconds", 0.0, 3600.0),
            ("max_wait_seconds", 0.0, 86_400.0),
            ("seed", 0, 2**32 - 1),
            ("rank_seconds", 1.0, 3600.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"'{name}' is {value}: it must be between {low} and {high}.")
        if self.region_scores not in WAYS:
            raise SettingsError(f"'region_scores' is {self.region_scores!r}: it must be one of {', '.join(WAYS)}.")

    def updated(self, changes: Mapping[str, object]) -> ProjectOptions:
        """These options with some changed. Raises `SettingsError` naming the first unknown key or bad value."""
        known = {f.name: f.type for f in fields(self)}
        values = asdict(self)
        for name, value in changes.items():
            if name not in known:
                raise SettingsError(f"Unknown option '{name}': known are {', '.join(sorted(known))}.")
            values[name] = _read(name, str(known[name]), value)
        return ProjectOptions(**values)


def _object(value: object) -> dict[str, object] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, dict) else None


def _read(name: str, kind: str, value: object) -> object:
    if kind == "str" and isinstance(value, str):
        return value.strip()
    if kind in ("int", "float") and not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            number = float(value)
        except ValueError:
            pass
        else:
            if kind == "float":
                return number
            if number.is_integer():
                return int(number)
    if kind.startswith("Mapping") and (read := _object(value)) is not None:
        return read
    wanted = {"str": "a text", "int": "a whole number", "float": "a number"}.get(kind, "a JSON object")
    raise SettingsError(f"'{name}' is {value!r}: it must be {wanted}.")
