"""The tasks that annotators get next, and what the model expected of all open ones."""

from __future__ import annotations

from werkzeug.wrappers import Response as AnyResponse

from nextlabel.labeling import ProjectId
from nextlabel.service.overview import Overview
from nextlabel.web.pages.histogram import histogram
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import ReadProject, Site


def add(site: Site, read: ReadProject, overview: Overview) -> None:
    recent_queue = site.recent(lambda project: overview.queue(ProjectId(project)), overview.mark)

    def queue(project: str) -> AnyResponse:
        found = read(project)
        known = recent_queue(found["project"])
        return show("queue.html", project=found, queue=known, chart=lambda: histogram(known["uncertainty"]))

    site.get("/projects/<project>/queue", "viewer", queue)
