"""Which controls of a labeling config are learned, and what is said of the others."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextlabel.errors import SchemaError
from nextlabel.labeling import Target
from nextlabel_connectors.label_studio.label_config import parse_label_config

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXT = '<Text name="text" value="$text"/>'
CHOICES = '<Choices name="kind" toName="text"><Choice value="spam"/><Choice value="ham"/></Choices>'


def view(*tags: str) -> str:
    return f"<View>{''.join(tags)}</View>"


def choices(attributes: str = "", inside: str = '<Choice value="a"/><Choice value="b"/>', to_name: str = "text") -> str:
    return f'<Choices name="odd" toName="{to_name}" {attributes}>{inside}</Choices>'


def test_a_single_choice_on_a_text_is_a_target() -> None:
    config = parse_label_config(view(TEXT, CHOICES))
    assert config.schema.targets == (Target("kind", "choice", ("text",), ("spam", "ham")),)
    assert config.to_names == {"kind": "text"}
    assert config.schema.left_out == {}


@pytest.mark.parametrize(("attributes", "labels"), [("", "1 2 3 4 5"), ('maxRating="3" icon="star"', "1 2 3")])
def test_a_rating_is_a_target_whose_labels_are_its_stars(attributes: str, labels: str) -> None:
    config = parse_label_config(view(TEXT, f'<Rating name="stars" toName="text" {attributes}/>'))
    assert config.schema.targets == (Target("stars", "rating", ("text",), tuple(labels.split())),)


def test_the_alias_is_the_label_because_label_studio_writes_it_into_results() -> None:
    config = parse_label_config(view(TEXT, choices(inside='<Choice value="Yes!" alias="yes"/><Choice value="no"/>')))
    assert config.schema.targets[0].labels == ("yes", "no")


def test_a_text_made_of_several_fields_has_them_all_as_inputs_in_order() -> None:
    text = '<HyperText name="text" value="&lt;b&gt;$subject&lt;/b&gt; $body $subject"/>'
    assert parse_label_config(view(text, CHOICES)).schema.targets[0].inputs == ("subject", "body")


def test_every_single_choice_of_a_config_is_a_target_of_its_own() -> None:
    config = parse_label_config(view(TEXT, CHOICES, choices('choice="single-radio"')))
    assert [target.name for target in config.schema.targets] == ["kind", "odd"]


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        (choices('choice="multiple"'), "several labels"),
        (choices('perRegion="true"'), "parts of a task"),
        (choices('perItem="true"'), "parts of a task"),
        (choices('allowNested="true"'), "tree of choices"),
        (choices('visibleWhen="choice-selected"'), "some tasks only"),
        (choices('value="$labels"', inside=""), "come from each task"),
        (choices(inside='<Choice value="a"/>'), "fewer than two"),
        (choices(inside='<Choice value="a"><Choice value="b"/></Choice><Choice value="c"/>'), "nested"),
        (choices(inside='<Choice value="a"/><Choice/>'), "no fixed value"),
        (choices(to_name="text,more"), "several objects"),
        (choices(to_name="nothing"), "names no object"),
        (choices(to_name="picture") + '<Image name="picture" value="$image"/>', "<Image>"),
        (choices(to_name="far") + '<Text name="far" value="$url" valueType="url"/>', "elsewhere"),
        (choices(to_name="fixed") + '<Text name="fixed" value="Hello"/>', "no field"),
        (choices(to_name="deep") + '<Text name="deep" value="$mail.body"/>', "inside another field"),
        (choices(to_name="text_{{idx}}"), "Repeater"),
        ('<Rating name="odd" toName="text" maxRating="1"/>', "from 2 to 100"),
        ('<Rating name="odd" toName="text" maxRating="many"/>', "from 2 to 100"),
        ('<Rating name="odd" toName="text" perRegion="true"/>', "parts of a task"),
        ('<TextArea name="odd" toName="text"/>', "<TextArea>"),
    ],
)
def test_a_control_that_is_not_supported_is_left_out_with_the_reason(control: str, reason: str) -> None:
    config = parse_label_config(view(TEXT, CHOICES, control))
    assert [target.name for target in config.schema.targets] == ["kind"]
    assert reason in config.schema.left_out["odd"]


def test_a_filter_box_is_not_a_control() -> None:
    assert parse_label_config(view(TEXT, CHOICES, '<Filter name="f" toName="kind"/>')).schema.left_out == {}


def test_a_config_without_a_supported_control_says_what_was_found_and_what_is_supported() -> None:
    with pytest.raises(SchemaError, match=r"'odd'.*several labels.*Supported is <Choices>"):
        parse_label_config(view(TEXT, choices('choice="multiple"')))


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<View>",
        "<View/>",
        "not xml",
        "\0",
        '<?xml version="1.0" encoding="nonsense"?><View/>',
        '<!DOCTYPE View [<!ENTITY a "aaaa">]><View>&a;</View>',
        "<View>" + "x" * 1_000_001 + "</View>",
        "<a>" * 50_000 + "</a>" * 50_000,
    ],
)
def test_an_unreadable_or_hostile_config_is_a_schema_error(xml: str) -> None:
    with pytest.raises(SchemaError):
        parse_label_config(xml)


@relaxed
@given(st.text() | st.from_regex(r"(<[A-Za-z]{1,8}( \w+=\"[^\"<&]*\")*/?>|</\w+>|\$\w+){0,8}"))
def test_whatever_a_config_holds_it_is_read_or_refused(xml: str) -> None:
    try:
        parse_label_config(xml)
    except SchemaError as error:
        assert str(error)


def test_the_digest_changes_with_the_labels_only() -> None:
    before = parse_label_config(view(TEXT, CHOICES)).schema.digest
    assert parse_label_config(view("<Header value='Hi'/>", TEXT, CHOICES)).schema.digest == before
    assert parse_label_config(view(TEXT, CHOICES.replace("ham", "eggs"))).schema.digest != before
