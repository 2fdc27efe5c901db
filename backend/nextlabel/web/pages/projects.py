"""All projects, a row each."""

from __future__ import annotations

from werkzeug.wrappers import Response as AnyResponse

from nextlabel.service.overview import Overview
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import Site


def add(site: Site, overview: Overview) -> None:
    recent = site.recent(lambda _: list(overview.projects()), overview.mark)

    def projects() -> AnyResponse:
        return show("projects.html", projects=recent(None))

    site.get("/projects", "viewer", projects)
