"""What strategies need of a project, what a project gives, and why one of them cannot work there."""

from __future__ import annotations

from nextlabel.errors import SettingsError
from nextlabel.labeling import KINDS, LabelSchema
from nextlabel.labeling.ranking import CandidatePool, Needs
from nextlabel.strategies import finding


def needs_of(strategy: object) -> frozenset[Needs]:
    """What a strategy, or its class, declares; nothing where it declares nothing. Raises `SettingsError` for what is no
    declaration."""
    declared: object = getattr(strategy, "needs", frozenset())
    if isinstance(declared, set | frozenset | tuple | list) and all(isinstance(one, Needs) for one in declared):
        return frozenset(declared)
    raise SettingsError(
        f"The strategy '{_name(strategy)}' is broken: its needs must be a frozenset of `labeling.ranking.Needs`."
    )


def check_project(strategy: object, name: str, schema: LabelSchema, hosted: str) -> None:
    """Raises `SettingsError` where a project cannot give what the strategy needs, naming what it needs, what the
    project has, and the strategies that work there. ``hosted`` is the team's own model, "" for nextlabel's."""
    given = _given(schema, hosted)
    lacking = needs_of(strategy) - given
    if not lacking:
        return
    raise SettingsError(
        f"The strategy '{name}' needs {_in_words(lacking)}. This project has {_has(schema, hosted)}. Strategies that "
        f"work here: {', '.join(_working(given))}."
    )


def check_pool(strategy: object, name: str, pool: CandidatePool) -> None:
    """Raises `SettingsError` where the pool lacks what the strategy needs."""
    if lacking := needs_of(strategy) - pool.gives:
        raise SettingsError(f"The strategy '{name}' needs {_in_words(lacking)}, and is not given that now.")


def _given(schema: LabelSchema, hosted: str) -> frozenset[Needs]:
    """Several targets together give only how unsure the model is of them all, and so does a team's own model."""
    readable = {Needs.FEATURES} if not hosted or schema.shown else set()
    alone = len(schema.targets) == 1 and not hosted
    alone = alone and not schema.targets[0].options  # where classes change from task to task
    return frozenset({Needs.COSTS} | readable | (KINDS[schema.targets[0].kind].gives if alone else set()))


def _has(schema: LabelSchema, hosted: str) -> str:
    if hosted:
        return f"your own model '{hosted}', which says of each task how unsure it is"
    kinds = [f"{KINDS[target.kind].words} ('{target.name[:60]}')" for target in schema.targets[:5]]
    return " and ".join([*kinds, *(["more"] if schema.targets[5:] else [])])


def _in_words(needs: frozenset[Needs]) -> str:
    return ", and ".join(sorted(one.value for one in needs))


def _working(given: frozenset[Needs]) -> list[str]:
    """As they are without a variant; what cannot be loaded works nowhere."""
    return [name for name in finding.names() if _works(name, given)]


def _works(name: str, given: frozenset[Needs]) -> bool:
    try:
        return needs_of(finding.factory(name)) <= given
    except SettingsError:
        return False


def _name(strategy: object) -> str:
    return str(getattr(strategy, "name", getattr(strategy, "__name__", type(strategy).__name__)))[:60]
