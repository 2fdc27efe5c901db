"""The control tags: what each offers in a labeling config, and why some are not learned."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from xml.etree.ElementTree import Element

from nextlabel.labeling import LONGEST_LABEL, Scale, TargetKind
from nextlabel_connectors.label_studio.config_xml import Unsupported, attribute, is_true, shown, tag_name
from nextlabel_connectors.label_studio.dates import Moments
from nextlabel_connectors.label_studio.inputs import REFERENCE
from nextlabel_connectors.label_studio.rankings import LEFT_IN_THE_LIST
from nextlabel_connectors.label_studio.values import (
    PATH_SEPARATOR,
    SIDES,
    Form,
    choice_form,
    choices_form,
    datetime_form,
    nested_form,
    number_form,
    pairwise_form,
    rating_form,
    spans_form,
    taxonomy_form,
)

_RATINGS = range(2, 101)  # what maxRating may be; Label Studio's own default is 5
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Control:
    """What a control tag offers: a target's kind with its labels or its scale, and how they stand in results."""

    kind: TargetKind
    form: Form
    labels: tuple[str, ...] = ()
    scale: Scale | None = None
    compared: bool = False
    options: str = ""
    separator: str = ""


def control_of(tag: Element) -> Control:
    """Raises `Unsupported` where it is not learned."""
    read = _CONTROLS.get(tag_name(tag))
    if read is None:
        raise Unsupported(_why_not(tag))
    return read(tag)


def _choices(tag: Element) -> Control:
    several = _takes_several(tag)
    if is_nested(tag):
        # Its editor writes paths, {"choices": [["a", "b"]]}, and shows nothing else; its import takes flat labels only.
        raise Unsupported('Label Studio\'s import takes no predictions for allowNested="true"; use a <Taxonomy>.')
    options = options_field(tag)
    # Without allowNested the editor shows no choice inside a choice.
    fixed = (_fixed(option) for option, path in options_of(tag, "choice") if len(path) == 1)
    labels = tuple(dict.fromkeys(fixed)) if options else _at_least_two(fixed)
    if several:
        return Control("choices", choices_form(), labels, options=options)
    return Control("choice", choice_form(), labels, options=options)


def _takes_several(tag: Element) -> bool:
    mode = attribute(tag, "choice") or "single"
    if mode not in ("single", "single-radio", "multiple"):
        raise Unsupported(f'choice="{shown(mode)}" is none of single, single-radio and multiple.')
    return mode == "multiple"


def is_nested(tag: Element) -> bool:
    return tag_name(tag) == "choices" and is_true(tag, "allowNested")


def nested_choices(tag: Element) -> Control:
    """Choices within choices, of which nothing can be pre-annotated. Raises `Unsupported` as `control_of` does."""
    several, options, paths = _takes_several(tag), options_field(tag), _paths_in(tag, _fixed)
    labels = tuple(paths) if options else _at_least_two(paths)
    kind: TargetKind = "choices" if several else "choice"
    return Control(kind, nested_form(single=not several), labels, options=options, separator=PATH_SEPARATOR)


def _taxonomy(tag: Element) -> Control:
    if attribute(tag, "apiUrl"):
        raise Unsupported("Its choices come from another server (apiUrl); they must stand in the config.")
    if is_true(tag, "labeling"):
        raise Unsupported('labeling="true" marks regions with it, which is not supported; use <Labels>.')
    options, paths = options_field(tag), _paths_in(tag, _written)
    if options and is_true(tag, "leafsOnly"):
        raise Unsupported(f"Its options come from each task (${shown(options)}), and only some of them can be chosen.")
    single = attribute(tag, "maxUsages").strip() == "1"  # the editor lets no second one be chosen
    labels = tuple(paths) if options else _at_least_two(paths)
    kind: TargetKind = "choice" if single else "choices"
    return Control(kind, taxonomy_form(paths, single=single), labels, options=options, separator=PATH_SEPARATOR)


