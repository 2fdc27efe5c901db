"""Who did what, for admins: it names addresses that people logged in from."""

from __future__ import annotations

from werkzeug.wrappers import Response as AnyResponse

from nextlabel.service.overview import Overview
from nextlabel.web.pages.rendering import show
from nextlabel.web.pages.site import Site


def add(site: Site, overview: Overview) -> None:
    def actions() -> AnyResponse:
        return show("actions.html", actions=overview.last_actions())

    site.get("/actions", "admin", actions)
