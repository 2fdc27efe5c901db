"""A page in HTML as Label Studio's editor shows it: its texts in order, and where each of them stands.

The editor first takes scripts, frames and comments out of the page, and closes what is open (sanitize-html), then a
browser reads what is left. Both is done here. Attributes are left out meanwhile: nothing that is asked here depends on
them, and without them the parser of a browser cannot be made to multiply what it is given.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from html import escape, unescape
from typing import TYPE_CHECKING, NamedTuple

from nextlabel.features.markup import WITHIN_A_LINE
from nextlabel.features.passages import Passage
from nextlabel.labeling import Input

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_MOST_CHARACTERS, _MOST_TAGS = 5_000_000, 50_000  # of a page
_DEEPEST = 400  # elements within one another: browsers end at 512
_KEPT = 4  # pages: each control on a page, and each annotation of it, asks for its page

_SPACE = r"[ \t\n\f\r]"
_VALUE = r"""(?:"[^"]*"|'[^']*'|(?!["'])[^ \t\n\f\r>]*+)"""
_ATTRIBUTE = rf"[ \t\n\f\r/]*+[^ \t\n\f\r/>][^ \t\n\f\r/>=]*+(?:{_SPACE}*+={_SPACE}*+{_VALUE})?"
_OPENING = re.compile(rf"<([a-zA-Z][^ \t\n\f\r/>]*+)((?:{_ATTRIBUTE})*+)([ \t\n\f\r/]*+)>")
_CLOSING = re.compile(rf"</{_SPACE}*+(?:([a-zA-Z][^ \t\n\f\r>]*+)[^>]*+|[^>]*+)>")
_NOTHING = re.compile(rf"</{_SPACE}*+>")  # stays as it is
_PASSED_OVER = re.compile(r"<!--(?:-?>|.*?-->)|<!\[CDATA\[.*?\]\]>|<!(?!--|\[CDATA\[)[^>]*+>|<\?[^>]*+>", re.DOTALL)
_RAW_ENDS = {name: re.compile(rf"</{name}(?=[ \t\n\f\r>])", re.IGNORECASE) for name in ("script", "style", "title")}


def _names(written: str) -> frozenset[str]:
    return frozenset(written.split())


_P = _names("p")
_OF_FORMS = _names("input option optgroup select button datalist textarea")
_BLOCKS = _names(
    "h1 h2 h3 h4 h5 h6 address article aside blockquote details div dl fieldset figcaption figure footer form header"
    " hr main nav ol p pre section table ul"
)
# A tag → the ones that it closes where they were opened last.
_CLOSES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_BLOCKS, _P),
    **dict.fromkeys(_names("select input output button datalist textarea"), _OF_FORMS),
    **dict.fromkeys(("dd", "dt"), _names("dd dt")),
    **dict.fromkeys(("rt", "rp"), _names("rt rp")),
    **dict.fromkeys(("tbody", "tfoot"), _names("thead tbody")),
    "tr": _names("tr th td"),
    "th": _names("th"),
    "td": _names("thead th td"),
    "body": _names("head link script"),
    "li": _names("li"),
    "option": _names("option"),
    "optgroup": _names("optgroup option"),
}
_VOID = _names(
    "area base basefont br col command embed frame hr img input isindex keygen link meta param source track wbr"
)
_FOREIGN = _names("math svg")
_BACK_IN_HTML = _names("mi mo mn ms mtext annotation-xml foreignobject desc title")
_TAKEN_OUT = _names("script iframe")
# How browsers read what is in these depends on more than is known here.
_UNKNOWN = _names("frameset noembed noframes plaintext template xmp")
_TEXT_ONLY = _names("noscript textarea")
_IN_SELECT = _names("hr optgroup option")
# Their texts are counted, but nobody sees them, or can mark them.
_UNSEEN = _names("noscript optgroup option script select style textarea title")


class Step(NamedTuple):
    """One element or text on the way to a text: which step leads to it, and its name and number among its like."""

    parent: int
    name: str


