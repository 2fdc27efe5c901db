"""Commands run in this process, on the installation that a test has."""

from __future__ import annotations

import os
from collections.abc import Callable

from click.testing import CliRunner, Result

from nextlabel.cli import cli
from nextlabel.settings import Settings

Run = Callable[..., Result]


def on(settings: Settings) -> Run:
    """Runs a command; environment variables beside those of the installation may be given by name."""
    environ = {
        "NEXTLABEL_HOME": str(settings.home),
        "NEXTLABEL_DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url or "",
    }

    def run(*arguments: str, **more: str) -> Result:
        result = CliRunner().invoke(cli, arguments, env=dict.fromkeys(os.environ) | environ | more)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    return run
