"""Which controls Label Studio's editor asks, given what is chosen in others: `visibleWhen`, as it follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from nextlabel_connectors.label_studio.config_xml import attribute, tag_name

# On other tags the editor does not follow it.
_FOLLOWED = frozenset({"view", "choices", "taxonomy"})
_DEEPEST = 50  # controls that depend on one another; what hangs on more is taken for hidden


@dataclass(frozen=True, slots=True)
class Condition:
    """One of these ``values`` must be chosen in the control ``tag``, or with ``chosen`` false none of them.

    Without values any counts; without a tag any <Choices>, and the values only where ``anywhere`` says so.
    """

    tag: str
    values: tuple[str, ...]
    chosen: bool = True
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """When a control is asked: all ``conditions`` hold. ``options`` has the value in results of each of its own
    options, by either name; None where others cannot depend on it."""

    conditions: tuple[Condition, ...]
    options: Mapping[str, str] | None
    is_choices: bool


def asked(tag: Element, around: Iterable[Element]) -> Asked:
    """``around`` are the tags that a control stands in, and itself."""
    conditions = tuple(one for outer in around if tag_name(outer) in _FOLLOWED for one in _conditions(outer))
    has_options = tag_name(tag) in ("choices", "taxonomy")
    return Asked(conditions, _options(tag) if has_options else None, tag_name(tag) == "choices")


def _conditions(tag: Element) -> Iterator[Condition]:
    when, name, values = (attribute(tag, one) for one in ("visibleWhen", "whenTagName", "whenChoiceValue"))
    if when in ("choice-selected", "choice-unselected"):
        listed = tuple(values.split(",")) if values and name else ()
        yield Condition(name, listed, chosen=when == "choice-selected")
    elif not when and values:
        yield Condition("", (values,), anywhere=True)


def _options(tag: Element) -> dict[str, str]:
    options: dict[str, str] = {}
    for option in tag.iter():
        if tag_name(option) == "choice":
            written = attribute(option, "alias") or attribute(option, "value")
            for name in (written, attribute(option, "value")):
                options.setdefault(name, written)
    return options


def hidden(controls: Mapping[str, Asked], chosen: Mapping[str, Sequence[str]]) -> set[str]:
    """The controls that are not asked; ``chosen`` are the values chosen in each, as they stand in results.

    What is chosen in a hidden control counts for none, so that it may show another one.
    """
    known: dict[str, bool] = {}

    def is_asked(name: str, through: tuple[str, ...] = ()) -> bool:
        if name in through or len(through) > _DEEPEST:
            return False
        if name not in known:
            further = (*through, name)
            known[name] = all(
                _holds(one, controls, chosen, lambda other: is_asked(other, further))
                for one in controls[name].conditions
            )
        return known[name]

    return {name for name in controls if not is_asked(name)}


def _holds(
    condition: Condition,
    controls: Mapping[str, Asked],
    chosen: Mapping[str, Sequence[str]],
    is_asked: Callable[[str], bool],
) -> bool:
    if condition.tag:
        names = [condition.tag] if condition.tag in controls else []
    else:
        names = [name for name, one in controls.items() if one.is_choices and chosen.get(name)]
    return condition.chosen == any(
        _is_chosen(condition, controls[name], chosen.get(name, ())) and is_asked(name) for name in names
    )


def _is_chosen(condition: Condition, control: Asked, values: Sequence[str]) -> bool:
    if control.options is None:
        return False
    if not condition.values:
        return bool(values)
    wanted = condition.values if condition.anywhere else [control.options.get(one, one) for one in condition.values]
    return any(one in values for one in wanted)
