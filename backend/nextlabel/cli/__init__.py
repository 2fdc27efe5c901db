"""The ``nextlabel`` command."""

from __future__ import annotations

import os
import sys

import click

from nextlabel.errors import ConfigurationError, NextlabelError

EXIT_CONFIGURATION = 78
"""sysexits.h's EX_CONFIG: a person must change something, trying again will not help."""


class Commands(click.Group):
    """A group whose commands end with one sentence, not a traceback, when something is for the user to mend."""

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
    from nextlabel.cli import connecting, running, showing  # noqa: PLC0415 - after the variables above

    for module in (running, connecting, showing):
        for command in module.COMMANDS:
            cli.add_command(command)
    sys.exit(cli(prog_name="nextlabel"))
