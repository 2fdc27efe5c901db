"""Any config, any label, and whatever else may come in their place."""

from __future__ import annotations

import copy
import random
from typing import cast
from xml.sax.saxutils import quoteattr

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextlabel.errors import PayloadError, SchemaError
from nextlabel.labeling import Guess, Label, Placed, Prediction, QueueVersion, Span, Target, Task, TaskId
from nextlabel_connectors.label_studio.label_config import LabelConfig, parse_label_config
from nextlabel_connectors.label_studio.payloads import read_labels, read_task_seen
from written import write_result

relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
OBJECTS = (
    '<Text name="text" value="$text"/><HyperText name="page" value="$title: $html"/>'
    '<Paragraphs name="talk" value="$talk"/><Table name="row" value="$row"/><Image name="image" value="$image"/>'
    '<Audio name="sound" value="$sound"/><Video name="film" value="$film"/><TimeSeries name="pulse" value="$pulse"/>'
    '<List name="list" value="$items"/>'
)
ITEMS: list[object] = [{"id": "a", "title": "one"}, {"id": 2, "body": "two"}, {"id": "ü", "html": "<b>3</b>"}]
TASK = Task(TaskId("1"), {"items": ITEMS})
SHOWN = ("text", "page", "talk", "row", "image", "sound", "film", "pulse")
# No "$", which makes an option no fixed one, and nothing that would be the separator of paths.
words = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"], exclude_characters="$>"), min_size=1, max_size=8
).filter(str.strip)


def attributes(**values: object) -> str:
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in values.items())


@st.composite
def options(draw: st.DrawFn, tag: str, depth: int) -> str:
    """Two options or more of different names, some with an alias, some with options inside."""
    names = draw(st.lists(words, min_size=4, max_size=6, unique=True))
    drawn = []
    for name in names[2:]:
        alias = {"alias": f"{name}~"} if draw(st.booleans()) else {}
        inside = draw(options(tag, depth - 1)) if depth and draw(st.booleans()) else ""
        drawn.append(f"<{tag}{attributes(value=name, **alias)}>{inside}</{tag}>")
    return "".join(drawn)


@st.composite
def controls(draw: st.DrawFn, name: str) -> str:
    to_name = draw(st.sampled_from(SHOWN))
    match draw(st.sampled_from(["Choices", "Taxonomy", "Rating", "Number", "Pairwise", "Ranker", "Labels"])):
        case "Choices":
            mode = draw(st.sampled_from(["single", "single-radio", "multiple"]))
            tag, inside = f"Choices{attributes(choice=mode)}", draw(options("Choice", 1))
        case "Taxonomy":
            more = draw(st.sampled_from(["", ' maxUsages="1"', ' leafsOnly="true"']))
            tag, inside = f"Taxonomy{more}", draw(options("Choice", 2))
        case "Rating":
            tag, inside = f"Rating{attributes(maxRating=draw(st.integers(2, 100)))}", ""
        case "Number":
            low = draw(st.floats(-1e6, 1e6))
            limits = attributes(min=low, max=low + draw(st.floats(1, 1e6)))
            tag, inside = f"Number{limits if draw(st.booleans()) else ''}", ""
        case "Pairwise":
            to_name = ",".join(draw(st.permutations(["text", "talk", "row", "image"]))[:2])
            tag, inside = "Pairwise", ""
        case "Ranker":
            names = draw(st.lists(words.map(lambda word: f"b {word}"), max_size=3, unique=True))
            default = draw(st.sampled_from([{}, {"default": "true"}]))
            buckets = [f"<Bucket{attributes(name=one, **default)}/>" for one in names]
            to_name, tag, inside = "list", "Ranker", "".join(buckets)
        case _:
            to_name, tag, inside = "text", "Labels", draw(options("Label", 0))
    return f"<{tag}{attributes(name=name, toName=to_name)}>{inside}</{tag.split()[0]}>"


@st.composite
def config_texts(draw: st.DrawFn) -> str:
    names = draw(st.lists(words.map(lambda word: f"c {word}"), min_size=1, max_size=3, unique=True))
    return f"<View>{OBJECTS}{''.join(draw(controls(name)) for name in names)}</View>"


def a_label(target: Target) -> st.SearchStrategy[Label]:
    match target.kind:
        case "choice":
            return st.sampled_from(target.labels)
        case "choices":
            chosen = st.sets(st.sampled_from(target.labels))
            return chosen.map(lambda some: tuple(label for label in target.labels if label in some))
        case "number":
            low, high, step = (target.scale.low, target.scale.high, target.scale.step) if target.scale else (None,) * 3
            if step and low is not None and high is not None:
                return st.integers(int(low), int(high)).map(float)
            return st.floats(low, high, allow_nan=False, allow_infinity=False)
        case "spans":
            label = st.sampled_from(target.labels)
            span = st.builds(
                lambda at, size, label: Span(at, at + size, label), st.integers(0, 99), st.integers(1, 9), label
            )
            return st.sets(span, max_size=4).map(lambda spans: tuple(sorted(spans)))
        case "ranking":
            buckets = st.lists(st.sampled_from(target.labels or ("",)), min_size=len(ITEMS), max_size=len(ITEMS))
            orders = st.tuples(st.permutations(sorted(target.offered(TASK))), buckets)
            return orders.map(lambda one: target.read(list(zip(*reversed(one), strict=True))) or ())


