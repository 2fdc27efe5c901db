"""Spans of pages and dialogues: as Label Studio 1.23's editor wrote them in Chromium, and whatever else may come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.features.layouts import text_for_spans
from nextlabel.labeling import Guess, Prediction, QueueVersion, Span, TaskId
from nextlabel_connectors.label_studio.label_config import LabelConfig, parse_label_config
from nextlabel_connectors.label_studio.payloads import read_labels
from written import write_answer, write_result

Value = dict[str, object]
LABELS = '<Label value="A"/><Label value="B"/>'


def config(control: str, shown: str) -> LabelConfig:
    found = parse_label_config(f'<View><{control} name="it" toName="o">{LABELS}</{control}>{shown}</View>')
    assert not found.schema.held
    return found


PAGE = config("HyperTextLabels", '<HyperText name="o" value="$html"/>')
LABELED_PAGE = config("Labels", '<HyperText name="o" value="$html"/>')
TALK = config("ParagraphLabels", '<Paragraphs name="o" value="$talk" nameKey="who" textKey="what" layout="dialogue"/>')
PLAIN_TALK = config("ParagraphLabels", '<Paragraphs name="o" value="$talk"/>')
TIMED_TALK = config("ParagraphLabels", '<Paragraphs name="o" value="$talk" contextScroll="true" audioUrl="$a"/>')

HTML = """<!DOCTYPE html>
<html><head><title>T</title><style>p{color:black} .up{text-transform:uppercase}</style></head>
<body>
 <h1>Big &amp; "small"</h1>
<!-- note --><p>Hello <b>Bob</b>&nbsp;Smith<br>line 2 😀 end <i>x</i> y</p>
<script>var a=1;</script>
<table><tr><td>c1</td><td>c2 q</td></tr></table>
tail <!-- c --> more <span class="up">upper</span><span style="display:none">hidden</span>last
<pre>
 pre  two
