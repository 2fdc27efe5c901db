"""What an answer holds of controls that are not learned in full: as Label Studio's editor writes its results."""

from __future__ import annotations

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.labeling import Guess, Prediction, QueueVersion, TaskId
from nextlabel_connectors.label_studio.label_config import parse_label_config
from nextlabel_connectors.label_studio.payloads import read_labels
from written import as_shown, write_result

IMAGE, SOUND, TEXT = '<Image name="o" value="$o"/>', '<Audio name="o" value="$o"/>', '<Text name="o" value="$o"/>'
VIDEO, SERIES = '<Video name="o" value="$o"/>', '<TimeSeries name="o" value="$o"/>'
CAR_AND_DOG = '<Label value="car"/><Label value="dog" alias="hound"/>'
NESTED = '<Choice value="a"><Choice value="b"/></Choice>'
BOX = {"x": 1, "y": 2, "width": 3, "height": 4, "rotation": 0}


def config(shown: str, *controls: str) -> str:
    return f"<View>{shown}{''.join(controls)}</View>"


def item(kind: str, **value: object) -> dict[str, object]:
    return {"id": "r1", "from_name": "it", "to_name": "o", "type": kind, "value": value}


def labels(tag: str, shown: str, attributes: str = "") -> str:
    return config(shown, f'<{tag} name="it" toName="o" {attributes}>{CAR_AND_DOG}</{tag}>')


@pytest.mark.parametrize(
    ("xml", "result", "holds"),
    [
        (labels("RectangleLabels", IMAGE), [item("rectanglelabels", **BOX, rectanglelabels=["car"])] * 2, ("car",)),
        (
            labels("PolygonLabels", IMAGE),
            [item("polygonlabels", points=[[1, 2]], polygonlabels=[one]) for one in ("hound", "car")],
            ("car", "hound"),
        ),
        (labels("BrushLabels", IMAGE), [item("brushlabels", format="rle", rle=[1], brushlabels=["hound"])], ("hound",)),
        (labels("KeyPointLabels", IMAGE), [item("keypointlabels", x=1, y=2, keypointlabels=["car"])], ("car",)),
        (labels("EllipseLabels", IMAGE), [item("ellipselabels", x=1, y=2, ellipselabels=["car"])], ("car",)),
        (labels("Labels", SOUND), [item("labels", start=0.5, end=1.5, channel=0, labels=["hound"])], ("hound",)),
        (
            labels("TimeSeriesLabels", SERIES),
            [item("timeserieslabels", start=1, end=2, timeserieslabels=["car"])],
            ("car",),
        ),
        (labels("TimelineLabels", VIDEO), [item("timelinelabels", ranges=[], timelinelabels=["car"])], ("car",)),
        (labels("RectangleLabels", IMAGE), [], ()),
        (labels("RectangleLabels", IMAGE), [item("rectanglelabels", **BOX)], ()),
        (labels("RectangleLabels", IMAGE, 'required="true"'), [], None),
        (labels("RectangleLabels", IMAGE), [item("rectanglelabels", rectanglelabels=[["car", 3]])], None),
        (
            config(
                VIDEO, f'<Labels name="it" toName="o">{CAR_AND_DOG}</Labels><VideoRectangle name="box" toName="o"/>'
            ),
            [item("videorectangle", sequence=[], labels=["car"]) | {"from_name": "box"}],
            ("car",),
        ),
        (
            config(
                IMAGE,
                '<Choices name="it" toName="o" perRegion="true"><Choice value="old"/><Choice value="new"/></Choices>',
            ),
            [item("choices", **BOX, choices=["old"]), item("choices", **BOX, choices=["new"])],
            ("new", "old"),
        ),
        (
            config(
                TEXT,
                f'<Choices name="it" toName="o" allowNested="true">{NESTED}</Choices>',
            ),
            [item("choices", choices=[["a", "b"]])],
            "a > b",
        ),
        (
            config(TEXT, f'<Choices name="it" toName="o" allowNested="true" perRegion="true">{NESTED}</Choices>'),
            [item("choices", choices=[["a"], ["a", "b"]])] * 2,
            ("a", "a > b"),
        ),
        (
            config(
                IMAGE,
                f'<RectangleLabels name="box" toName="o">{CAR_AND_DOG}</RectangleLabels>'
                '<TextArea name="it" toName="o" perRegion="true"/>',
            ),
            [item("textarea", **BOX, text=["abc", "defg"])],
            None,
        ),
        (
            config(IMAGE, '<TextArea name="it" toName="o" perRegion="true"/>'),
            [item("textarea", **BOX, text=["abc"]), item("textarea", **BOX, text=["defg"])],
            log2(8),
        ),
        (
            config(IMAGE, '<PolygonLabels name="it" toName="o" value="$products"/>'),
            [item("polygonlabels", points=[[1, 2]], polygonlabels=[one]) for one in ("tea", "soap")],
            ("soap", "tea"),
        ),
        (
            config(TEXT, '<Rating name="it" toName="o" perRegion="true"/>'),
            [item("rating", rating=2), item("rating", rating=5)],
            3.5,
        ),
        (config(TEXT, '<Rating name="it" toName="o" perRegion="true"/>'), [], None),
        (config(IMAGE, '<TextArea name="it" toName="o"/>'), [item("textarea", text=["abc", "defg"])], log2(8)),
        (config(IMAGE, '<TextArea name="it" toName="o"/>'), [], 0.0),
        (config(IMAGE, '<Polygon name="it" toName="o"/>'), [item("polygon", points=[])] * 3, 3.0),
        (config(IMAGE, '<Polygon name="it" toName="o"/>'), [], 0.0),
    ],
)
def test_an_answer_is_read_as_what_it_holds(xml: str, result: list[dict[str, object]], holds: object) -> None:
    found = parse_label_config(xml)
    assert read_labels(result, found).get("it") == holds
    if holds is not None:
        known = found.controls["it"].target.read(holds)
        assert (set(known) == set(holds)) if isinstance(holds, tuple) and isinstance(known, tuple) else known == holds


def test_nothing_of_it_is_shown_to_anyone() -> None:
    found = parse_label_config(labels("RectangleLabels", IMAGE))
    prediction = Prediction(TaskId("1"), QueueVersion("1"), (Guess("it", ("car",), 0.9),), 0.1, 0.2)
    assert write_result(prediction, found) == []
    shown = as_shown(prediction, found)
    assert shown is not None
    assert (shown.guesses, shown.uncertainty) == ((), 0.1)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["choices", "text", "carlabels"]), inner)
    ),
    max_leaves=10,
)
ALL = [
    labels("RectangleLabels", IMAGE),
    config(TEXT, '<TextArea name="it" toName="o"/>'),
    config(TEXT, '<Any name="it" toName="o"/>'),
]


@given(st.sampled_from(ALL), st.lists(plain, max_size=3))
def test_whatever_an_answer_holds_it_is_a_label_or_none(xml: str, values: list[object]) -> None:
    found = parse_label_config(xml)
    label = read_labels([{"from_name": "it", "type": "t", "value": one} for one in values], found).get("it")
    assert label is None or isinstance(label, float | tuple)
