"""Of a text with markup what a reader sees of it: no tags, comments, scripts, styles or files written out in it.

What only resembles markup stays as it is: *a < b*, *<3*, *<address>* where a name was blacked out, *List<String>*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import islice

_READ = 1_000_000  # characters of a page, once files written out in it are gone
_STEP = 50_000  # characters parsed before it is asked whether that is enough
_DEEPEST = 2_000  # elements within one another: closing one takes the longer the more are open
_TAGS = 1_000  # looked at before a text is taken for one without markup

_FILE = re.compile(r"(=?)\bdata:[a-z]+/[\w.+-]+(?:;[\w.+-]+(?:=[\w.+-]*)?){0,9},[^\s\"'<>()]*")
_TAG = re.compile(
    r"""<(/?)([a-z][a-z0-9]*)((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>=]+)){0,99})\s*/?>""", re.IGNORECASE
)
_UNPAIRED = frozenset(("html", "body", "br", "hr", "p", "li"))  # commonly written without an end, or without a start
_HIDDEN = frozenset(("script", "style"))
# All others begin a new line.
WITHIN_A_LINE = re.compile(
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|data|del|dfn|em|font|i|ins|kbd|mark|nobr|q|rp|rt|ruby|s|samp|small|span|strike"
    "|strong|sub|sup|time|tt|u|var|wbr"
)


def is_marked_up(text: str) -> bool:
    """Whether `content_of` is anything but the text itself."""
    return ("<" in text and _has_tags(text)) or ("data:" in text and _FILE.search(text) is not None)


def content_of(text: str) -> str:
    """The text itself, where it holds no markup."""
    if "data:" in text:
        text = _FILE.sub(lambda found: '=""' if found[1] else " ", text)
    return _shown(text[:_READ]) if "<" in text and _has_tags(text) else text


def _has_tags(text: str) -> bool:
    """Whether HTML knows some of its tags, and they have attributes, are paired or commonly stand alone."""
    opened: set[str] = set()
    for found in islice(_TAG.finditer(text, 0, _READ), _TAGS):
        closing, name, attributes = found[1], found[2].lower(), found[3]
        if name in _UNPAIRED or (name in _known_tags() and (attributes or (closing and name in opened))):
            return True
        opened.add(name)
    return False


@lru_cache(maxsize=1)
def _known_tags() -> frozenset[str]:
    from lxml.html import defs  # noqa: PLC0415 - only where there is anything like a tag

    return frozenset(defs.tags)


def _shown(page: str) -> str:
    from lxml import etree  # noqa: PLC0415

    reader = _Reader()
    parser = etree.HTMLParser(target=reader, encoding="utf-8", huge_tree=True)
    page = page.replace("\0", " ")
    with suppress(etree.LxmlError):  # nothing in it at all
        for start in range(0, len(page), _STEP):
            parser.feed(page[start : start + _STEP].encode("utf-8", "replace"))
            if reader.depth > _DEEPEST:
                break
        parser.close()
    return "".join(reader.content)


class _Reader:
    """Gets a page's parts in their order, so that no tree is ever built of it."""

    def __init__(self) -> None:
        self.content: list[str] = []
        self.depth = 0
        self._hidden = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        self._hidden += tag in _HIDDEN
        self._begin_line(tag)

    def end(self, tag: str) -> None:
        self.depth -= 1
        self._hidden -= tag in _HIDDEN
        self._begin_line(tag)

    def data(self, text: str) -> None:
        if not self._hidden:
            self.content.append(text)

    def comment(self, text: str) -> None:
        """Nobody sees it."""

    def close(self) -> None:
        """All that there is has come."""

    def _begin_line(self, tag: str) -> None:
        if not WITHIN_A_LINE.fullmatch(tag):
            self.content.append("\n")
