"""A control by which people say how sure they are of an annotation: it weighs that annotation's labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from nextlabel.errors import SettingsError
from nextlabel.estimators.by_kind import BY_KIND
from nextlabel.labeling import LabelSchema, Target

LEAST = 0.2
"""What a label counts beside the lowest confidence; beside the highest, and beside none, it counts 1. Of five stars
each is a fifth."""
_NAMED, _LONGEST_NAME = 10, 60  # controls in a message, and of a name


@dataclass(frozen=True, slots=True)
class Confidence:
    """How much labels weigh, by what is stated in the control ``target``; ``names`` are its labels, from the lowest to
    the highest, where it is no number."""

    target: Target
    names: Sequence[str] = ()

    def weight(self, stated: object) -> float:
        """In [`LEAST`, 1]; 1 where nothing that fits is stated."""
        label, scale = self.target.read(stated), self.target.scale
        if isinstance(label, str) and label in self.names:
            share = self.names.index(label) / (len(self.names) - 1)
        elif isinstance(label, float) and scale is not None and scale.low is not None and scale.high is not None:
            share = min(max((label - scale.low) / (scale.high - scale.low), 0.0), 1.0)
        else:
            return 1.0
        return LEAST + (1 - LEAST) * share


def confidence_in(schema: LabelSchema, name: str, ordered: Mapping[str, Sequence[str]]) -> Confidence | None:
    """None where no control has that ``name``, where none is left beside it (then it is learned as any other), or what
    people state by it has no lowest and highest value. ``ordered`` is by control its labels from the lowest to the
    highest (`ProjectOptions`)."""
    target = next((one for one in schema.targets if one.name == name), None)
    if target is None or len(schema.targets) == 1:
        return None
    if target.kind == "number" and target.scale:
        low, high = target.scale.low, target.scale.high
        return Confidence(target) if low is not None and high is not None and 0 < high - low < inf else None
    names = ordered.get(name, ()) if target.kind == "choice" else ()
    return Confidence(target, tuple(names)) if len(set(names)) > 1 else None


def without(schema: LabelSchema, name: str) -> LabelSchema:
    """All but that control: it is stated of an annotation, so that nothing is to be learned of it about tasks."""
    return replace(schema, targets=tuple(one for one in schema.targets if one.name != name))


def check_confidence(name: str, schema: LabelSchema, ordered: Mapping[str, Sequence[str]]) -> None:
    """Raises `SettingsError` where labels cannot be weighed by the control of that name, "" for none."""
    if not name or confidence_in(schema, name, ordered) is not None:
        return
    if [one.name for one in schema.targets] == [name]:
        raise SettingsError(f"'confidence' names '{name[:_LONGEST_NAME]}', beside which nothing is labeled.")
    if all(one.name != name for one in schema.targets):
        known = [one.name for one in schema.targets if confidence_in(schema, one.name, ordered) is not None]
        named = ", ".join(f"'{one[:_LONGEST_NAME]}'" for one in known[:_NAMED])
        raise SettingsError(
            f"'confidence' names the control '{name[:_LONGEST_NAME]}', which the labeling config does not have: "
            + (f"name one of {named}." if known else 'add one, such as <Rating name="confidence" …/>.')
        )
    raise SettingsError(
        f"'confidence' names the control '{name[:_LONGEST_NAME]}', which has no lowest and highest value: it must be a "
        "rating, a number with min and max, or a single choice whose labels the option 'ordered' names."
    )


def weighed_how(name: str, schema: LabelSchema, hosted: str) -> Iterator[str]:
    """Of which labels the control of that name says nothing to the model that learns them; ``hosted`` is the team's own
    model, "" for nextlabel's."""
    if not name:
        return
    if hosted:
        yield f"'{name}' weighs no label: your own model '{hosted}' is given all annotations as they are."
        return
    for target in without(schema, name).targets:
        if not BY_KIND[target.kind].takes_weights or target.options:
            yield f"'{name}' does not weigh labels of '{target.name}': its model counts all of them alike."
