"""`nextlabel completion`: what a shell needs to complete the command line by itself.

click would start the command for each press of the key, and load every command for it, which takes seconds. Here all
words stand in the script that the shell reads once, so that it asks nobody.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import click

_BASH = """\
_nextlabel() {
  local at word whole=nextlabel
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=${COMP_WORDS[at]}
    case " $(_nextlabel_commands "$whole") " in *" $word "*) whole="$whole $word" ;; esac
  done
  local now=${COMP_WORDS[COMP_CWORD]} words
  words=$(_nextlabel_commands "$whole")
  if [[ $now == -* || -z $words ]]; then
    words=$(_nextlabel_words "$whole" "${COMP_WORDS[COMP_CWORD-1]}")
  fi
  COMPREPLY=($(compgen -W "$words" -- "$now"))
}
"""


@dataclass(frozen=True, slots=True)
class _Command:
    """A command by its whole name: what stands below it, its options, and what some of these may be."""

    name: str
    about: str
    commands: tuple[str, ...]
    options: tuple[str, ...]
    choices: Mapping[str, tuple[str, ...]]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script by which SHELL completes commands and options. Write it to a file once, after each upgrade.

    bash, zsh: `nextlabel completion bash > ~/.nextlabel-completion`, and in ~/.bashrc or ~/.zshrc `source
    ~/.nextlabel-completion`. fish: `nextlabel completion fish > ~/.config/fish/completions/nextlabel.fish`.
    """
    root = context.find_root().command
    commands = list(_below(root, "nextlabel", context))
    click.echo("\n".join(_fish(commands) if shell == "fish" else _bash(commands, zsh=shell == "zsh")))


def _below(command: click.Command, name: str, context: click.Context) -> Iterator[_Command]:
    names = command.list_commands(context) if isinstance(command, click.Group) else []
    inner = {one: command.get_command(context, one) for one in names} if isinstance(command, click.Group) else {}
    shown = {one: found for one, found in inner.items() if found is not None and not found.hidden}
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    written = [text for one in options for text in (*one.opts, *one.secondary_opts)]
    choices = {
        text: tuple(map(str, one.type.choices))
        for one in options
        if isinstance(one.type, click.Choice)
        for text in one.opts
    }
    arguments = [one.type for one in command.params if isinstance(one, click.Argument)]
    words = [str(word) for one in arguments if isinstance(one, click.Choice) for word in one.choices]
    about = command.get_short_help_str(limit=80)
    yield _Command(name, about, (*shown, *words), (*written, "--help"), choices)
    for one, found in shown.items():
        yield from _below(found, f"{name} {one}", context)


def _bash(commands: list[_Command], *, zsh: bool) -> Iterator[str]:
    if zsh:
        yield "autoload -U +X bashcompinit && bashcompinit"
    yield "_nextlabel_commands() {\n  case $1 in"
    for one in commands:
        if one.commands:
            yield f"    {shlex.quote(one.name)}) echo {shlex.quote(' '.join(one.commands))} ;;"
    yield "  esac\n}"
    yield "_nextlabel_words() {\n  case $1:$2 in"
    for one in commands:
        for option, words in one.choices.items():
            yield f"    {shlex.quote(f'{one.name}:{option}')}) echo {shlex.quote(' '.join(words))} ;;"
    for one in commands:
        yield f"    {shlex.quote(one.name)}:*) echo {shlex.quote(' '.join(one.options))} ;;"
    yield "  esac\n}"
    yield _BASH + "complete -o default -F _nextlabel nextlabel"


def _fish(commands: list[_Command]) -> Iterator[str]:
    by_name = {one.name: one for one in commands}
    for one in commands:
        _, *path = one.name.split()
        seen = "".join(f"__fish_seen_subcommand_from {word}; and " for word in path)
        below = " ".join(one.commands)
        here = f"{seen}not __fish_seen_subcommand_from {below}" if below else seen.removesuffix("; and ")
        for word in one.commands:
            known = by_name.get(f"{one.name} {word}")
            about = f" -d {shlex.quote(known.about)}" if known else ""
            yield f"complete -c nextlabel -f -n {shlex.quote(here)} -a {word}{about}"
        for option in one.options:
            words = f" -x -a {shlex.quote(' '.join(one.choices[option]))}" if option in one.choices else ""
            kind = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            yield f"complete -c nextlabel -n {shlex.quote(here)} {kind}{words}"
