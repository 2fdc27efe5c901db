"""One project: its figures, the curve of its versions, what needs somebody's attention, the last rounds."""

from __future__ import annotations

from werkzeug.wrappers import Response as AnyResponse

from nextlabel.service.overview import Overview
from nextlabel.web.pages.chart import charts
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import Site


def add(site: Site, overview: Overview) -> None:
    recent = site.recent(overview.project, overview.mark)

    def project(project: str) -> AnyResponse:
        found = recent(project)
        return show("project.html", project=found, charts=charts(found["versions"]))

    site.get("/projects/<project>", "viewer", project)
