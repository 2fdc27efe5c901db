"""Labels that are likely wrong; an admin has a tab of the tool hold their tasks."""

from __future__ import annotations

from flask import g, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from nextlabel.labeling import ProjectId
from nextlabel.service.overview import Overview
from nextlabel.service.suspects import Suspects
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import Site

_MOST_SHOWN = 100


def add(site: Site, overview: Overview, suspecting: Suspects) -> None:
    recent_project = site.recent(overview.project, overview.mark)
    recent = site.recent(lambda project: suspecting.shown(ProjectId(project)), overview.mark)

    def suspects(project: str) -> AnyResponse:
        found = recent_project(project)
        known = recent(found["project"])
        rows = known["suspects"] if "all" in request.args else known["suspects"][:_MOST_SHOWN]
        more = len(known["suspects"]) - len(rows)
        several = len({one["target"] for one in known["suspects"]}) > 1
        return show("suspects.html", project=found, known=known, rows=rows, more=more, several=several)

    def make_tab(project: str) -> AnyResponse:
        came_of_it = suspecting.ask_tab(ProjectId(project), g.session.role)
        return site.go(url_for("pages.suspects", project=project), came_of_it)

    site.get("/projects/<project>/suspects", "viewer", suspects)
    site.post("/projects/<project>/suspects/tab", "admin", make_tab)
