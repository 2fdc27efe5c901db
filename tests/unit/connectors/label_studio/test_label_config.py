"""Which controls of a labeling config are learned, and what is said of the others."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextlabel.errors import SchemaError
from nextlabel.labeling import (
    Guess,
    Input,
    InputKind,
    Label,
    LabelSchema,
    Prediction,
    QueueVersion,
    Scale,
    Span,
    Target,
    Task,
    TaskId,
)
from nextlabel_connectors.label_studio.label_config import parse_label_config
from nextlabel_connectors.label_studio.payloads import read_labels
from written import write_result

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXT = '<Text name="text" value="$text"/>'
OTHER = '<Text name="other" value="$other"/>'
CHOICES = '<Choices name="kind" toName="text"><Choice value="spam"/><Choice value="ham"/></Choices>'
THE_TEXT = (Input("text"),)
TREE = '<Choice value="a"><Choice value="b" alias="B"><Choice value="c"/></Choice></Choice><Choice value="d"/>'


CARS, AMOUNT = ("choices", ("car", "dog")), ("number", ())


def view(*tags: str) -> str:
    return f"<View>{''.join(tags)}</View>"


def choices(attributes: str = "", inside: str = '<Choice value="a"/><Choice value="b"/>', to_name: str = "text") -> str:
    return f'<Choices name="odd" toName="{to_name}" {attributes}>{inside}</Choices>'


def taxonomy(attributes: str = "", inside: str = TREE) -> str:
    return f'<Taxonomy name="odd" toName="text" {attributes}>{inside}</Taxonomy>'


def labels(attributes: str = "", inside: str = '<Label value="a"/><Label value="b"/>', to_name: str = "text") -> str:
    return f'<Labels name="odd" toName="{to_name}" {attributes}>{inside}</Labels>'


def marks(tag: str, to_name: str) -> str:
    return f'<{tag} name="odd" toName="{to_name}"><Label value="a"/></{tag}>'


def a_prediction(label: Label) -> Prediction:
    parts = (0.5,) * len(label) if isinstance(label, tuple) else ()
    return Prediction(TaskId("1"), QueueVersion("1"), (Guess("odd", label, 0.5, parts),), 0.5, 0.5)


def only_target(*tags: str) -> Target:
    (target,) = parse_label_config(view(*tags)).schema.targets
    return target


def test_a_single_choice_on_a_text_is_a_target() -> None:
    config = parse_label_config(view(TEXT, CHOICES))
    assert config.schema.targets == (Target("kind", "choice", THE_TEXT, ("spam", "ham")),)
    assert config.controls["kind"].to_name == "text"
    assert config.schema.left_out == {}


def test_a_multiple_choice_is_a_target_of_any_number_of_labels() -> None:
    assert only_target(TEXT, choices('choice="multiple"')) == Target("odd", "choices", THE_TEXT, ("a", "b"))


def test_without_allow_nested_the_editor_shows_no_choice_inside_a_choice() -> None:
    inside = '<View><Choice value="a"><Choice value="hidden"/></Choice></View><Choice value="b"/>'
    assert only_target(TEXT, choices(inside=inside)).labels == ("a", "b")


@pytest.mark.parametrize(
    ("attributes", "kind", "paths"),
    [
        ("", "choices", ("a", "a > B", "a > B > c", "d")),
        ('leafsOnly="true"', "choices", ("a > B > c", "d")),
        ('leafsOnly="true" maxUsages="1"', "choice", ("a > B > c", "d")),
        ('maxUsages="2"', "choices", ("a", "a > B", "a > B > c", "d")),
    ],
)
def test_a_taxonomy_has_the_path_of_each_of_its_choices_as_a_label(
    attributes: str, kind: str, paths: tuple[str, ...]
) -> None:
    target = only_target(TEXT, taxonomy(attributes))
    assert (target.kind, target.labels) == (kind, paths)


@pytest.mark.parametrize(("attributes", "most"), [("", 5.0), ('maxRating="3" icon="star"', 3.0)])
def test_a_rating_is_a_number_of_whole_stars(attributes: str, most: float) -> None:
    target = only_target(TEXT, f'<Rating name="stars" toName="text" {attributes}/>')
    assert target == Target("stars", "number", THE_TEXT, scale=Scale(1.0, most, 1.0))


@pytest.mark.parametrize(
    ("attributes", "scale"),
    [("", Scale()), ('min="-1.5" max="4"', Scale(-1.5, 4.0)), ('min="0" step=".5"', Scale(0.0, None, 0.5))],
)
def test_a_number_keeps_the_limits_and_steps_that_are_given(attributes: str, scale: Scale) -> None:
    assert only_target(TEXT, f'<Number name="n" toName="text" {attributes}/>').scale == scale


def test_a_pairwise_compares_what_its_two_objects_show() -> None:
    config = parse_label_config(view(TEXT, OTHER, '<Pairwise name="better" toName="text,other"/>'))
    inputs = (Input("text"), Input("other"))
    for tag, kind in (("Audio", "audio"), ("Video", "video"), ("TimeSeries", "series"), ("Pdf", "pdf")):
        shown = (f'<{tag} name="{name}" value="${name}"/>' for name in ("one", "two"))
        (target,) = parse_label_config(view(*shown, '<Pairwise name="better" toName="one,two"/>')).schema.targets
        assert [one.kind for one in target.inputs] == [kind] * 2
    assert config.schema.targets == (Target("better", "choice", inputs, ("left", "right"), compared=True),)


def test_labels_on_a_text_are_spans_even_where_there_is_one_label_only() -> None:
    target = only_target(TEXT, labels(inside='<Label value="Person" alias="PER"/>'))
    assert target == Target("odd", "spans", THE_TEXT, ("PER",))


@pytest.mark.parametrize(
    ("control", "shown", "read"),
    [
        ("HyperTextLabels", '<HyperText name="it" value="$html"/>', Input("html", layout="page")),
        ("Labels", '<HyperText name="it" value="$html" inline="true"/>', Input("html", layout="inline page")),
        (
            "ParagraphLabels",
            '<Paragraphs name="it" value="$talk" textKey="what" nameKey="who"/>',
            Input("talk", "dialogue", layout="turns", text_key="what"),
        ),
        (
            "ParagraphLabels",
            '<Paragraphs name="it" value="$talk" contextscroll="true" audioUrl="$audio"/>',
            Input("talk", "dialogue", layout="turns by time", text_key="text"),
        ),
    ],
)
def test_regions_of_pages_and_dialogues_are_spans_too(control: str, shown: str, read: Input) -> None:
    target = only_target(shown, marks(control, "it"))
    assert target == Target("odd", "spans", (read,), ("a",))


def test_the_digest_changes_with_how_spans_are_counted() -> None:
    digests = {
        parse_label_config(
            view(f'<Paragraphs name="it" value="$talk" {more}/>', marks("ParagraphLabels", "it"))
        ).schema.digest
        for more in ("", 'textKey="what"', 'contextScroll="true"', 'layout="dialogue"')
    }
    assert len(digests) == 3


def test_the_alias_is_the_label_because_label_studio_writes_it_into_results() -> None:
    config = parse_label_config(view(TEXT, choices(inside='<Choice value="Yes!" alias="yes"/><Choice value="no"/>')))
    assert config.schema.targets[0].labels == ("yes", "no")


def test_a_text_made_of_several_fields_has_them_all_as_inputs_in_order() -> None:
    text = '<HyperText name="text" value="&lt;b&gt;$subject&lt;/b&gt; $body $subject"/>'
    assert only_target(text, CHOICES).inputs == (Input("subject"), Input("body"))


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ('<Paragraphs name="text" value="$talk" nameKey="who" textKey="what"/>', Input("talk", "dialogue")),
        ('<Table name="text" value="$row"/>', Input("row", "table")),
        ('<Image name="text" value="$picture" zoom="true"/>', Input("picture", "image")),
    ],
)
def test_dialogues_tables_and_images_are_inputs_of_their_kind(shown: str, read: Input) -> None:
    assert only_target(shown, CHOICES).inputs == (read,)


@pytest.mark.parametrize(
    ("shown", "kind"),
    [
        ('<Audio name="text" value="$record" hotkey="space"/>', "audio"),
        ('<AudioPlus name="text" value="$record"/>', "audio"),
        ('<Video name="text" value="$record" framerate="25"/>', "video"),
        ('<TimeSeries name="text" value="$record" valueType="url"><Channel column="heart"/></TimeSeries>', "series"),
        ('<Pdf name="text" value="$record"/>', "pdf"),
        ('<HyperText name="text" value="$record" valueType="url"/>', "metadata"),
        ('<Audio name="text" value="https://example.org/$record"/>', "metadata"),
    ],
)
def test_what_is_asked_of_a_recording_is_learned_in_full_and_its_address_is_opened(shown: str, kind: InputKind) -> None:
    controls = [CHOICES, taxonomy(), '<Rating name="stars" toName="text"/>', '<Number name="age" toName="text"/>']
    config = parse_label_config(view(shown, *controls))
    assert [target.inputs for target in config.schema.targets] == [(Input("record", kind),)] * 4
    assert config.schema.left_out == {}


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("$ticket: $text", ["ticket", "text"]),
        ("$text for labeling", ["text"]),
        ("$my-text", ["my"]),
        ("$straße", ["stra"]),
        ("($data.text)", ["data.text"]),
        ("See $text.", ["text"]),
        ("$text. $text", ["text"]),
        ("$items[0].text", ["items[0].text"]),
    ],
)
def test_the_names_of_fields_end_where_label_studio_s_editor_ends_them(value: str, fields: list[str]) -> None:
    target = only_target(f'<Text name="text" value="{value}"/>', CHOICES)
    assert [one.field for one in target.inputs] == fields
    assert all((one.note == "") == (value == f"${one.field}") for one in target.inputs), "what else is read is told"


def test_what_lies_inside_another_field_can_be_marked_and_looked_at_too() -> None:
    tags = '<Text name="t" value="$mail.body"/>', '<Image name="i" value="$pages[0]"/>', labels(to_name="t")
    config = parse_label_config(view(*tags, choices(to_name="i").replace("odd", "page")))
    assert {one.name: one.inputs for one in config.schema.targets} == {
        "odd": (Input("mail.body"),),
        "page": (Input("pages[0]", "image"),),
    }


def test_every_control_of_a_config_is_a_target_of_its_own_in_the_order_of_the_document() -> None:
    rating = '<View><Rating name="stars" toName="text"/></View>'
    config = parse_label_config(view(rating, TEXT, CHOICES, choices('choice="single-radio"')))
    assert [target.name for target in config.schema.targets] == ["stars", "kind", "odd"]


def test_a_control_that_is_asked_of_some_tasks_only_is_learned_from_those() -> None:
    control = choices('visibleWhen="choice-selected" whenTagName="kind" whenChoiceValue="spam"')
    config = parse_label_config(view(TEXT, CHOICES, control))
    assert [target.name for target in config.schema.targets] == ["kind", "odd"]


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        (choices('choice="some"'), "none of single"),
        (choices('perRegion="true"'), "parts of a task"),
        (choices('perregion="True"'), "parts of a task"),
        (choices('perItem="true"'), "parts of a task"),
        (choices('allowNested="true"'), "no predictions"),
        (choices('visibleWhen="region-selected"'), "parts of a task"),
        (f'<View visibleWhen="region-selected">{choices()}</View>', "parts of a task"),
        (choices('value="Of: $labels"', inside=""), "name one field"),
        (choices(inside='<Choice value="a"/>'), "fewer than two"),
        (choices(inside='<Choice value="a"/><Choice/>'), "no value"),
        (choices(inside='<Choice value="a" alias=""/><Choice value="b"/>'), "empty alias"),
        (choices(inside='<Choice value="Only $5"/><Choice value="b"/>'), "no fixed value"),
        (choices(inside=f'<Choice value="{"long" * 300}"/><Choice value="b"/>'), "longer than 1,000"),
        (choices(to_name="text,more"), "names no object"),
        ('<Number name="odd" toName="text,other"/>' + OTHER, "several objects"),
        (choices(to_name="nothing"), "names no object"),
        (choices(to_name="kind"), "names no object"),
        (choices(to_name="map") + '<Map name="map" value="$place"/>', "<Map>"),
        (choices(to_name="head") + '<Header name="head" value="$text"/>', "<Header>"),
        (choices(to_name="picture") + '<Image name="picture" valueList="http://$images"/>', "exactly one field"),
        (choices(to_name="picture") + '<Image name="picture" value="http://here/$image"/>', "exactly one field"),
        (choices(to_name="sound") + '<Audio name="sound" value="audio.mp3"/>', "no field"),
        (choices('perRegion="true"', to_name="sound") + '<Audio name="sound" value="$audio"/>', "parts of a task"),
        (choices(to_name="far") + '<Text name="far" value="$url" valueType="url"/>', "elsewhere"),
        (choices(to_name="far") + '<Table name="far" value="$url" valueType="csv|url"/>', "elsewhere"),
        (choices(to_name="far") + '<Text name="far" value="$url" resolver="csv"/>', "elsewhere"),
        (choices(to_name="coded") + '<Text name="coded" value="$text" encoding="base64"/>', "encoded"),
        (choices(to_name="fixed") + '<Text name="fixed" value="Hello"/>', "no field"),
        (choices(to_name="far") + '<Text name="far" value="$标题"/>', "letters a-z, digits and _"),
        (choices(to_name="far") + '<Text name="far" value="Only 5 $"/>', "letters a-z, digits and _"),
        (choices(to_name="each") + '<Text name="each" value="$items[{{idx}}].text"/>', "Repeater"),
        (labels(to_name="near") + '<Text name="near" value="$my-text"/>', "exactly one field"),
        (choices(to_name="twice") + '<Text name="twice" value="$a"/><Text name="twice" value="$b"/>', "more than one"),
        (choices() + choices(), "names must differ"),
        (choices() + '<Text name="odd" value="$a"/>', "names must differ"),
        (choices(to_name="text_{{idx}}"), "Repeater"),
        (taxonomy('apiUrl="http://there"', inside=""), "another server"),
        (taxonomy('value="$tree" leafsOnly="true"', inside=""), "only some of them can be chosen"),
        (taxonomy('labeling="true"'), "marks regions"),
        (taxonomy(inside='<Choice value="a > b"/><Choice value="a"><Choice value="b"/></Choice>'), "both be called"),
        (labels('value="Of: $brands"'), "name one field"),
        (labels(inside=""), "no labels"),
        (labels(to_name="talk") + '<Paragraphs name="talk" value="$talk"/>', "marks nothing in a <Paragraphs> with a"),
        (marks("HyperTextLabels", "text"), "marks nothing in a <Text> with a <HyperTextLabels>"),
        (marks("HyperTextLabels", "page") + '<HyperText name="page" value="$title: $html"/>', "exactly one field"),
        (
            marks("ParagraphLabels", "talk") + '<Paragraphs name="talk" value="$talk" valueType="url"/>',
            "keeps what it shows elsewhere",
        ),
        (labels(to_name="sound") + '<Audio name="sound" value="$audio"/>', "regions of a <Audio>"),
        (labels(to_name="film") + '<Video name="film" value="$film"/>', "regions of a <Video>"),
        (labels(to_name="page") + '<HyperText name="page" value="$url" valueType="url"/>', "elsewhere"),
        ('<VideoRectangle name="odd" toName="film"/><Video name="film" value="$film"/>', "regions of a video"),
        ('<TimelineLabels name="odd" toName="film"/><Video name="film" value="$film"/>', "regions of a video"),
        ('<TimeSeriesLabels name="odd" toName="ts"/><TimeSeries name="ts" value="$ts"/>', "regions of a time series"),
        (labels(to_name="both") + '<Text name="both" value="$a $b"/>', "exactly one field"),
        (labels(to_name="near") + '<Text name="near" value="Text: $a"/>', "exactly one field"),
        ('<Rating name="odd" toName="text" maxRating="1"/>', "from 2 to 100"),
        ('<Rating name="odd" toName="text" maxRating="many"/>', "from 2 to 100"),
        ('<Rating name="odd" toName="text" perRegion="true"/>', "parts of a task"),
        ('<Number name="odd" toName="text" min="low"/>', "must be a number"),
        (f'<Number name="odd" toName="text" max="{"9" * 400}"/>', "must be a number"),
        ('<Number name="odd" toName="text" min="3" max="2"/>', "lower than its max"),
        ('<Number name="odd" toName="text" step="0"/>', "more than 0"),
        ('<Pairwise name="odd" toName="text"/>', "two objects"),
        ('<Pairwise name="odd" toName="text,text"/>', "two objects"),
        ('<Pairwise name="odd" toName="text,same"/><Text name="same" value="$text"/>', "not the same one"),
        ('<Pairwise name="odd" toName="text,two"/><Text name="two" value="$a $b"/>', "one field of the task each"),
        (
            '<Pairwise name="odd" toName="text,two"/><Audio name="two" value="$two"/>',
            "a recording with something else",
        ),
        (
            '<Pairwise name="odd" toName="one,two"/><HyperText name="one" value="$one" valueType="url"/>'
            '<HyperText name="two" value="$two" valueType="url"/>',
            "pages that nextlabel does not read",
        ),
        ('<TextArea name="odd" toName="text"/>', "<TextArea> is free text"),
        ('<DateTime name="odd" toName="text" only="month,year"/>', "none of date"),
        ('<DateTime name="odd" toName="text" only="date" format="%d.%m."/>', "read again"),
        ('<DateTime name="odd" toName="text" format="%-d.%m.%Y %H:%M"/>', "read again"),
        ('<DateTime name="odd" toName="text" format="%Y-%m-%dT%H:%M %Y"/>', "read again"),
        ('<Ranker name="odd" toName="text"/>', "orders only a <List>"),
        ('<RectangleLabels name="odd" toName="text"/>', "regions of an image"),
        (marks("ParagraphLabels", "text"), "marks nothing in a <Text> with a <ParagraphLabels>"),
        ('<Whatever name="odd" toName="text"/>', "<Whatever> is not known to nextlabel;"),
    ],
)
def test_a_control_that_is_not_learned_in_full_is_named_with_the_reason(control: str, reason: str) -> None:
    schema = parse_label_config(view(TEXT, CHOICES, control)).schema
    assert [target.name for target in schema.targets if target.pre_annotated] == ["kind"]
    assert reason in {**schema.held, **schema.left_out}["odd"]
    assert schema.held.keys() == {target.name for target in schema.targets} - {"kind"}


def test_all_images_of_a_list_are_looked_at() -> None:
    one = only_target('<Image name="text" value="$pages"/>', CHOICES)
    some = only_target('<Image name="text" value="$pages" valuelist="$pages"/>', CHOICES)
    assert [target.inputs for target in (one, some)] == [
        (Input("pages", "image"),),
        (Input("pages", "image", layout="list"),),
    ]
    assert LabelSchema((one,)).digest != LabelSchema((some,)).digest


@pytest.mark.parametrize(
    ("shown", "control", "kind", "label"),
    [
        (TEXT, labels('value="$some.options"', inside='<Label value="a"/>'), "labels", (Span(0, 1, "C"),)),
        (
            '<HyperText name="text" value="$text"/>',
            marks("HyperTextLabels", "text").replace(">", ' value="$some.options">', 1),
            "hypertextlabels",
            (Span(0, 1, "C"),),
        ),
        (TEXT, taxonomy('value="$some.options"', inside='<Choice value="a"/>'), "taxonomy", ("b > C",)),
        (TEXT, taxonomy('value="$some.options" maxUsages="1"', inside='<Choice value="a"/>'), "taxonomy", "b > C"),
    ],
)
def test_labels_and_taxonomies_of_each_task_are_learned_as_fixed_ones_are(
    shown: str, control: str, kind: str, label: Label
) -> None:
    both = view(shown, control)
    fixed = parse_label_config(both)
    own = parse_label_config(both.replace('<Choice value="a"/>', "").replace('<Label value="a"/>', ""))
    (target,) = fixed.schema.targets
    assert (target.labels, target.options, target.pre_annotated) == (("a",), "some.options", True)
    options = [{"value": "b", "children": [{"value": "c", "alias": "C"}]}, {"value": "C"}]
    data = {"text": "<p>text</p>", "some": {"options": options}}
    nested = ["b > C"] if kind == "taxonomy" else []
    assert list(target.offered(Task(TaskId("1"), data))) == ["a", "b", *nested, "C"]
    written = write_result(a_prediction(label), own, data)
    assert [one["type"] for one in written] == [kind]
    assert read_labels(written, own, data) == {"odd": label} == {"odd": target.read(label)}
    assert [one for one in write_result(a_prediction(label), fixed, data) if one["value"]] == [], (
        "the import refuses it"
    )


def test_of_spans_those_that_the_import_would_refuse_are_left_out_and_the_others_shown() -> None:
    config = parse_label_config(view(TEXT, labels('value="$options"', inside='<Label value="a"/>')))
    shown = write_result(a_prediction((Span(0, 1, "a"), Span(2, 3, "b"))), config, {"text": "text"})
    assert [one["value"] for one in shown] == [{"start": 0, "end": 1, "labels": ["a"]}]


@pytest.mark.parametrize(("mode", "kind"), [("single", "choice"), ("multiple", "choices")])
def test_options_of_each_task_come_after_those_of_the_config(mode: str, kind: str) -> None:
    config = parse_label_config(
        view(TEXT, choices(f'choice="{mode}" value="$some.options"', inside='<Choice value="a"/>'))
    )
    (target,) = config.schema.targets
    assert (target.kind, target.labels, target.options, target.pre_annotated) == (kind, ("a",), "some.options", True)
    task = Task(TaskId("1"), {"some": {"options": [{"value": "b"}, {"value": "c", "alias": "C"}, "d", {"value": 5}]}})
    assert list(target.offered(task)) == ["a", "b", "C"]
    given = {"from_name": "odd", "to_name": "text", "type": "choices", "value": {"choices": ["C"]}}
    assert read_labels([given], config) == {"odd": "C" if kind == "choice" else ("C",)}


@pytest.mark.parametrize(
    ("attributes", "written", "later"),
    [
        ("", "2024-02-29T23:59", "2024-03-01T00:00"),
        ('only="date"', "2023-12-31", "2024-01-01"),
        ('only="date,time" format="%d.%m.%Y %I:%M %p"', "29.02.2024 11:59 PM", "01.03.2024 12:00 AM"),
        ('only="time"', "09:59", "10:00"),
        ('format="%Y/%m/%d %H:%M:%S"', "2024/01/01 00:00:59", "2024/01/01 00:01:00"),
    ],
)
def test_a_date_or_time_is_a_number_and_is_written_as_the_editor_writes_it(
    attributes: str, written: str, later: str
) -> None:
    config = parse_label_config(view(TEXT, f'<DateTime name="when" toName="text" {attributes}/>'))
    control, (target,) = config.controls["when"], config.schema.targets
    first, second = (control.form.read({"datetime": one}) for one in (written, later))
    assert (target.kind, target.pre_annotated, target.scale and target.scale.step) == ("number", True, second - first)  # type: ignore[operator]
    assert target.read(first) == first
    assert [control.form.write(one) for one in (first, second)] == [[{"datetime": written}], [{"datetime": later}]]  # type: ignore[arg-type]
    assert [control.form.read({"datetime": one}) for one in ("", "soon", None, "9" * 200)] == [None] * 4


@given(st.floats(allow_nan=False))
def test_whatever_number_is_predicted_is_written_as_a_date(number: float) -> None:
    config = parse_label_config(view(TEXT, '<DateTime name="when" toName="text" only="date" max="2030-01-01"/>'))
    (target,) = config.schema.targets
    assert target.scale is not None
    nearest = target.scale.nearest(number)
    (value,) = config.controls["when"].form.write(nearest)
    assert config.controls["when"].form.read(value) == nearest == target.read(nearest)
    assert str(value["datetime"]) <= "2030-01-01"


def test_a_choice_about_several_objects_is_about_the_fields_of_all() -> None:
    target = only_target(TEXT, OTHER, choices(to_name="text,other"))
    assert (target.kind, [one.field for one in target.inputs], target.pre_annotated) == (
        "choice",
        ["text", "other"],
        True,
    )


def test_a_schema_without_options_of_tasks_has_the_digest_that_it_always_had() -> None:
    """Models that earlier releases have stored are of that schema."""
    fixed, of_tasks = (parse_label_config(view(TEXT, choices(more))).schema for more in ("", 'value="$options"'))
    others = parse_label_config(view(TEXT, choices('value="$others"'))).schema
    assert fixed.digest == "cfbae97af119"
    assert len({fixed.digest, of_tasks.digest, others.digest}) == 3


def test_a_filter_box_is_not_a_control() -> None:
    assert parse_label_config(view(TEXT, CHOICES, '<Filter name="f" toName="kind"/>')).schema.left_out == {}


@pytest.mark.parametrize(
    ("control", "target"),
    [
        ('<RectangleLabels name="it" toName="image"><Label value="car"/><Label value="dog"/></RectangleLabels>', CARS),
        ('<Labels name="it" toName="sound"><Label value="car"/><Label value="dog"/></Labels>', CARS),
        (
            '<Choices name="it" toName="text" perRegion="true"><Choice value="car"/><Choice value="dog"/></Choices>',
            CARS,
        ),
        ('<TextArea name="it" toName="text"/>', AMOUNT),
        ('<Brush name="it" toName="image"/>', AMOUNT),
        ('<Ranker name="it" toName="text"/>', AMOUNT),
        ('<Whatever name="it" toName="nothing"/>', AMOUNT),
    ],
)
def test_no_control_is_refused_what_its_answers_hold_is_learned(
    control: str, target: tuple[str, tuple[str, ...]]
) -> None:
    image, sound = '<Image name="image" value="$image"/>', '<Audio name="sound" value="$sound"/>'
    schema = parse_label_config(view(TEXT, image, sound, control)).schema
    schema.check_learnable()
    (it,) = schema.targets
    assert (it.name, (it.kind, it.labels), it.pre_annotated, list(schema.held)) == ("it", target, False, ["it"])


@pytest.mark.parametrize(("tag", "kind"), [("Chat", "dialogue"), ("List", "dialogue"), ("Pdf", "pdf")])
def test_a_choice_about_a_conversation_a_list_or_a_document_is_learned_in_full(tag: str, kind: str) -> None:
    target = only_target(f'<{tag} name="text" value="$it"/>', CHOICES)
    assert (target.kind, [(one.field, one.kind) for one in target.inputs]) == ("choice", [("it", kind)])
    assert target.pre_annotated


def test_where_no_control_has_a_name_of_its_own_how_much_an_answer_marks_is_learned() -> None:
    twice = '<TextArea name="odd" toName="text"/>' * 2
    config = parse_label_config(view(TEXT, twice))
    (whole,) = config.schema.targets
    assert read_labels([{"from_name": "odd", "value": {}}] * 3, config) == {whole.name: 3.0}
    assert list(config.schema.left_out) == ["odd"]


def test_how_much_there_is_is_not_learned_beside_what_says_more() -> None:
    free, boxes = '<TextArea name="free" toName="text"/>', '<Brush name="brush" toName="text"/>'
    schema = parse_label_config(view(TEXT, CHOICES, free, boxes)).schema
    assert ([target.name for target in schema.targets], set(schema.left_out)) == (["kind"], {"free", "brush"})


def test_a_config_without_any_control_is_refused() -> None:
    with pytest.raises(SchemaError, match="no control at all"):
        parse_label_config(view(TEXT)).schema.check_learnable()


def test_whatever_is_learned_what_annotators_see_is_known() -> None:
    image = '<Image name="image" value="$image"/>'
    schema = parse_label_config(view(TEXT, image, '<Brush name="odd" toName="image"/>')).schema
    assert schema.shown == (Input("text"), Input("image", "image"))


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<View>",
        "not xml",
        "\0",
        "\ud800",
        f"<View>{TEXT}{CHOICES}\0</View>",
        '<?xml version="1.0" encoding="no\0nsense"?><View/>',
        '<!DOCTYPE View [<!ENTITY a "aaaa">]><View>&a;</View>',
        f"<View>{TEXT}{CHOICES}" + "x" * 1_000_001 + "</View>",
        "<a>" * 100_000 + TEXT + CHOICES + "</a>" * 100_000,
        f"<View>{TEXT}" + '<Taxonomy name="t" toName="text">' + '<Choice value="a">' * 30_000,
        f'<View>{TEXT}<Taxonomy name="t" toName="text">'
        + '<Choice value="a">' * 101
        + "</Choice>" * 101
        + "</Taxonomy></View>",
    ],
    ids=range(12),
)
def test_an_unreadable_or_hostile_config_is_a_schema_error(xml: str) -> None:
    with pytest.raises(SchemaError):
        parse_label_config(xml)


def test_what_is_said_of_a_hostile_config_is_short() -> None:
    long = "x" * 900_000
    schema = parse_label_config(view(TEXT, f'<Rating name="odd" toName="text" maxRating="{long}"/>')).schema
    assert len(schema.held["odd"]) < 1_000


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
