"""What is written into Label Studio is what its own check takes: the one that its import of predictions runs."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

import orjson

from nextlabel.labeling import Guess, Label, Prediction, QueueVersion, Span, Target, TaskId
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.label_studio.label_config import LabelConfig, parse_label_config
from nextlabel_connectors.label_studio.payloads import window_scores
from written import write_answer, write_window_item

VERSION = QueueVersion("0007")
OBJECTS = (
    '<Text name="text" value="$text"/><HyperText name="page" value="$title: $html"/>'
    '<HyperText name="html" value="$html"/><Paragraphs name="talk" value="$talk"/>'
    '<Table name="row" value="$row"/><Image name="image" value="$image"/><Image name="pages" valueList="$pages"/>'
    '<List name="list" value="$items"/>'
)
CONTROLS = (
    '<Choices name="it" toName="page">{choices}</Choices>',
    '<Choices name="it" toName="talk" choice="single-radio">{choices}</Choices>',
    '<Choices name="it" toName="row" choice="multiple">{choices}</Choices>',
    '<Choices name="it" toName="text"><View><Choice value="a"><Choice value="b"/></Choice>{choices}</View></Choices>',
    '<Choices name="it" toName="text" value="$options">{choices}</Choices>',
    '<Choices name="it" toName="text" value="$options" choice="multiple"/>',
    '<Taxonomy name="it" toName="image"><Choice value="a" alias="A">{choices}</Choice>{choices}</Taxonomy>',
    '<Taxonomy name="it" toName="text" leafsOnly="true"><Choice value="a">{choices}</Choice></Taxonomy>',
    '<Taxonomy name="it" toName="page" maxUsages="1"><Choice value="a">{choices}</Choice></Taxonomy>',
    '<Choices name="it" toName="text,page">{choices}</Choices>',
    '<Rating name="it" toName="talk,image"/>',
    '<Rating name="it" toName="image" maxRating="7"/>',
    '<Choices name="it" toName="pages">{choices}</Choices>',
    '<Rating name="it" toName="pages"/>',
    '<Taxonomy name="it" toName="text" value="$options"/>',
    '<Taxonomy name="it" toName="text" value="$options" maxUsages="1">{choices}</Taxonomy>',
    '<Labels name="it" toName="text" value="$options"/>',
    '<Labels name="it" toName="text" value="$options">{labels}</Labels>',
    '<HyperTextLabels name="it" toName="html" value="$options"/>',
    '<ParagraphLabels name="it" toName="talk" value="$options"/>',
    '<Number name="it" toName="row" min="-1" max="2.5" step="0.5"/>',
    '<Number name="it" toName="talk"/>',
    '<DateTime name="it" toName="text"/>',
    '<DateTime name="it" toName="text" only="date" format="%d.%m.%Y" min="2000-01-01"/>',
    '<DateTime name="it" toName="image" only="time"/>',
    '<Pairwise name="it" toName="text,talk"/>',
    '<Labels name="it" toName="text">{labels}</Labels>',
    '<Labels name="it" toName="text" choice="multiple" allowEmpty="true">{labels}</Labels>',
    '<Labels name="it" toName="html">{labels}</Labels>',
    '<HyperTextLabels name="it" toName="html">{labels}</HyperTextLabels>',
    '<ParagraphLabels name="it" toName="talk">{labels}</ParagraphLabels>',
    '<Ranker name="it" toName="list"/>',
    '<Ranker name="it" toName="list"><Bucket name="good"/><Bucket name="no &amp; no"/></Ranker>',
    '<Ranker name="it" toName="list"><Bucket name="best"/><Bucket name="rest" default="true"/></Ranker>',
)
ITEMS: list[dict[str, object]] = [
    {"id": "a", "title": "one"},
    {"id": 2, "body": "two"},
    {"id": "ü", "html": "<b>3</b>"},
]
DATA = {
    "items": ITEMS,
    "html": f"<p>{'words ' * 5}<b>{'and ' * 20}</b></p>",
    "talk": [{"author": "A", "text": "so many words " * 9}],
}
ASK = """
import json, sys
from label_studio_sdk.label_interface import LabelInterface
verdicts = []
for config, predictions in json.load(sys.stdin):
    interface = LabelInterface(config)
    interface.validate()
    verdicts.append([interface.validate_prediction(p, return_errors=True) for p in predictions])
