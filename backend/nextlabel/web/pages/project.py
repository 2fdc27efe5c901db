"""One project: its figures, the curve of its versions, what needs somebody's attention, the last rounds."""

from __future__ import annotations

from werkzeug.wrappers import Response as AnyResponse

from nextlabel.web.pages.chart import charts
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import ReadProject, Site


def add(site: Site, read: ReadProject) -> None:
    def project(project: str) -> AnyResponse:
        found = read(project)
        return show("project.html", project=found, charts=lambda: charts(found["versions"]))

    site.get("/projects/<project>", "viewer", project)
