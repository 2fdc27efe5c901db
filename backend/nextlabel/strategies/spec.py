"""The short text that chooses a query strategy: ``margin``, ``committee:vote_entropy?members=8``.

::

    spec     = name [":" variant] ["?" option "=" value {"&" option "=" value}]

``name`` is an entry point of the group ``nextlabel.strategies``. The variant is its first positional argument, the
options are its keyword arguments; their types are read from its signature. What a variant means is up to the strategy:
a measure (``committee:vote_entropy``), two strategies (``hybrid:margin+kcenter``), or a dotted path
(``modal:package.module.function``). Numbers have bounds, because a project's options are chosen by people who do not
run the installation.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nextlabel.errors import NextlabelError, SettingsError

_MOST = {"members": 100, "candidates": 1_000, "labels": 100}  # each is a model to be fitted
_MOST_OF_ANY = 1_000_000  # of what only sizes or weighs


@dataclass(frozen=True, slots=True)
class Spec:
    """A parsed spec; ``options`` still as text."""

    name: str
    variant: str | None
    options: Mapping[str, str]


def parse(text: str) -> Spec:
    """Read a spec. Raises `SettingsError` saying what is wrong with it."""
    head, question, tail = text.strip().partition("?")
    name, colon, variant = head.partition(":")
    if not name or (colon and not variant) or (question and not tail):
        raise SettingsError(
            f"The strategy {text!r} cannot be read: write NAME, NAME:VARIANT or NAME:VARIANT?KEY=VALUE."
        )
    options: dict[str, str] = {}
    for pair in tail.split("&") if tail else ():
        key, equals, value = pair.partition("=")
        if not key or not equals or key in options:
            raise SettingsError(
                f"The strategy {text!r} cannot be read at {pair!r}: write each option once, as KEY=VALUE."
            )
        options[key] = value
    return Spec(name, variant or None, options)


def call(factory: Callable[..., Any], spec: Spec) -> Any:
    """Make the strategy. Raises `SettingsError` naming the variant or option that the factory does not take."""
    parameters = inspect.signature(factory).parameters
    positional = [p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_variant = bool(positional) and positional[0].annotation in (str, "str", "str | None")
    if spec.variant is not None and not takes_variant:
        raise SettingsError(f"The strategy '{spec.name}' has no variants: leave out ':{spec.variant}'.")
    if spec.variant is None and takes_variant and positional[0].default is inspect.Parameter.empty:
        raise SettingsError(f"The strategy '{spec.name}' needs a variant: write {spec.name}:<{positional[0].name}>.")
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    known = {
        name: p
        for name, p in parameters.items()
        if p.kind is not p.VAR_KEYWORD and not (takes_variant and p is positional[0])
    }
    for key in spec.options:
        if key not in known and not open_ended:
            raise SettingsError(
                f"The strategy '{spec.name}' has no option '{key}': it has {', '.join(known) or 'none'}."
            )
    options = {
        key: _read(spec.name, known[key], value) if key in known else value for key, value in spec.options.items()
    }
    for key, value in spec.options.items():
        _check_bound(spec.name, key, value)
    try:
        return factory(*([spec.variant] if spec.variant is not None else []), **options)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"The strategy '{spec.name}' refuses these settings: {error}.") from error
    except NextlabelError:
        raise
    except Exception as error:  # it may be anybody's code
        raise SettingsError(f"The strategy '{spec.name}' cannot be made: {type(error).__name__}: {error}.") from error


def _read(strategy: str, parameter: inspect.Parameter, text: str) -> object:
    kind = (
        parameter.annotation if isinstance(parameter.annotation, str) else getattr(parameter.annotation, "__name__", "")
    )
    if kind == "bool":
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
    elif kind in ("int", "float"):
        try:
            return int(text) if kind == "int" else float(text)
        except ValueError:
            pass
    else:
        return text
    wanted = {"bool": "true or false", "int": "a whole number", "float": "a number"}[kind]
    raise SettingsError(f"The strategy '{strategy}': {parameter.name} is {text!r}, it must be {wanted}.")


def _check_bound(strategy: str, key: str, text: str) -> None:
    """Whatever reads as a number is bounded, for other people's strategies too."""
    try:
        value = float(text)
    except ValueError:
        return
    most = _MOST.get(key, _MOST_OF_ANY)
    if not math.isfinite(value) or abs(value) > most:
        raise SettingsError(f"The strategy '{strategy}': {key} is {text[:40]}, it must be {most:,} at most.")
