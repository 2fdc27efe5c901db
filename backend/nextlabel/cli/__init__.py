"""The ``nextlabel`` command.

It ends as `EXIT_CODES` says. A sentence says what to do. A traceback is a defect of nextlabel;
NEXTLABEL_LOG_LEVEL=DEBUG shows those behind sentences.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Mapping
from importlib import import_module

import click

from nextlabel.cli.escaping import printable
from nextlabel.errors import ConfigurationError, NextlabelError, ToolRejected

log = logging.getLogger("nextlabel")

EXIT_CONFIGURATION = 78
"""sysexits.h's EX_CONFIG: a person must change something, trying again will not help."""

EXIT_CODES: Mapping[int, str] = {
    0: "all is well, or what was asked for is done",
    1: "something does not run, is wrong, or did not work this time: the same may work later",
    2: "the command line cannot be read: nothing was done",
    EXIT_CONFIGURATION: "a person must change something first, such as a setting, a name or an address",
}
"""All that a command ends with; docs/commands.md has the same table, and a test compares the two."""


# Where each command is, and what it is for ("" of hidden ones): it is loaded when it is called, for some take a second,
# and listing them all must not take as long as loading them all.
_COMMANDS = {
    "annotators": ("annotators", "Who labeled how much, and how far people agree"),
    "check": ("models", "Sanity checks of the newest version, with their figures"),
    "completion": ("completion", "The script by which a shell completes commands"),
    "connect": ("connecting", "Introduce a project of a labeling tool, or check it again"),
    "credentials": ("showing", "How tools and people show who they are"),
    "demo": ("demo", "See the loop on real data, with no labeling tool"),
    "disconnect": ("disconnecting", "Leave a project as it was before `connect`"),
    "doctor": ("doctor", "What is wrong, why, and what to do"),
    "embeddings": ("embeddings", "Ready-made models that read texts and pictures"),
    "export": ("exporting", "Predictions for all tasks, and the model, as files"),
    "files": ("files", "Put the tasks of a file in order, without a server"),
    "health": ("health", "Whether everything runs, or one part of it"),
    "models": ("models", "The versions of a project, and which one serves"),
    "next": ("files", "Print an order that is a file, the next task first"),
    "notes": ("noting", "The notes that were sent to people; try the webhook"),
    "notes-process": ("running", ""),
    "pause": ("disconnecting", "Leave a project alone for a while"),
    "predictions": ("predictions", "Whose predictions a tool stores; remove some by name"),
    "reorder": ("training", "Have the tool serve the order in force once more"),
    "report": ("reporting", "A project's story as one HTML file"),
    "resume": ("disconnecting", "End `pause`, or try a project again that was gone"),
    "serve": ("running", "Serve predictions and take webhooks"),
    "simulate": ("simulating", "What a strategy would have saved on labeled data"),
    "status": ("showing", "What runs, what serves, how good it is, what happened"),
    "strategies": ("showing", "The query strategies to choose from"),
    "suspects": ("suspects", "Labels that are likely wrong"),
    "tokens": ("tokens", "Tokens for the API and the metrics"),
    "train": ("training", "Take a round of a project now, and wait for it"),
    "up": ("running", "Run everything on this machine"),
    "version": ("versions", "What runs here: nextlabel, Python, packages"),
    "work": ("running", "Run the workers, which learn and reorder"),
    "worker-process": ("running", ""),
}


class Commands(click.Group):
    """A group whose commands end with one sentence, not a traceback, when something is for the user to mend."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = import_module(f"nextlabel.cli.{_COMMANDS[name][0]}")
        command: click.Command = getattr(module, name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in sorted(_COMMANDS.items()) if about])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Exception as error:
            sentence = _sentence(error)
            if not sentence:
                raise
            log.debug("what happened:", exc_info=True)
            click.secho(f"nextlabel: {printable(sentence)}", fg="red", err=True)
            ctx.exit(EXIT_CONFIGURATION if isinstance(error, ConfigurationError | ToolRejected) else 1)


def _sentence(error: Exception) -> str:
    """What a person can do about an error; empty for one that only a developer can mend."""
    if isinstance(error, NextlabelError):
        return str(error)
    if isinstance(error, OSError) and error.errno != errno.EPIPE:  # of a pipe click takes care
        return f"{error}: see that there is room, and that this user may read and write there."
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - takes long to load, and is only needed here

    if isinstance(error, DBAPIError):
        return f"The database fails ({str(error.orig).strip()}): check NEXTLABEL_DATABASE_URL."
    return ""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nextlabel")
def cli() -> None:
    """Label what teaches the model most, next.

    Start with `nextlabel up`, then `nextlabel connect` to a project of your labeling tool.
    """


def main() -> None:
    """The console script's entry."""
    # Before numpy is loaded: a pool of threads per process would only fight over the cores of the labeling server.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ["PYTHONSAFEPATH"] = "1"  # as -P, for every process that is started: of this folder nothing is imported
    os.umask(0o077)  # state holds access tokens: what is written is for this user only
    sys.exit(cli(prog_name="nextlabel"))