def written(config: LabelConfig, labels: dict[str, Label]) -> list[dict[str, object]]:
    guesses = tuple(Guess(name, label, 0.5) for name, label in labels.items())
    return write_result(Prediction(TaskId("1"), QueueVersion("0001"), guesses, 0.5, 0.5), config, TASK.data)


@relaxed
@given(config_texts(), st.data())
def test_a_label_is_the_same_when_it_has_been_written_and_read_whatever_the_config(
    xml: str, data: st.DataObject
) -> None:
    config = parse_label_config(xml)
    assert config.schema.left_out == {}
    labels = {target.name: data.draw(a_label(target)) for target in config.schema.targets}
    result = orjson.loads(orjson.dumps(written(config, labels)))
    assert result == written(config, labels)  # what is stored is compared with what is wanted
    read = read_labels(result, config, TASK.data)
    assert {target.name: target.read(read.get(target.name)) for target in config.schema.targets} == labels


WHOLE = (
    f"<View>{OBJECTS}"
    '<Choices name="kind" toName="page"><Choice value="a" alias="A"/><Choice value="b"/></Choices>'
    '<Choices name="tags" toName="talk" choice="multiple"><Choice value="a"/><Choice value="b"/></Choices>'
    '<Taxonomy name="tree" toName="row"><Choice value="a"><Choice value="b"/></Choice><Choice value="c"/></Taxonomy>'
    '<Rating name="stars" toName="image" maxRating="4"/><Number name="age" toName="text" min="0" max="9" step="0.5"/>'
    '<Pairwise name="better" toName="text,talk"/>'
    '<Ranker name="order" toName="list"><Bucket name="best"/><Bucket name="worst"/></Ranker>'
    '<Labels name="who" toName="text"><Label value="PER"/><Label value="ORG"/></Labels></View>'
)
CONFIG = parse_label_config(WHOLE)
LABELS: dict[str, Label] = {
    "kind": "A",
    "tags": ("a", "b"),
    "tree": ("a", "a > b"),
    "stars": 4.0,
    "age": 1.5,
    "better": "left",
    "order": (Placed("", "a"), Placed("best", "ü"), Placed("worst", "2")),
    "who": (Span(0, 3, "PER"), Span(4, 9, "ORG")),
}
ODD = ["", "<", ">", '"', "&", "/", "$", "\0", "\n", "é", "😀", "true", "{{", ",", "<Choice/>", 'name="who"', "x" * 99]


def mutated_text(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice([0, 1, 1, 2, 8, 60]))
        match chance.randrange(4):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:end] + text[start:end] * chance.choice([1, 1, 50]) + text[end:]
            case 2:
                text = text[:start] + chance.choice(ODD) + text[end:]
            case _:  # a whole attribute or tag exchanged for another
                parts = text.split(chance.choice([" ", "<", '"']))
                text = text.replace(chance.choice(parts) or " ", chance.choice(parts), 1)
    return text


def test_a_config_with_mistakes_is_read_or_refused_and_nothing_else() -> None:
    chance = random.Random(7)
    outcomes = set()
    for _ in range(500):
        try:
            config = parse_label_config(mutated_text(WHOLE, chance))
        except SchemaError as error:
            assert str(error)
            outcomes.add("refused")
        else:
            assert config.schema.targets
            assert config.controls.keys() == {target.name for target in config.schema.targets}
            read_labels(written(CONFIG, LABELS), config)
            outcomes.add("read")
    assert outcomes == {"read", "refused"}


VALUES: list[object] = [None, True, 0, -1, 1.5, 10**400, float("nan"), float("inf"), "", "a", "1", "left", [], {}, [[]]]


def nodes(value: object) -> list[tuple[object, object]]:
    """Every place in a JSON value that can be changed: the container and its key."""
    places: list[tuple[object, object]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        inside = list(one.items()) if isinstance(one, dict) else list(enumerate(one)) if isinstance(one, list) else []
        places += [(one, key) for key, _ in inside]
        waiting += [inner for _, inner in inside]
    return places


def mutated_json(value: object, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 3)):
        if not (places := nodes(value)):
            return
        container, key = chance.choice(places)
        others = [*VALUES, {"choices": ["b"]}, ["a", ["b"]], chance.choice(places)[0]]
        if chance.random() < 0.3:
            del cast(dict[object, object], container)[key]
        else:
            cast(dict[object, object], container)[key] = copy.deepcopy(chance.choice(others))


def test_a_payload_with_mistakes_is_a_payload_error_or_read_and_nothing_else() -> None:
    chance = random.Random(7)
    seen = {
        "id": 1,
        "data": {"text": "hi", "items": ITEMS},
        "annotations": [
            {"id": 2, "updated_at": "2026-11-22T06:42:46.784535Z", "result": written(CONFIG, LABELS)},
            {"id": 3, "updated_at": "2026-11-22T06:42:46.784535Z", "result": [], "was_cancelled": True},
        ],
    }
    outcomes = set()
    for _ in range(500):
        broken = copy.deepcopy(seen)
        mutated_json(broken, chance)
        try:
            task, unreadable = read_task_seen(broken, CONFIG)
        except PayloadError as error:
            assert str(error)
            outcomes.add("refused")
        else:
            for annotation in task.annotations:
                assert all(name in LABELS for name in annotation.labels)
                for target in CONFIG.schema.targets:
                    target.read(annotation.labels.get(target.name))
            assert all(one.reason for one in unreadable)
            outcomes.add("read in part" if unreadable else "read")
    assert outcomes == {"read", "read in part", "refused"}
