"""Who labeled what, and how far people agree. Names are for admins; viewers see pseudonyms."""

from __future__ import annotations

from flask import g
from werkzeug.wrappers import Response as AnyResponse

from nextlabel.errors import SettingsError
from nextlabel.labeling import ProjectId
from nextlabel.service.annotators import Annotators, AnnotatorsReport
from nextlabel.service.overview import Overview
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import ReadProject, Site


def add(site: Site, read: ReadProject, overview: Overview, people: Annotators) -> None:

    def report(asked: tuple[str, bool]) -> tuple[AnnotatorsReport | None, str]:
        """Or why there is none."""
        project, names = asked
        try:
            return people.report(ProjectId(project), names=names), ""
        except SettingsError as error:
            return None, str(error)

    recent = site.recent(report, lambda asked: overview.mark(asked[0]))

    def annotators(project: str) -> AnyResponse:
        found = read(project)
        known, why_not = recent((found["project"], g.session.is_admin))
        return show("annotators.html", project=found, report=known, why_not=why_not)

    site.get("/projects/<project>/annotators", "viewer", annotators)
