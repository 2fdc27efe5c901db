"""What people see of nextlabel in a browser. A page is a module and a template here, and a line in `Pages.routes`."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint

from nextlabel.service.accounts import Accounts
from nextlabel.service.annotators import Annotators
from nextlabel.service.doctor import Doctor
from nextlabel.service.overview import Overview
from nextlabel.service.suspects import Suspects
from nextlabel.service.versions import Versions
from nextlabel.web.pages import (
    actions,
    annotators,
    doctor,
    jobs,
    login,
    project,
    projects,
    queue,
    stopping,
    suspects,
    versions,
)
from nextlabel.web.pages.site import Site


@dataclass(frozen=True, slots=True)
class Pages:
    """The use cases that pages show and call; the latter not where pages are ``read_only``."""

    overview: Overview
    versions: Versions
    accounts: Accounts
    suspects: Suspects
    annotators: Annotators
    doctor: Doctor
    read_only: bool = False

    def routes(self) -> Blueprint:
        """One line for each page."""
        site = Site(self.accounts, read_only=self.read_only)
        login.add(site, self.accounts)
        projects.add(site, self.overview)
        one = site.recent(self.overview.project, self.overview.mark)
        project.add(site, one)
        versions.add(site, one, self.overview, self.versions)
        queue.add(site, one, self.overview)
        stopping.add(site, one)
        suspects.add(site, one, self.overview, self.suspects)
        annotators.add(site, one, self.overview, self.annotators)
        jobs.add(site, self.overview)
        doctor.add(site, self.overview, self.doctor)
        actions.add(site, self.overview)
        return site.blueprint
