"""What runs, and what failed lately."""

from __future__ import annotations

from werkzeug.wrappers import Response as AnyResponse

from nextlabel.service.overview import Overview
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import Site


def add(site: Site, overview: Overview) -> None:
    recent = site.recent(
        lambda _: {
            "running": overview.seen_from_backend(),
            "failures": overview.failures(),
            "failed_jobs": overview.failed_jobs(),
            "place": overview.place(),
        }
    )

    def jobs() -> AnyResponse:
        return show("jobs.html", **recent(None))

    site.get("/jobs", "viewer", jobs)
