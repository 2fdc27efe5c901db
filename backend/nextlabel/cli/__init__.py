"""The ``nextlabel`` command."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from nextlabel.errors import ConfigurationError, NextlabelError

EXIT_CONFIGURATION = 78
"""sysexits.h's EX_CONFIG: a person must change something, trying again will not help."""


# Where each command is: a command is loaded when it is called, because some take a second and some none at all.
_COMMANDS = {
    "connect": "connecting",
    "credentials": "showing",
    "disconnect": "disconnecting",
    "health": "health",
    "pause": "disconnecting",
    "predictions": "predictions",
    "resume": "disconnecting",
    "serve": "running",
    "simulate": "simulating",
    "status": "showing",
    "strategies": "showing",
    "up": "running",
    "work": "running",
    "worker-process": "running",
}


class Commands(click.Group):
    """A group whose commands end with one sentence, not a traceback, when something is for the user to mend."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = import_module(f"nextlabel.cli.{_COMMANDS[name]}")
        command: click.Command = getattr(module, name.replace("-", "_"))
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except NextlabelError as error:
            click.secho(f"nextlabel: {error}", fg="red", err=True)
            ctx.exit(EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else 1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nextlabel")
def cli() -> None:
    """Label what teaches the model most, next.

    Start with `nextlabel up`, then `nextlabel connect` to a Label Studio project.
    """


def main() -> None:
    """The console script's entry."""
    # Before numpy is loaded: a pool of threads per process would only fight over the cores of the labeling server.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.umask(0o077)  # state holds access tokens: what is written is for this user only
    sys.exit(cli(prog_name="nextlabel"))
