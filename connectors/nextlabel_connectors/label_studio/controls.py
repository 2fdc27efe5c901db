"""The controls that can be learned: what each offers in a labeling config, and how it stands in results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from nextlabel.labeling import TargetKind

_RATINGS = range(2, 101)  # what maxRating may be; Label Studio's own default is 5


class Unsupported(Exception):
    """Why a control is left out, in a sentence."""


@dataclass(frozen=True, slots=True)
class Control:
    """A control tag. ``labels`` are what can be chosen, or raises `Unsupported`; ``read`` finds the label in a result
    item's value (None: it holds none), ``write`` is its inverse."""

    kind: TargetKind
    type: str
    labels: Callable[[Element], tuple[str, ...]]
    read: Callable[[Mapping[str, object]], str | None]
    write: Callable[[str], dict[str, object]]


def _choices(tag: Element) -> tuple[str, ...]:
    if (mode := tag.get("choice", "single")) not in ("single", "single-radio"):
        raise Unsupported(f'choice="{mode}" lets an annotator choose several labels, which is not supported yet.')
    if tag.get("allowNested", "false").lower() == "true":
        raise Unsupported('allowNested="true" makes a tree of choices, which is not supported yet.')
    if "$" in tag.get("value", ""):
        raise Unsupported(f"Its choices come from each task ({tag.get('value')}); they must stand in the config.")
    choices = list(tag.iter("Choice"))
    if any(choice.find(".//Choice") is not None for choice in choices):
        raise Unsupported("Its choices are nested, which is not supported yet.")
    # Label Studio's editor writes the alias, where there is one, into the result.
    labels = tuple(dict.fromkeys(choice.get("alias") or choice.get("value") or "" for choice in choices))
    if any(not label or label.startswith("$") for label in labels):
        raise Unsupported("One of its choices has no fixed value.")
    if len(labels) < 2:
        raise Unsupported("It offers fewer than two choices.")
    return labels


def _chosen(value: Mapping[str, object]) -> str | None:
    chosen = value.get("choices")
    if isinstance(chosen, list) and len(chosen) == 1 and isinstance(chosen[0], str):
        return chosen[0]
    return None


def _ratings(tag: Element) -> tuple[str, ...]:
    text = tag.get("maxRating", "5").strip()
    if not text.isdecimal() or not text.isascii() or len(text) > 4 or int(text) not in _RATINGS:
        raise Unsupported(f'maxRating="{text}" must be a whole number from {_RATINGS[0]} to {_RATINGS[-1]}.')
    return tuple(str(stars) for stars in range(1, int(text) + 1))


def _rated(value: Mapping[str, object]) -> str | None:
    stars = value.get("rating")
    if isinstance(stars, bool) or not isinstance(stars, int | float) or stars != stars // 1:
        return None
    return str(int(stars))


CONTROLS: Mapping[str, Control] = {
    "Choices": Control("choice", "choices", _choices, _chosen, lambda label: {"choices": [label]}),
    "Rating": Control("rating", "rating", _ratings, _rated, lambda label: {"rating": int(label)}),
}
