"""The versions of a project; an admin has one of them serve, or lets new ones serve again."""

from __future__ import annotations

from flask import g, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from nextlabel.labeling import ProjectId
from nextlabel.service.overview import Overview
from nextlabel.service.versions import Asked, Versions
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import ReadProject, Site

_MOST_SHOWN = 100


def add(site: Site, read: ReadProject, overview: Overview, deciding: Versions) -> None:
    compared = site.recent(
        lambda asked: deciding.compare(ProjectId(asked[0]), *asked[1:]), lambda asked: overview.mark(asked[0])
    )

    def versions(project: str) -> AnyResponse:
        found = read(project)
        most = None if "all" in request.args else _MOST_SHOWN
        more = len(found["versions"]) - len(found["versions"][:most])
        return show("versions.html", project=found, versions=lambda: found["versions"][::-1][:most], more=more)

    def compare(project: str) -> AnyResponse:
        """Without two names the newest version and the one in service, or the one before it."""
        found = read(project)
        names = [one["version"] for one in found["versions"]][::-1]
        before = next((one for one in (found["model"], *names) if one and one != names[0]), "") if names else ""
        one, other = request.args.get("one") or before, request.args.get("other") or next(iter(names), "")
        known = compared((found["project"], one, other)) if one and other else None
        return show("compare.html", project=found, names=names, known=known)

    def promote(project: str) -> AnyResponse:
        return done(
            project, deciding.ask_promotion(ProjectId(project), request.form.get("version", ""), g.session.role)
        )

    def rollback(project: str) -> AnyResponse:
        return done(project, deciding.ask_rollback(ProjectId(project), g.session.role))

    def release(project: str) -> AnyResponse:
        return done(project, deciding.ask_release(ProjectId(project), g.session.role))

    def done(project: str, asked: Asked) -> AnyResponse:
        return site.go(url_for("pages.versions", project=project), asked.sentence)

    site.get("/projects/<project>/versions", "viewer", versions)
    site.get("/projects/<project>/versions/compare", "viewer", compare)
    site.post("/projects/<project>/versions/promote", "admin", promote)
    site.post("/projects/<project>/versions/rollback", "admin", rollback)
    site.post("/projects/<project>/versions/release", "admin", release)
