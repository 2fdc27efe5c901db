"""What several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

import postgres
from nextlabel_connectors.label_studio.testing import LabelStudioMissing, LabelStudioServer

# Machines are shared: how long an example took says nothing of it.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


class _Beside(LoadScopeScheduling):  # type: ignore[misc]
    """All that needs Label Studio in one process, beside which the others work off the rest.

    pytest-xdist's own groups (3.8) have no effect under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(("tests/e2e/", "tests/contract/test_label_studio.py")):
            return "Label Studio"
        return nodeid.partition("::")[0] if nodeid.startswith("tests/unit/") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Beside(config, log)


@pytest.fixture(scope="session")
def label_studio(request: pytest.FixtureRequest) -> Iterator[LabelStudioServer]:
    """One Label Studio for the whole run."""
    if postgres.LABEL_STUDIO_ON_POSTGRES:
        yield request.getfixturevalue("label_studio_on_postgres")
    else:
        with _needed_label_studio() as server:
            yield server


@pytest.fixture(scope="session")
def label_studio_on_postgres(postgres_url: str) -> Iterator[LabelStudioServer]:
    """One whose own database is on PostgreSQL."""
    database = postgres.create_database(postgres_url)
    with _needed_label_studio(postgres.as_libpq(database)) as server:
        yield server
    postgres.drop_database(database)


def _needed_label_studio(postgres: str = "") -> LabelStudioServer:
    """Without one installed its tests are skipped, but in CI they fail."""
    try:
        return LabelStudioServer(postgres=postgres)
    except LabelStudioMissing as missing:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server for the whole run."""
    if postgres.URL:
        yield postgres.URL
    else:
        with postgres.needed() as server:
            yield server.url


@pytest.fixture(scope="session")
def new_store(request: pytest.FixtureRequest) -> Iterator[postgres.NewStore]:
    """Settings for the label store of an installation to be started: nothing, or a database on PostgreSQL."""
    made: list[str] = []
    server = request.getfixturevalue("postgres_url") if postgres.ON_POSTGRES else ""

    def make() -> dict[str, str]:
        if not server:
            return {}
        made.append(postgres.create_database(server))
        return {"NEXTLABEL_DATABASE_URL": made[-1]}

    yield make
    for url in made:
        postgres.drop_database(url)