def _paths_in(tag: Element, written: Callable[[Element], str]) -> dict[str, tuple[str, ...]]:
    """The names from the outermost choice to each that can be chosen, by its label."""
    paths: dict[str, tuple[str, ...]] = {}
    for option, around in options_of(tag, "choice"):
        path = tuple(written(step) for step in around)
        label = PATH_SEPARATOR.join(path)
        if len(label) > LONGEST_LABEL:
            raise Unsupported(f"One of its choices is longer than {LONGEST_LABEL:,} characters, all its path counted.")
        if paths.setdefault(label, path) != path:
            raise Unsupported(f"Two of its choices would both be called '{shown(label)}'.")
        if is_true(tag, "leafsOnly") and any(tag_name(inner) == "choice" for inner in option):
            paths.pop(label)
    return paths


def _rating(tag: Element) -> Control:
    text = attribute(tag, "maxRating").strip() or "5"
    if not text.isdecimal() or not text.isascii() or len(text) > 4 or int(text) not in _RATINGS:
        raise Unsupported(f'maxRating="{shown(text)}" must be a whole number from {_RATINGS[0]} to {_RATINGS[-1]}.')
    return Control("number", rating_form(), scale=Scale(1.0, float(text), 1.0))


def _number(tag: Element) -> Control:
    low, high, step = (_bound(tag, name) for name in ("min", "max", "step"))
    if low is not None and high is not None and low >= high:
        raise Unsupported("Its min must be lower than its max.")
    if step is not None and step <= 0:
        raise Unsupported("Its step must be more than 0.")
    return Control("number", number_form(), scale=Scale(low, high, step))


# What of a date the editor asks → its usual form, and in how many seconds it is counted. Of "month,year" the editor of
# 1.23 writes another month than was chosen: 2024-01-01 for March 2024.
_MOMENTS: Mapping[frozenset[str], Moments] = {
    frozenset(): Moments("%Y-%m-%dT%H:%M", 60),
    frozenset({"date", "time"}): Moments("%Y-%m-%dT%H:%M", 60),
    frozenset({"date"}): Moments("%Y-%m-%d", 86_400),
    frozenset({"time"}): Moments("%H:%M", 60, dated=False),
}


def _datetime(tag: Element) -> Control:
    parts, form = attribute(tag, "only"), attribute(tag, "format")
    moments = _MOMENTS.get(frozenset(part.strip() for part in parts.split(",") if part.strip()))
    if moments is None:
        raise Unsupported(f'only="{shown(parts)}" is none of date, time and "date,time".')
    if form:
        moments = replace(moments, form=form, seconds=1 if "%S" in form else moments.seconds)
    if form and not moments.is_exact:
        raise Unsupported(f'From format="{shown(form)}" nextlabel cannot read again what was chosen.')
    scale = moments.scale(attribute(tag, "min"), attribute(tag, "max"))
    return Control("number", datetime_form(moments), scale=scale)


def _pairwise(tag: Element) -> Control:
    return Control("choice", pairwise_form(), SIDES, compared=True)


def _labels(tag: Element) -> Control:
    options = options_field(tag)
    labels = tuple(dict.fromkeys(_fixed(option) for option, _ in options_of(tag, "label")))
    if not labels and not options:
        raise Unsupported("It has no labels.")
    return Control("spans", spans_form(), labels, options=options)


def _ranker(tag: Element) -> Control:
    """Without buckets all items are ordered. Of several the default one holds what is put into no other; without a
    default that stays in the list."""
    buckets = [child for child in tag if tag_name(child) == "bucket"]  # the editor shows none that lie deeper
    names = [attribute(bucket, "name") for bucket in buckets]
    if not all(0 < len(name) <= LONGEST_LABEL for name in names) or len(set(names)) < len(names):
        raise Unsupported(f"Its buckets need names that differ, of {LONGEST_LABEL:,} characters at most.")
    if names and not any(is_true(bucket, "default") for bucket in buckets):
        if LEFT_IN_THE_LIST in names:
            raise Unsupported(f'A bucket is called "{LEFT_IN_THE_LIST}", as what is left in the list is in results.')
        names = ["", *names]
    return Control("ranking", Form("ranker", lambda value: None, lambda label: []), tuple(names))


