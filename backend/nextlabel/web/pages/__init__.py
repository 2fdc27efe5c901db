"""What people see of nextlabel in a browser. A page is a module and a template here, and a line in `Pages.routes`."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint

from nextlabel.service.accounts import Accounts
from nextlabel.service.overview import Overview
from nextlabel.service.versions import Versions
from nextlabel.web.pages import actions, jobs, login, project, projects, queue, versions
from nextlabel.web.pages.site import Site


@dataclass(frozen=True, slots=True)
class Pages:
    """The use cases that pages show and call."""

    overview: Overview
    versions: Versions
    accounts: Accounts

    def routes(self) -> Blueprint:
        """One line for each page."""
        site = Site(self.accounts)
        login.add(site, self.accounts)
        projects.add(site, self.overview)
        project.add(site, self.overview)
        versions.add(site, self.overview, self.versions)
        queue.add(site, self.overview)
        jobs.add(site, self.overview)
        actions.add(site, self.overview)
        return site.blueprint
