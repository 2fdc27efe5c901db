"""What is wrong, why and what to do, with a button where nextlabel can mend it; and the settings in force. For admins:
messages name addresses and folders."""

from __future__ import annotations

from flask import g, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from nextlabel.labeling import ProjectId
from nextlabel.service.doctor import Doctor
from nextlabel.service.in_force import settings_in_force
from nextlabel.service.overview import Overview
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import Site


def add(site: Site, overview: Overview, examiner: Doctor) -> None:
    def doctor() -> AnyResponse:
        """Tools are asked now, which takes seconds where they do not answer: of one project at a time."""
        projects = [one.project for one in overview.connections.all()]
        only = request.args.get("project") or (projects[0] if len(projects) == 1 else "")
        symptoms = list(examiner.examine(ProjectId(only), in_backend=True) if only else examiner.ours(in_backend=True))
        settings, place = settings_in_force(overview.settings), overview.place()
        return show("doctor.html", symptoms=symptoms, projects=projects, only=only, settings=settings, place=place)

    def mend() -> AnyResponse:
        project = ProjectId(request.form.get("project", ""))
        came_of_it = examiner.ask_mend(project, request.form.get("mend", ""), g.session.role)
        return site.go(url_for("pages.doctor", project=project), came_of_it)

    site.get("/doctor", "admin", doctor)
    site.post("/doctor/mend", "admin", mend)