_CONTROLS: Mapping[str, Callable[[Element], Control]] = {
    "choices": _choices,
    "taxonomy": _taxonomy,
    "rating": _rating,
    "number": _number,
    "datetime": _datetime,
    "pairwise": _pairwise,
    "labels": _labels,
    "hypertextlabels": _labels,
    "paragraphlabels": _labels,
    "ranker": _ranker,
}


def options_field(tag: Element) -> str:
    """The field in which each task has options of its own, after those of the config; "" without one. Raises
    `Unsupported` where that cannot be told."""
    value = attribute(tag, "value")
    if "$" not in value:
        return ""
    if not (found := REFERENCE.fullmatch(value)) or "{{" in value:
        raise Unsupported(f'value="{shown(value)}" must name one field of the task, as in value="$options".')
    return found.group(1)


def options_of(tag: Element, name: str) -> Iterator[tuple[Element, tuple[Element, ...]]]:
    """The options inside a tag, in document order, each with the options around it and itself, outermost first."""
    waiting: list[tuple[Element, tuple[Element, ...]]] = [(child, ()) for child in reversed(tag)]
    while waiting:
        inner, path = waiting.pop()
        if tag_name(inner) == name:
            path = (*path, inner)
            yield inner, path
        waiting += [(child, path) for child in reversed(inner)]


def _written(option: Element) -> str:
    """What the editor writes into results, and the import checks: the alias, where there is one."""
    written = attribute(option, "alias") or attribute(option, "value")
    if not written or (tag_name(option) == "choice" and option.get("alias") == ""):
        raise Unsupported("One of its options has no value, or an empty alias.")
    if len(written) > LONGEST_LABEL:
        raise Unsupported(f"One of its options is longer than {LONGEST_LABEL:,} characters.")
    return written


def _fixed(option: Element) -> str:
    written = _written(option)
    if not attribute(option, "alias") and REFERENCE.search(written):
        raise Unsupported(f"One of its options has no fixed value ({shown(written)}).")
    return written


def _at_least_two(labels: Iterator[str] | Mapping[str, object]) -> tuple[str, ...]:
    different = tuple(dict.fromkeys(labels))
    if len(different) < 2:
        raise Unsupported("It offers fewer than two choices.")
    return different


def _bound(tag: Element, name: str) -> float | None:
    text = attribute(tag, name).strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text) or not isfinite(number := float(text)):
        raise Unsupported(f'{name}="{shown(text)}" must be a number.')
    return number


_OWN_MODEL = "for pre-annotations connect your own model"
_ON_IMAGES = "rectangle", "ellipse", "polygon", "brush", "bitmask", "keypoint", "magicwand", "vector", "ocr", "cube"
# What regions are marked of, by how the tag's name begins.
_MARKED: Mapping[str, str] = {
    **dict.fromkeys(_ON_IMAGES, "an image"),
    "video": "a video",
    "timeline": "a video",
    "timeseries": "a time series",
    "pdf": "a document",
    "table": "a table",
}
_NOT_LEARNED: Mapping[str, str] = {
    "textarea": "free text",
    "relations": "relations between regions",
    "chat": "a conversation to be written",
    "chatmessage": "a conversation to be written",
    "reactcode": "an interface of your own",
}


def _why_not(tag: Element) -> str:
    name, written = tag_name(tag), f"<{shown(tag.tag)}>"
    if name in _NOT_LEARNED:
        return f"{written} is {_NOT_LEARNED[name]}, which nextlabel does not write; {_OWN_MODEL}."
    marked = next((what for start, what in _MARKED.items() if name.startswith(start)), None)
    what = f"marks regions of {marked}, which nextlabel does not draw" if marked else "is not known to nextlabel"
    return f"{written} {what}; {_OWN_MODEL}."