@dataclass(frozen=True)
class Page:
    """The texts of a page that can be seen: pieces of a passage.

    The editor counts the characters of all texts, seen or not, and one for each line break: ``counted`` is how many
    stand before each piece. ``steps`` lead to it, those of each piece starting at ``ways``.
    """

    passage: Passage
    counted: Sequence[int]
    ways: Sequence[int]
    steps: Sequence[Step]

    def path(self, piece: int) -> str:
        """The XPath of a text, from the page's body."""
        names: list[str] = []
        step = self.ways[piece]
        while step >= 0:
            names.append(self.steps[step].name)
            step = self.steps[step].parent
        return "/" + "/".join(reversed(names))

    def count(self, at: int, *, is_end: bool) -> int | None:
        """What the editor calls a character of the passage; None between two pieces."""
        place = self.passage.place(at, is_end=is_end)
        return None if place is None else self.counted[place.piece] + at - self.passage.starts[place.piece]

    def position(self, counted: int, *, is_end: bool) -> int | None:
        """The inverse of `count`; None where no text that can be seen stands there."""
        row = (bisect_left(self.counted, counted) if is_end else bisect_right(self.counted, counted)) - 1
        if row < 0:
            return None
        at = counted - self.counted[row] + self.passage.starts[row]
        return at if at < self.passage.ends[row] or (is_end and at == self.passage.ends[row]) else None

    def piece(self, path: str) -> int | None:
        """Which text an XPath leads to; None where it leads to none that can be seen."""
        return self._pieces.get(self._step(path))

    def _step(self, path: str) -> int:
        step = -1
        for name in path.removeprefix("/").split("/")[: _DEEPEST + 2]:
            step = self._known.get((step, name), -2)
        return step

    @cached_property
    def _known(self) -> Mapping[tuple[int, str], int]:
        return {tuple(step): number for number, step in enumerate(self.steps)}  # type: ignore[misc]

    @cached_property
    def _pieces(self) -> Mapping[int, int]:
        return {step: piece for piece, step in enumerate(self.ways)}


def page_of(value: object, shown: Input) -> Page | None:
    """None for what is no page, is too large, or is read by browsers in ways that are not known here."""
    if not isinstance(value, str) or len(value) > _MOST_CHARACTERS or value.count("<") > _MOST_TAGS or "\0" in value:
        return None
    return _read(value, shown.layout == "inline page")


@lru_cache(_KEPT)
def _read(text: str, inline: bool) -> Page | None:
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - only where there are pages

    try:
        regular = "".join(_Regular(text).parts).encode()
        if inline:
            parser = LexborHTMLParser(regular, is_fragment=True, scripting=True)
        else:
            parser = LexborHTMLParser(b"<!DOCTYPE html>" + regular, scripting=True)
    except (_UnlikeAnyBrowserError, UnicodeEncodeError):
        return None
    return _Texts(parser.root if inline else parser.body.child if parser.body else None).page()


class _UnlikeAnyBrowserError(ValueError):
    """What a browser makes of the page is not known here."""


