"""Labels that are likely wrong; an admin has a tab of the tool hold their tasks."""

from __future__ import annotations

from flask import g, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from nextlabel.labeling import ProjectId
from nextlabel.service.overview import Overview
from nextlabel.service.suspects import Suspects
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import ReadProject, Site

_MOST_SHOWN = 100


def add(site: Site, read: ReadProject, overview: Overview, suspecting: Suspects) -> None:
    recent = site.recent(lambda project: suspecting.shown(ProjectId(project)), overview.mark)

    def suspects(project: str) -> AnyResponse:
        found = read(project)
        known = recent(found["project"])
        hidden = known["blind"] and not g.session.is_admin
        suspected, most = [] if hidden else known["suspects"], None if "all" in request.args else _MOST_SHOWN
        more = len(suspected) - len(suspected[:most])
        several = len({one["target"] for one in suspected}) > 1
        return show(
            "suspects.html",
            project=found,
            known=known,
            rows=lambda: suspected[:most],
            more=more,
            several=several,
            hidden=hidden,
        )

    def make_tab(project: str) -> AnyResponse:
        came_of_it = suspecting.ask_tab(ProjectId(project), g.session.role)
        return site.go(url_for("pages.suspects", project=project), came_of_it)

    site.get("/projects/<project>/suspects", "viewer", suspects)
    site.post("/projects/<project>/suspects/tab", "admin", make_tab)
