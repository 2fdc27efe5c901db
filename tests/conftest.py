"""What several folders of tests share."""

from __future__ import annotations

import os
import shutil

# Before numpy is loaded, here and in every process that a test starts: three lanes of tests are on two cores already.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest
from hypothesis import HealthCheck, settings

import postgres
from nextlabel.errors import ConfigurationError
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.doccano.testing import DoccanoServer
from nextlabel_connectors.fiftyone.testing import FiftyOneServer
from nextlabel_connectors.label_studio.testing import LabelStudioServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Server = TypeVar("Server", LabelStudioServer, DoccanoServer, FiftyOneServer)

# Without these Chromium looks for its maker's servers at every start.
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
AXE = Path(__file__).parent.parent / ".cache" / "axe-core-4.14.1" / "axe.min.js"

# pytest-timeout ends a test that hangs: one that waits for six things in turn may take six ceilings.
os.environ.setdefault("PYTEST_TIMEOUT", f"{6 * CEILING_SECONDS:.0f}")

# Machines are shared: how long an example took says nothing of it.
settings.register_profile("everything", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)
settings.register_profile("make test", settings.get_profile("everything"), max_examples=50)
settings.load_profile("make test")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Only pytest-xdist asks for it; without it the tests run one after the other."""
    from lanes import Lanes

    return Lanes(config, log)


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


@pytest.fixture(scope="session")
def python_of_label_studio() -> Path:
    """The Python that the installed Label Studio runs on; the server itself is not started."""
    return _needed_label_studio().python


def _needed_label_studio(postgres: str = "") -> LabelStudioServer:
    return _needed(lambda: LabelStudioServer(postgres=postgres))


def _needed(make: Callable[[], Server]) -> Server:
    """Without the tool installed its tests are skipped, but in CI they fail."""
    try:
        return make()
    except ConfigurationError as missing:
        _skip_but_in_ci(missing)


def _skip_but_in_ci(missing: object) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(str(missing))
    pytest.skip(str(missing))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's; without it tests are skipped, but in CI they fail."""
    from playwright.sync_api import expect, sync_playwright

    program = shutil.which("chromium")
    if program is None:
        _skip_but_in_ci("There is no Chromium: run `make browser`.")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=_QUIET)
        expect.set_options(timeout=1_000 * CEILING_SECONDS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core, which looks for what keeps people from using a page; `make browser` fetches it."""
    if not AXE.is_file():
        _skip_but_in_ci("There is no axe-core: run `make browser`.")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def doccano() -> Iterator[DoccanoServer]:
    """One doccano for the whole run."""
    with _needed(DoccanoServer) as server:
        yield server


@pytest.fixture(scope="session")
def fiftyone() -> Iterator[FiftyOneServer]:
    """One FiftyOne for the whole run."""
    with _needed(FiftyOneServer) as server:
        yield server


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
