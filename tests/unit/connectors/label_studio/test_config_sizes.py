"""A labeling config is as large as anybody likes, and what is made of it has a bound that is checked first."""

from __future__ import annotations

import json

import pytest

from nextlabel.errors import SchemaError
from nextlabel_connectors.label_studio import label_config
from nextlabel_connectors.label_studio.dialect import LabelStudioDialect
from nextlabel_connectors.label_studio.label_config import parse_label_config

CHOICES = '<Choice value="a"/><Choice value="b"/>'


def config(fields: int, controls: int) -> str:
    shown = " ".join(f"$f{n}" for n in range(fields))
    asked = "".join(f'<Choices name="c{n}" toName="t">{CHOICES}</Choices>' for n in range(controls))
    return f'<View><Text name="t" value="{shown}"/>{asked}</View>'


def nested(controls: int, options: int) -> str:
    """Controls within controls, and the options in the innermost."""
    opened = "".join(f'<Choices name="c{n}" toName="t">' for n in range(controls))
    inside = "".join(f'<Choice value="{n}"/>' for n in range(options))
    return f'<View><Text name="t" value="$t"/>{opened}{inside}{"</Choices>" * controls}</View>'


def about(controls: int, objects: str) -> str:
    shown = "".join(f'<Text name="t{n}" value="$f{n}"/>' for n in range(500))
    asked = "".join(f'<Any name="c{n}" toName="{objects}"/>' for n in range(controls))
    return f"<View>{shown}{asked}</View>"


@pytest.mark.parametrize(
    ("xml", "what"),
    [
        (about(300, ",".join(f"t{n}" for n in range(500))), "150,000 fields, counted for each control"),
        (about(300, "nothing"), "150,000 fields, counted for each control"),
        (config(8_000, 2_000), "2,000 controls"),
        (config(8_000, 10), "8,000 fields"),
        (config(900, 900), "810,000 fields, counted for each control"),
        (nested(90, 10_000), "options, counted for each control around them"),
    ],
    ids=["all objects", "no object", "both", "fields", "fields for each control", "options within controls"],
)
def test_a_config_that_is_too_large_is_refused_before_anything_is_made_of_it(
    xml: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_config, "_Reader", None)  # it would expand it
    with pytest.raises(SchemaError, match=f"{what}.* at most. Divide it into projects"):
        parse_label_config(xml)


def test_the_controls_on_an_object_share_its_fields() -> None:
    first, *others = parse_label_config(config(50, 300)).schema.targets
    assert len(others) == 299
    assert all(target.inputs is first.inputs for target in others)


def test_the_dialect_keeps_few_large_configs_and_many_small_ones() -> None:
    dialect = LabelStudioDialect()

    def seen(name: str, size: int) -> None:
        xml = config(1, 2).replace('name="c0"', f'name="{name}"') + f"<!--{'x' * size}-->"
        dialect.read_setup(json.dumps({"project": "1.2", "schema": xml}).encode())

    for n in range(80):
        seen(f"small{n}", 10)
    assert len(dialect._configs) == 64
    for n in range(10):
        seen(f"large{n}", 900_000)
    assert sum(map(len, dialect._configs)) <= 2_000_000