class _Regular:
    """A page as the editor hands it to the browser, without attributes, in ``parts``.

    Raises `_UnlikeAnyBrowserError`.
    """

    def __init__(self, text: str) -> None:
        self.parts: list[str] = []
        self._open: list[str] = []
        self._foreign: list[bool] = []
        self._out: list[tuple[str, int]] = []  # elements that are taken out, and before which part they start
        for is_tag, part in _tokens(text):
            if not is_tag:
                self._text(part)
            elif closing := _CLOSING.fullmatch(part):
                self._close(closing[1])
            elif opening := _OPENING.fullmatch(part):
                self._begin(opening[1].lower(), opening[2], closed="/" in opening[3])
        while self._open:
            self._end()

    def _text(self, text: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside == "style":
            self.parts.append(text)
            return
        stated = unescape(text) if inside != "script" else text
        if inside == "noscript" and "head" not in self._open and set(stated) & set("<>&"):
            raise _UnlikeAnyBrowserError
        self.parts.append(escape(stated, quote=False))

    def _begin(self, name: str, attributes: str, *, closed: bool) -> None:
        while self._open and self._open[-1] in _CLOSES.get(name, ()):
            self._end()
        self._check(name)
        if name in _TAKEN_OUT and not (name == "iframe" and "youtu" in attributes):
            self._out.append((name, len(self.parts)))
        self.parts.append(f"<{name}>")
        if name in _VOID:
            return
        self._open.append(name)
        if name in _FOREIGN or name in _BACK_IN_HTML:
            self._foreign.append(name in _FOREIGN)
        if closed and self._foreign and self._foreign[-1]:
            self._end()

    def _check(self, name: str) -> None:
        around = self._open[-1] if self._open else ""
        in_select = "select" in self._open and name not in _IN_SELECT
        in_text = around in _TEXT_ONLY and "head" not in self._open
        if name in _UNKNOWN or in_select or in_text or len(self._open) >= _DEEPEST:
            raise _UnlikeAnyBrowserError

    def _close(self, written: str | None) -> None:
        name = (written or "").lower()
        if self._foreign and (name in _FOREIGN or name in _BACK_IN_HTML):
            self._foreign.pop()
        if name == "br":
            self.parts.append("<br>")
        elif name in self._open:
            while self._end() != name:
                pass
        elif name == "p":
            self._begin("p", "", closed=False)
            self._end()

    def _end(self) -> str:
        name = self._open.pop()
        self.parts.append(f"</{name}>")
        if self._out and self._out[-1][0] == name:
            del self.parts[self._out.pop()[1] :]
        return name


def _tokens(text: str) -> Iterator[tuple[bool, str]]:
    """The tags of a page, and the texts between them, in order."""
    at, last = 0, 0
    while (at := text.find("<", at)) >= 0:
        found = _token_at(text, at)
        if found is None:  # no tag at all
            at += 1
            continue
        end, kept = found
        if last < at:
            yield False, text[last:at]
        tag = text[at:end]
        if kept:
            yield True, tag
        opening = _OPENING.fullmatch(tag) if kept else None
        if opening and "/" not in opening[3] and (raw := _RAW_ENDS.get(opening[1].lower())):
            closing = raw.search(text, end)
            start, end = end, closing.start() if closing else len(text)
            if start < end:
                yield False, text[start:end]
        at = last = end
    if last < len(text):
        yield False, text[last:]


def _token_at(text: str, at: int) -> tuple[int, bool] | None:
    """Where the tag, comment or the like ends that starts here, and whether it is a tag; None where it is a text."""
    follows = text[at + 1 : at + 2]
    if follows in ("!", "?"):
        found, kept = _PASSED_OVER.match(text, at), False
    elif follows == "/":
        found, kept = _CLOSING.match(text, at), True
    elif follows.isascii() and follows.isalpha():
        found, kept = _OPENING.match(text, at), True
    else:
        return None
    if follows == "/" and _NOTHING.match(text, at):
        return None
    return (found.end(), kept) if found else (len(text), False)  # what never ends is left out


class _Texts:
    """Gathers the texts of a node, its siblings and all below them, in order."""

    def __init__(self, first: LexborNode | None) -> None:
        self._steps: list[Step] = []
        self._pieces: list[tuple[str, str]] = []
        self._counted: list[int] = []
        self._ways: list[int] = []
        self._before, self._count = "", 0
        self._walk(first)

    def page(self) -> Page:
        return Page(Passage.of(self._pieces), self._counted, self._ways, self._steps)

    def _walk(self, first: LexborNode | None) -> None:
        """Without recursion, as elements may stand deep within one another."""
        waiting: list[_Inside] = [_Inside(first, -1, {}, seen=True, breaks=False)]
        while waiting:
            inside = waiting[-1]
            node = inside.next
            if node is None:
                waiting.pop()
                self._break_line(inside.breaks)
                continue
            inside.next = node.next
            name = node.tag or ""
            if name == "-text":
                self._text(node.text_content or "", inside)
            elif name == "br":
                self._count += 1
                self._before = "\n"
            elif not name.startswith(("-", "!")):
                breaks = not WITHIN_A_LINE.fullmatch(name)
                self._break_line(breaks)
                step = self._step(inside, name.lower())
                waiting.append(_Inside(node.child, step, {}, seen=inside.seen and name not in _UNSEEN, breaks=breaks))

    def _break_line(self, breaks: bool) -> None:
        if breaks:
            self._before = "\n"

    def _step(self, inside: _Inside, name: str) -> int:
        number = inside.numbers[name] = inside.numbers.get(name, 0) + 1
        self._steps.append(Step(inside.step, f"{name}[{number}]"))
        return len(self._steps) - 1

    def _text(self, text: str, inside: _Inside) -> None:
        step = self._step(inside, "text()")
        if inside.seen and text:
            self._pieces.append((self._before if self._pieces else "", text))
            self._counted.append(self._count)
            self._ways.append(step)
            self._before = ""
        self._count += len(text)


@dataclass(slots=True)
class _Inside:
    """What is left to read of an element: how many of each name it had so far, and whether it is seen."""

    next: LexborNode | None
    step: int
    numbers: dict[str, int]
    seen: bool
    breaks: bool
