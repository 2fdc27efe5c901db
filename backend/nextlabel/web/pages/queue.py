"""The tasks that annotators get next."""

from __future__ import annotations

from werkzeug.wrappers import Response as AnyResponse

from nextlabel.labeling import ProjectId
from nextlabel.service.overview import Overview
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import Site


def add(site: Site, overview: Overview) -> None:
    recent_project = site.recent(overview.project, overview.mark)
    recent_queue = site.recent(lambda project: overview.queue(ProjectId(project)), overview.mark)

    def queue(project: str) -> AnyResponse:
        found = recent_project(project)
        return show("queue.html", project=found, queue=recent_queue(found["project"]))

    site.get("/projects/<project>/queue", "viewer", queue)
