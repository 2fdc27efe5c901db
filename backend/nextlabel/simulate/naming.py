"""Strategies as they are given (specs, objects, or names to either), each under a name of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nextlabel.errors import ConfigurationError
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.strategies.builtin import built_in


def named_strategies(
    given: Sequence[str | QueryStrategy] | Mapping[str, str | QueryStrategy],
    resolve: Callable[[str], QueryStrategy] | None = None,
) -> dict[str, QueryStrategy]:
    """Strategies by the name in tables and files: the key, the spec's text, or the object's own name.

    Raises `ConfigurationError` for none at all, two of one name, and what is no strategy.
    """
    if isinstance(given, str):
        given = (given,)
    pairs = list(given.items()) if isinstance(given, Mapping) else [(_name(one), one) for one in given]
    names = [name for name, _ in pairs]
    if not names:
        raise ConfigurationError("Name at least one strategy to simulate.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"Two strategies are named '{twice}': give them as a mapping from names of your own.")
    make = resolve or built_in
    found = {name: make(one) if isinstance(one, str) else one for name, one in pairs}
    for name, one in found.items():
        if not callable(getattr(one, "rank", None)):
            raise ConfigurationError(f"'{name}' is no strategy: it has no rank(pool, size).")
    return found


def _name(one: str | QueryStrategy) -> str:
    return one if isinstance(one, str) else str(getattr(one, "name", type(one).__name__))
