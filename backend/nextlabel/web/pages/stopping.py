"""Whether labeling may stop, what the next labels bring, what was saved, how much to label at a time."""

from __future__ import annotations

from werkzeug.wrappers import Response as AnyResponse

from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import ReadProject, Site

_MOST_SHOWN = 20


def add(site: Site, read: ReadProject) -> None:
    def stopping(project: str) -> AnyResponse:
        found = read(project)
        return show(
            "stopping.html", project=found, checked=lambda: found["stopping"]["checked"][: -_MOST_SHOWN - 1 : -1]
        )

    site.get("/projects/<project>/stopping", "viewer", stopping)
