"""What a reader sees of a text with markup; what only resembles markup keeps every word."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.features.markup import content_of, is_marked_up


@pytest.mark.parametrize(
    ("page", "content"),
    [
        ("<p>One<p>two &amp; <b>th</b>ree &eacute;", "One two & three é"),
        ("<div>one</div>two<br/>three<hr>four", "one two three four"),
        ("<table><tr><td>1<td>2</table>", "1 2"),
        ("V<b><!-- of no use -->i</b>agra", "Viagra"),
        ("<script>if (a<b) { x() }</script>seen<style>p { color: red }</style>", "seen"),
        ("<!DOCTYPE html><html><head><title>T</title></head><body onload='x()'>b", "T b"),
        ('see <a href="https://example.org/?a=1&b=2">this</a>', "see this"),
        ("<p>a < b, x<3 & so on", "a < b, x<3 & so on"),
        ("<IMG SRC=data:image/gif;base64,R0lGOD== ALT=x> here", "here"),
        ("![a cat](data:image/png;base64,AAAA/BB+==) sleeps", "![a cat]( ) sleeps"),
        ("text</p><p>that was cut out", "text that was cut out"),
        ("<p></p><div><br>&nbsp;</div>", ""),
        ("<p>half \ud800 a pair\0", "half ? a pair"),
        ("<script>never closed <p>x", ""),
    ],
)
def test_a_reader_sees_neither_tags_nor_comments_scripts_styles_and_files(page: str, content: str) -> None:
    assert is_marked_up(page)
    assert content_of(page).split() == content.split()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a < b and c > d, or a<b and c>d",
        "i <3 you </3",
        "Mail <address> or call <phone>, says <name>.",
        "Ann <ann@example.org> wrote: <https://example.org>",
        "List<String> all = new Map<Key, Value>();",
        "How do I centre a <div> in a <span>?",
        "<i> stands for itself, <b> too",
        "<think>hm</think> yes",
        "data: 5, more data:all of it, data:text/plain",
        "&amp; <!-- not closed",
        "2 <= 3 => 4 <> 5 << 6 <-- 7",
    ],
)
def test_what_only_resembles_markup_stays_as_it_is(text: str) -> None:
    assert not is_marked_up(text)
    assert content_of(text) == text


pieces = st.sampled_from(
    ["<", ">", "</", "/>", "<p>", "<a href=", "'", '"', "=", "<!--", "-->", "<script>", "</b>", "&", "<br"]
)


@given(st.lists(pieces | st.text(max_size=5)).map("".join))
def test_any_text_has_a_content_and_one_without_markup_is_its_own(text: str) -> None:
    assert content_of(text) == text or is_marked_up(text)


HOSTILE = {
    "open tags": "<div>",
    "brackets": "<",
    "unclosed tags": "<a ",
    "an endless tag": "x='1' ",
    "comments": "<!--",
    "entities": "&a",
    "closing tags": "</i>",
    "misnested": "<b><p></b>",
    "tables": "<table><tr><td>",
    "scripts": "<script>",
    "declarations": "<!",
    "files": "data:a/b;",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("before", ["<br>", "<br><a ", "<br>" + "<b>" * 1_900, ""], ids=["page", "tag", "deep", "text"])
def test_ten_megabytes_meant_to_stall_a_parser_take_a_moment_and_little_memory(name: str, before: str) -> None:
    hostile = before + HOSTILE[name] * (10_000_000 // len(HOSTILE[name]))
    tracemalloc.start()
    began = time.process_time()
    content_of(hostile)
    took = time.process_time() - began
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < 10  # seconds; some parsers need hours
    assert most < 20 * len(hostile)