</pre><noscript>nos</noscript><textarea>area</textarea>zz</body></html>"""
TURNS: list[object] = [
    {"who": "Ann", "what": "Hello 😀 Bob & <b>x</b>, fine."},
    {"who": "Bob", "what": "Line one\nline  two\r\nthree"},
    {"who": "Ann", "what": "Last one é"},
]
ODD_TURNS: list[object] = [
    {"author": "Ann", "text": "  lead"},
    {"author": "Bob", "text": ""},
    {"author": "Bob", "text": 12345},
    {"author": "Bob"},
    {"author": "Bob", "text": None},
    {"author": "Cat", "text": True},
    {"author": "Cat", "text": "end."},
]
TIMED_TURNS: list[object] = [
    {"author": "A", "text": "zero", "start": 0, "end": 1.5},
    {"author": "B", "text": "three", "start": 3, "duration": 3},
    {"author": "C", "text": "one", "start": 1.5, "end": 2},
    {"author": "C", "text": "nostart"},
]


def on_page(start: str, first: int, end: str, last: int, counted: tuple[int, int], text: str) -> Value:
    offsets = {"start": start, "startOffset": first, "end": end, "endOffset": last}
    return {**offsets, "globalOffsets": {"start": counted[0], "end": counted[1]}, "text": text}


def in_turns(start: str, first: int, end: str, last: int, text: str) -> Value:
    return {"start": start, "end": end, "startOffset": first, "endOffset": last, "text": text}


CELL = "/table[1]/tbody[1]/tr[1]/td[1]/text()[1]"
TIMES = "\n00:00:00 - 00:00:00\n"
PAGE_REGIONS = [
    ('Big & "small', on_page("/h1[1]/text()[1]", 0, "/h1[1]/text()[1]", 12, (2, 14), 'Big & "small')),
    ("Bob\xa0Smith", on_page("/p[1]/b[1]/text()[1]", 0, "/p[1]/text()[2]", 6, (22, 31), "Bob Smith")),
    ("Smith\nline", on_page("/p[1]/text()[2]", 1, "/p[1]/text()[3]", 4, (26, 36), "Smith\\nline")),
    ("😀", on_page("/p[1]/text()[3]", 7, "/p[1]/text()[3]", 9, (39, 40), "😀")),
    ("end", on_page("/p[1]/text()[3]", 10, "/p[1]/text()[3]", 13, (41, 44), "end")),
    ("c1\nc2", on_page(CELL, 0, CELL.replace("td[1]", "td[2]"), 2, (50, 54), "c1\tc2")),
    ("more upper", on_page("/text()[4]", 7, "/span[1]/text()[1]", 5, (63, 73), "more UPPER")),
    ("upperhiddenlast", on_page("/span[1]/text()[1]", 0, "/text()[5]", 4, (68, 83), "UPPERlast")),
    ("pre  two", on_page("/pre[1]/text()[1]", 1, "/pre[1]/text()[1]", 9, (85, 93), "pre  two")),
    ("zz", on_page("/text()[6]", 0, "/text()[6]", 2, (101, 103), "zz")),
]
TALK_REGIONS = [
    ("Bob &", in_turns("0", 9, "0", 14, "Bob &")),
    ("😀", in_turns("0", 6, "0", 8, "😀")),
    ("Line one\nline  two", in_turns("1", 0, "1", 18, "Line one line two")),
    ("three", in_turns("1", 20, "1", 25, "three")),
    (
        "x</b>, fine.\nLine one\nline  two\r\nthree\nLast",
        in_turns("0", 18, "2", 4, f"x</b>, fine.{TIMES}Line one line two three{TIMES}Last"),
    ),
]
ODD_REGIONS = [
    ("lead", in_turns("0", 2, "0", 6, "lead")),
    ("34", in_turns("2", 2, "2", 4, "34")),
    ("end", in_turns("6", 0, "6", 3, "end")),
]
TIMED_REGIONS = [
    (word, in_turns(str(n), 0, str(n), len(word), word)) for n, word in enumerate(("one", "three", "zero", "nostart"))
]
RECORDED = [
    *((PAGE, {"html": HTML}, "hypertextlabels", *one) for one in PAGE_REGIONS),
    (
        LABELED_PAGE,
        {"html": "<p>some <b>words</b> here</p>"},
        "labels",
        "words here",
        on_page("/p[1]/b[1]/text()[1]", 0, "/p[1]/text()[2]", 5, (5, 15), "words here"),
    ),
    *((TALK, {"talk": TURNS}, "paragraphlabels", *one) for one in TALK_REGIONS),
    *((PLAIN_TALK, {"talk": ODD_TURNS}, "paragraphlabels", *one) for one in ODD_REGIONS),
    *((TIMED_TALK, {"talk": TIMED_TURNS}, "paragraphlabels", *one) for one in TIMED_REGIONS),
]


def text_of(found: LabelConfig, data: Mapping[str, object]) -> str:
    text = text_for_spans(data, found.schema.targets[0].inputs[0])
    assert text is not None
    return text


def items(kind: str, *values: Value) -> list[dict[str, object]]:
    return [{"from_name": "it", "to_name": "o", "type": kind, "value": {**one, kind: ["A"]}} for one in values]


def predicted(*spans: Span) -> Prediction:
    return Prediction(TaskId("1"), QueueVersion("1"), (Guess("it", spans, 0.9),), 0.1, 0.2)


@pytest.mark.parametrize(("found", "data", "kind", "marked", "value"), RECORDED)
def test_what_the_editor_wrote_is_the_span_that_was_marked_and_the_span_is_written_as_the_editor_does(
    found: LabelConfig, data: dict[str, object], kind: str, marked: str, value: Value
) -> None:
    start = text_of(found, data).index(marked)
    span = Span(start, start + len(marked), "A")
    assert read_labels(items(kind, value), found, data) == {"it": (span,)}
    (written,) = write_result(predicted(span), found, data)
    assert written["type"] == kind
    assert written["value"] == {key: one for key, one in value.items() if key != "text"} | {kind: ["A"]}


@pytest.mark.parametrize(
    ("turn", "place", "marked", "recounted"),
    [
        ("Line one\nline  two\r\nthree", (15, 25), "two\r\nthree", "wo three"),
        ("  a   few   words here", (12, 17), "words", "here"),
        ("a few words", (2, 5), "few", "ew w"),
    ],
)
def test_the_text_that_the_editor_counts_anew_where_spaces_are_not_shown_is_no_sign_of_other_data(
    turn: str, place: tuple[int, int], marked: str, recounted: str
) -> None:
    data = {"talk": [{"author": "A", "text": "before  it"}, {"author": "B", "text": turn}]}
    value = in_turns("1", place[0], "1", place[1], recounted)
    start = text_of(PLAIN_TALK, data).index(turn) + place[0]
    has_spare = "  " in turn
    read = {"it": (Span(start, start + len(marked), "A"),)} if has_spare else {}
    assert read_labels(items("paragraphlabels", value), PLAIN_TALK, data) == read


def test_where_only_paths_are_given_they_count() -> None:
    value = {key: one for key, one in PAGE_REGIONS[1][1].items() if key != "globalOffsets"}
    start = text_of(PAGE, {"html": HTML}).index("Bob")
    assert read_labels(items("hypertextlabels", value), PAGE, {"html": HTML}) == {"it": (Span(start, start + 9, "A"),)}


@pytest.mark.parametrize(
    ("found", "kind", "data", "value"),
    [
        *(
            (TALK, "paragraphlabels", {"talk": TURNS}, in_turns(*place, text))
            for place, text in (
                (("0", 7, "0", 12), "half an emoji"),
                (("0", 9, "0", 9), ""),
                (("0", 14, "0", 9), "Bob &"),
                (("3", 0, "3", 2), "no"),
                (("2", 0, "2", 11), "Last one é!"),
                (("-1", 0, "0", 2), "He"),
                (("one", 0, "0", 2), "He"),
                (("0", 9, "0", 14), "Alice, not Bob"),
            )
        ),
        (TALK, "paragraphlabels", {"talk": TURNS[:0]}, TALK_REGIONS[0][1]),
        (TALK, "paragraphlabels", {"talk": ["a", "b"]}, TALK_REGIONS[0][1]),
        (TALK, "paragraphlabels", {"talk": "a text"}, TALK_REGIONS[0][1]),
        (TALK, "paragraphlabels", {}, TALK_REGIONS[0][1]),
        (TIMED_TALK, "paragraphlabels", {"talk": [{"text": "x", "start": "1"}]}, in_turns("0", 0, "0", 1, "x")),
        *(
            (
                PAGE,
                "hypertextlabels",
                {"html": HTML},
                on_page("/h1[1]/text()[1]", 0, "/h1[1]/text()[1]", 9, place, "no"),
            )
            for place in ((14, 2), (2, 2), (104, 105), (95, 99), (31, 32), (-1, 3))
        ),
        (PAGE, "hypertextlabels", {"html": HTML}, {"globalOffsets": {"start": 2}}),
        (PAGE, "hypertextlabels", {"html": HTML}, {"start": "/h2[1]", "startOffset": 0, "end": "/h2[1]"}),
        (PAGE, "hypertextlabels", {"html": HTML}, {"start": 2, "end": 14}),
        (PAGE, "hypertextlabels", {"html": HTML.replace("Bob", "Alice")}, PAGE_REGIONS[4][1]),
        (PAGE, "hypertextlabels", {"html": "<template>" + HTML}, PAGE_REGIONS[0][1]),
        (PAGE, "hypertextlabels", {"html": None}, PAGE_REGIONS[0][1]),
    ],
)
def test_a_region_that_does_not_fit_the_task_says_nothing(
    found: LabelConfig, kind: str, data: dict[str, object], value: Value
) -> None:
    assert read_labels(items(kind, value), found, data) == {}
    assert read_labels([], found, data) == {"it": ()}


def test_of_a_task_that_holds_something_else_by_now_nothing_is_shown() -> None:
    assert write_result(predicted(Span(0, 3, "A")), TALK, {"talk": "a text"}) == []
    assert write_result(predicted(Span(900, 903, "A")), PAGE, {"html": HTML}) == []
    assert write_answer(predicted(Span(0, 3, "A")), PAGE, QueueVersion("1"))["result"] == []


TEXTS = st.text(st.sampled_from("ab 😀\n\r\u0301é<&;"), max_size=12)
MARKUP = "<p> </p> <b> </b> <br> <td> <table> </table> <!--x--> &nbsp; &lt; <li> <style>x</style>"
TAGS = st.sampled_from(MARKUP.split())
PAGES = st.lists(TEXTS | TAGS, max_size=12).map(lambda parts: {"html": "".join(parts)})
TALKS = st.lists(TEXTS, min_size=1, max_size=5).map(lambda turns: {"talk": [{"text": turn} for turn in turns]})


@given(st.tuples(st.just(PAGE), PAGES) | st.tuples(st.just(PLAIN_TALK), TALKS), st.data())
def test_any_span_of_what_is_shown_is_read_back_as_it_was_written(
    case: tuple[LabelConfig, dict[str, object]], draw: st.DataObject
) -> None:
    found, data = case
    text = text_for_spans(data, found.schema.targets[0].inputs[0]) or ""
    seen = [at for at, one in enumerate(text) if not one.isspace()]
    if not seen:
        return
    first, last = sorted((draw.draw(st.sampled_from(seen)), draw.draw(st.sampled_from(seen))))
    spans = (Span(first, last + 1, "B"),)
    written = write_result(predicted(*spans), found, data)
    assert len(written) == 1
    assert read_labels(written, found, data) == {"it": spans}


def test_a_region_in_each_of_a_hundred_thousand_turns_is_read_and_written() -> None:
    data = {"talk": [{"text": f"turn 😀 {n}"} for n in range(100_000)]}
    regions = [in_turns(str(n), 5, str(n), 7, "😀") for n in range(0, 100_000, 10)]
    label = cast("tuple[Span, ...]", read_labels(items("paragraphlabels", *regions), PLAIN_TALK, data)["it"])
    assert len(label) == len(regions)
    written = write_result(predicted(*label), PLAIN_TALK, data)
    assert [cast(Value, one["value"])["start"] for one in written] == [one["start"] for one in regions]
