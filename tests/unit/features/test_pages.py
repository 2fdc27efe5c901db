"""Pages as Label Studio's editor shows them: each case was read in Chromium, behind the editor's own sanitizer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.features.pages import Page, page_of
from nextlabel.labeling import Input

PAGE, INLINE = Input("page", layout="page"), Input("page", layout="inline page")

Text = tuple[str, int, str]


def texts(page: Page | None) -> list[Text]:
    """Each text that can be seen: its XPath, how many characters are counted before it, and itself."""
    assert page is not None
    passage = page.passage
    return [
        (page.path(n), counted, passage.text[passage.starts[n] : passage.ends[n]])
        for n, counted in enumerate(page.counted)
    ]


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("plain & &lt;simple&gt;", [("/text()[1]", 0, "plain & <simple>")]),
        ("<p>a<b>b</b>c", [("/p[1]/text()[1]", 0, "a"), ("/p[1]/b[1]/text()[1]", 1, "b"), ("/p[1]/text()[2]", 2, "c")]),
        ("a<br>b<br/>c", [("/text()[1]", 0, "a"), ("/text()[2]", 2, "b"), ("/text()[3]", 4, "c")]),
        ("a<!-- no -->b<script>var no;</script>c", [("/text()[1]", 0, "abc")]),
        ("<p>😀</p>\r\n<p>x", [("/p[1]/text()[1]", 0, "😀"), ("/text()[1]", 1, "\n"), ("/p[2]/text()[1]", 2, "x")]),
        ("<style>no</style>x", [("/text()[1]", 0, "x")]),
        ("x<style>no</style>y", [("/text()[1]", 0, "x"), ("/text()[2]", 3, "y")]),
        ("\n <table><tr><td>c</table>", [("/table[1]/tbody[1]/tr[1]/td[1]/text()[1]", 0, "c")]),
        ("<p>a<table></table>", [("/p[1]/text()[1]", 0, "a")]),
        ("<pre>\n\nx</pre>", [("/pre[1]/text()[1]", 0, "\nx")]),
        ("a < b <3 </> <x@y>z", [("/text()[1]", 0, "a < b <3 </> "), ("/x@y[1]/text()[1]", 13, "z")]),
        (
            "<title>t</title><body>x<svg><path/><text>y</svg>z",
            [("/text()[1]", 0, "x"), ("/svg[1]/text[1]/text()[1]", 1, "y"), ("/text()[2]", 2, "z")],
        ),
        ("<b><i>x</b>y</i>", [("/b[1]/i[1]/text()[1]", 0, "x"), ("/text()[1]", 1, "y")]),
        ("x</p>y<noscript>no</noscript>z", [("/text()[1]", 0, "x"), ("/text()[2]", 1, "y"), ("/text()[3]", 4, "z")]),
    ],
)
def test_the_texts_of_a_page_are_those_of_the_editor(html: str, shown: list[Text]) -> None:
    assert texts(page_of(html, PAGE)) == shown


def test_within_the_tools_own_page_spaces_before_everything_count() -> None:
    assert texts(page_of("\n <p>a", INLINE)) == [("/text()[1]", 0, "\n "), ("/p[1]/text()[1]", 2, "a")]


def test_a_tagger_sees_lines_where_elements_break_them_and_whole_words_where_they_do_not() -> None:
    page = page_of("<tr><td>one</td><td>two</td></tr><p>th<b>re</b>e<br>four</p>", PAGE)
    assert page is not None
    assert page.passage.text.split() == ["onetwo", "three", "four"]
    table = page_of("<table><tr><td>one</td><td>two</td></tr></table>", PAGE)
    assert table is not None
    assert table.passage.text == "one\ntwo"


@pytest.mark.parametrize(
    "html",
    [
        None,
        3,
        ["<p>"],
        "<b>" * 401,
        "<p>x" * 50_001,
        "x" * 5_000_001,
        "half a pair \ud83d",
        "nothing \0 at all",
        "<template>x</template>",
        "<noscript><img src=x></noscript>",
        "<select><p>x</select>",
    ],
    ids=range(11),
)
def test_what_browsers_may_read_otherwise_or_is_too_much_is_not_read(html: object) -> None:
    assert page_of(html, PAGE) is None


def test_a_page_of_megabytes_is_read() -> None:
    page = page_of("<div>\n" + "<p title='<b>'>some words &amp; <i>more</i></p>\n" * 8_000 + "x" * 2_000_000, PAGE)
    assert page is not None
    assert page.path(len(page.counted) - 1).startswith("/div[1]/text()[")


MARKUP = (
    "<p> </p> <b> </b> <br> <table> </table> <tr> <td> <script> </script> <style> </style> <li> <svg> <path/> <!-- -->"
    " </> <a title='>'> <div <select> <option> <title> <noscript> <a@b> <![CDATA[ ]]> <?x <textarea>"
)
TAGS = st.sampled_from(MARKUP.split())
PAGES = st.lists(TAGS | st.text(max_size=5) | st.sampled_from(["&amp;", "&#13;", "\r\n", "😀"])).map("".join)


@given(PAGES, st.booleans())
def test_every_character_that_is_seen_is_found_again_by_its_count_and_by_its_path(html: str, inline: bool) -> None:
    page = page_of(html, INLINE if inline else PAGE)
    if page is None:
        return
    passage = page.passage
    for piece, (start, end) in enumerate(zip(passage.starts, passage.ends, strict=True)):
        assert page.piece(page.path(piece)) == piece
        for at in range(start, end + 1):
            for is_end in {at == end, at > start}:
                counted, place = page.count(at, is_end=is_end), passage.place(at, is_end=is_end)
                assert counted is not None
                assert place is not None
                assert page.position(counted, is_end=is_end) == at
                assert passage.position(place) == at
