"""``python docs/make/reference.py [--check]``: the pages in ``docs/reference``, from the code that they are about.

With ``--check`` nothing is written; it ends with 1, and names the pages, where one is not what the code says.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path

import click

from nextlabel import options, settings
from nextlabel.cli import cli

FOLDER = Path(__file__).resolve().parents[1] / "reference"
_MADE = "<!-- Made by docs/make/reference.py from the code: `make docs`. Change it there. -->\n"
_DEFAULTS = {
    "NEXTLABEL_HOME": "`~/.nextlabel`",
    "NEXTLABEL_DATABASE_URL": "SQLite in the home",
    "NEXTLABEL_MODELS_URL": "a folder in the home",
    "NEXTLABEL_MODEL_MEMORY_MB": "any",
}
"""Of settings whose default is made from others."""
_HIDDEN = ("worker-process",)
"""Commands that nextlabel itself calls."""


def pages() -> dict[str, str]:
    """By file name what each page holds."""
    return {"settings.md": _settings(), "options.md": _options(), "commands.md": _commands()}


def variables() -> dict[str, tuple[object, ...]]:
    """Every variable that is read of the environment, with its default, and its bounds where it is a number."""
    tree = ast.parse(Path(settings.__file__).read_text(encoding="utf-8"))
    found: dict[str, tuple[object, ...]] = {}
    for call in (one for one in ast.walk(tree) if isinstance(one, ast.Call)):
        given = [one.value for one in call.args if isinstance(one, ast.Constant)]
        if given and str(given[0]).startswith(("NEXTLABEL_", "LABEL_STUDIO_", "REDIS_")):
            found[str(given[0])] = tuple(given[1:])
    plain = settings.Settings.from_env({})
    by_name = {"NEXTLABEL_CONNECTOR": plain.connector, "NEXTLABEL_HOST": plain.host}
    return {name: rest or ((by_name[name],) if name in by_name else ()) for name, rest in found.items()}


def _settings() -> str:
    found = variables()
    rows = "".join(
        f"| `{name}` | {_default(name, found[name])} | {_bounds(found[name])} | {meaning} |\n"
        for name, meaning in settings.MEANINGS.items()
    )
    files = ", ".join(f"`{name}_FILE`" for name in settings._MAY_BE_FILES)
    return (
        f"{_MADE}\n# Settings\n\n"
        "Of an installation, from the environment of `nextlabel up`, `serve`, `work` and every other command. "
        "A value that cannot be used ends the command with 78 and a sentence that names the variable.\n\n"
        f"| variable | default | from, to | |\n|---|---|---|---|\n{rows}\n"
        f"Secrets may stand in files: {files} name such files, and count where the variable itself is not set.\n\n"
        "Settings of one project are [options](options.md).\n"
    )


def _default(name: str, rest: tuple[object, ...]) -> str:
    return _DEFAULTS.get(name) or (f"`{_plain(rest[0])}`" if rest else "")


def _bounds(rest: tuple[object, ...]) -> str:
    return f"{_number(rest[1])}, {_number(rest[2])}" if len(rest) == 3 else ""


def _plain(value: object) -> str:
    """As it may be typed."""
    return f"{value:.10g}" if isinstance(value, int | float) else str(value)


def _number(value: object) -> str:
    return f"{value:,.10g}".replace(",", "\u202f") if isinstance(value, int | float) else str(value)


def _options() -> str:
    rows = []
    for one in fields(options.ProjectOptions):
        if one.name == "set_aside":
            continue
        default = one.default if one.default is not MISSING else "{}"
        low_high = options.RANGES.get(one.name)
        bounds = ", ".join(_number(bound) for bound in low_high) if low_high else ""
        shown = f"`{_plain(default)}`" if default != "" else ""
        rows.append(f"| `{one.name}` | {shown} | {bounds} | {options.MEANINGS[one.name]} |\n")
    return (
        f"{_MADE}\n# Options of a project\n\n"
        "Given with `nextlabel connect --option NAME=VALUE`, as often as you like, or as JSON in the *extra params* "
        "of Label Studio's ML backend. `NAME=` alone takes an option back that this release does not know.\n\n"
        f"| option | default | from, to | |\n|---|---|---|---|\n{''.join(rows)}\n"
        "More of: [strategies](../concepts/order.md), [when to stop](../concepts/stopping.md), "
        "[audit tasks](../concepts/audits.md), [models of your own](../own-models.md), "
        "[annotators](../annotators.md).\n"
    )


def commands(group: click.Group = cli, names: tuple[str, ...] = ("nextlabel",)) -> Iterator[tuple[str, click.Command]]:
    """Every command that people call, by its full name."""
    context = click.Context(group, info_name=names[-1])
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or name in _HIDDEN or command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from commands(command, (*names, name))
        else:
            yield " ".join((*names, name)), command


def _commands() -> str:
    parts = [
        f"{_MADE}\n# Commands\n\nAs `nextlabel COMMAND --help` has them. All take `--help`.\n",
    ]
    for name, command in commands():
        arguments = [one for one in command.params if isinstance(one, click.Argument)]
        given = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
        usage = " ".join(
            [name, *(["[OPTIONS]"] if given else []), *(one.make_metavar(_context(command)) for one in arguments)]
        )
        parts.append(f"\n## {name}\n\n{_prose(command.help)}\n\n```\n{usage}\n```\n")
        if given:
            rows = "".join(f"| `{_spelling(one)}` | {_cell(one)} |\n" for one in given)
            parts.append(f"\n| option | |\n|---|---|\n{rows}")
    return "".join(parts)


def _context(command: click.Command) -> click.Context:
    return click.Context(command)


def _prose(text: str | None) -> str:
    paragraphs = (text or "").replace("\b\n", "").split("\n\n")
    return "\n\n".join(" ".join(one.split()) for one in paragraphs)


def _spelling(option: click.Option) -> str:
    names = ", ".join(option.opts)
    if option.secondary_opts:
        names += " / " + ", ".join(option.secondary_opts)
    return (
        names if option.is_flag else f"{names} {option.make_metavar(_context(click.Command('')))}".replace("|", "\\|")
    )


def _cell(option: click.Option) -> str:
    text = " ".join((option.help or "").split()).replace("|", "\\|").replace("<", "\\<")
    notes = ["required"] if option.required else []
    notes += ["may be given several times"] if option.multiple else []
    return f"{text} ({', '.join(notes)})" if notes else text


def main(check: bool) -> int:
    stale = [name for name, text in pages().items() if not _holds(FOLDER / name, text)]
    if check:
        for name in stale:
            print(f"docs/reference/{name} is not what the code says: run `make docs`.", file=sys.stderr)
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        (FOLDER / name).write_text(pages()[name], encoding="utf-8")
    return 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