json.dump(verdicts, sys.stdout)
"""


def refusals(python: Path, cases: list[tuple[str, list[dict[str, object]]]]) -> list[list[list[str]]]:
    """What Label Studio has against each prediction of each config."""
    asked = subprocess.run(
        [python, "-c", ASK], input=orjson.dumps(cases), capture_output=True, timeout=CEILING_SECONDS, check=False
    )
    assert asked.returncode == 0, asked.stderr.decode()[-2000:]
    verdicts: list[list[list[str]]] = orjson.loads(asked.stdout)
    return verdicts


def configs(chance: random.Random) -> Iterator[str]:
    for control in CONTROLS:
        for _ in range(4):
            names = chance.sample(["yes", "no", "it", "<&>", "two words", "ü", "😀", "it's", '"', "x > y", "$", "1"], 4)
            written = [
                (quoteattr(name), f" alias={quoteattr(name + '~')}" if chance.random() < 0.4 else "") for name in names
            ]
            choices = "".join(f"<Choice value={value}{alias}/>" for value, alias in written)
            labels = "".join(f"<Label value={value}{alias}/>" for value, alias in written)
            yield f"<View>{OBJECTS}{control.format(choices=choices, labels=labels)}</View>"


def a_label(target: Target, chance: random.Random) -> Label:
    match target.kind:
        case "choice" if target.options:
            return chance.choice([*target.labels, "of the task"])
        case "choice":
            return chance.choice(target.labels)
        case "choices":
            options = [*target.labels, *(["of the task"] if target.options else [])]
            return tuple(label for label in options if chance.random() < 0.4)
        case "number":
            assert target.scale is not None
            return target.scale.nearest(chance.uniform(-9, 9))
        case "spans":
            starts = sorted(chance.choices(range(50), k=chance.randrange(4)))
            labels = [*target.labels, *(["of the task"] if target.options else [])]
            return tuple(Span(start, start + chance.randint(1, 9), chance.choice(labels)) for start in starts)
        case "ranking":
            order = chance.sample([str(item["id"]) for item in ITEMS], len(ITEMS))
            return target.read([(chance.choice(target.labels or ("",)), item) for item in order]) or ()


def predictions(config: LabelConfig, chance: random.Random) -> Iterator[dict[str, object]]:
    yield write_window_item(TaskId("1"), 0.2, None, config, VERSION)
    for _ in range(5):
        guesses = tuple(
            Guess(target.name, a_label(target, chance), chance.random(), scored=chance.random() < 0.8)
            for target in config.schema.targets
        )
        prediction = Prediction(TaskId("1"), VERSION, guesses, chance.random(), chance.random())
        yield write_window_item(TaskId("1"), window_scores([prediction])[0], prediction, config, VERSION, DATA)
        yield write_answer(prediction, config, VERSION, DATA)


def test_every_kind_of_prediction_is_one_that_label_studio_takes(python_of_label_studio: Path) -> None:
    chance = random.Random(7)
    cases = [(xml, list(predictions(parse_label_config(xml), chance))) for xml in configs(chance)]
    kinds = {str(item["type"]) for _, written in cases for one in written for item in one["result"]}  # type: ignore[attr-defined]
    texts, regions = (
        {"choices", "taxonomy", "rating", "number", "pairwise", "datetime", "ranker"},
        {"labels", "hypertextlabels", "paragraphlabels"},
    )
    assert kinds == texts | regions
    against = refusals(python_of_label_studio, cases)
    assert [predicted for verdicts in against for predicted in verdicts if predicted] == []


def test_all_controls_of_one_config_are_taken_together(python_of_label_studio: Path) -> None:
    chance = random.Random(8)
    inside = {
        "choices": '<Choice value="b"/><Choice value="c" alias="C"/>',
        "labels": '<Label value="d"/><Label value="e" alias="E"/>',
    }
    named = [control.replace('"it"', f'"it{n}"').format(**inside) for n, control in enumerate(CONTROLS)]
    xml = f"<View>{OBJECTS}{''.join(named)}</View>"
    config = parse_label_config(xml)
    assert len(config.schema.targets) == len(CONTROLS)
    assert [
        predicted
        for predicted in refusals(python_of_label_studio, [(xml, list(predictions(config, chance)))])[0]
        if predicted
    ] == []


def test_label_studio_would_have_refused_what_is_not_written(python_of_label_studio: Path) -> None:
    """Why we write as we do; and a check that refuses nothing would prove nothing."""

    def item(type_: str, to_name: str = "text", **value: object) -> dict[str, object]:
        return {"result": [{"from_name": "it", "to_name": to_name, "type": type_, "value": value}], "score": 0.5}

    alias = '<Choice value="a" alias="A"/><Choice value="b"/>'
    cases = [
        (f'<Choices name="it" toName="text">{alias}</Choices>', item("choices", choices=["a"])),
        (f'<Choices name="it" toName="text">{alias}</Choices>', item("choices", choices=["gone"])),
        (f'<Choices name="it" toName="text" allowNested="true">{alias}</Choices>', item("choices", choices=[["b"]])),
        (f'<Taxonomy name="it" toName="text">{alias}</Taxonomy>', item("taxonomy", taxonomy=[["a"]])),
        ('<Rating name="it" toName="text"/>', item("rating", rating=2.5)),
        ('<Pairwise name="it" toName="text,talk"/>', item("pairwise", to_name="it", selected="left")),
        ('<Pairwise name="it" toName="text,talk"/>', item("pairwise", to_name="text,talk", selected="left")),
        ('<Labels name="it" toName="text"><Label value="a"/></Labels>', item("labels", labels=["a"])),
        ('<Ranker name="it" toName="list"/>', item("ranker", to_name="list", ranker=["a", "b"])),
    ]
    against = refusals(python_of_label_studio, [(f"<View>{OBJECTS}{control}</View>", [one]) for control, one in cases])
    assert [bool(predicted) for verdicts in against for predicted in verdicts] == [True] * len(cases)
