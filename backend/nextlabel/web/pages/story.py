"""A project's story as one file of HTML, which loads nothing and runs nothing: `nextlabel report`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nextlabel.web.pages.chart import charts
from nextlabel.web.pages.rendering import rendered

_STYLE = Path(__file__).parent / "static" / "pages.css"


def html(story: Mapping[str, Any]) -> str:
    """The page, from `service.story`."""
    style = Markup(_STYLE.read_text(encoding="utf-8"))  # noqa: S704 - our own file
    return rendered("story.html", story=story, charts=charts(story["project"]["versions"]), style=style)
