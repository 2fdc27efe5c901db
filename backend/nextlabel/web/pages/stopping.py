"""Whether labeling may stop, what the next labels bring, what was saved, how much to label at a time."""

from __future__ import annotations

from werkzeug.wrappers import Response as AnyResponse

from nextlabel.service.overview import Overview
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import Site

_MOST_SHOWN = 20


def add(site: Site, overview: Overview) -> None:
    recent = site.recent(overview.project, overview.mark)

    def stopping(project: str) -> AnyResponse:
        found = recent(project)
        return show("stopping.html", project=found, checked=found["stopping"]["checked"][: -_MOST_SHOWN - 1 : -1])

    site.get("/projects/<project>/stopping", "viewer", stopping)
