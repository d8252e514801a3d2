"""Completion of the `musai` command by a shell, written from its own parser: commands, options, jobs, tables, keys."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
from collections.abc import Iterable, Iterator

from musai import tables
from musai.arguments import parser
from musai.config import load


@dataclasses.dataclass(frozen=True)
class Command:
    """`options`: flag -> help; `values`: flag, or "" for a word that is none -> what may stand there."""

    name: str
    about: str
    options: dict[str, str]
    values: dict[str, list[str]]


def commands() -> list[Command]:
    """Every command of the parser."""
    top = parser()
    (sub,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    about = {choice.dest: choice.help or "" for choice in sub._choices_actions}
    return [_command(name, about[name], one) for name, one in sub.choices.items()]


def _command(name: str, about: str, one: argparse.ArgumentParser) -> Command:
    jobs = [*tables.order(), *tables.weekly()]
    known = {"job": jobs, "from_job": jobs, "only": jobs, "table": list(tables.TABLES), "settings": list(_keys())}
    options, values = {}, {}
    for action in one._actions:
        words = [str(choice) for choice in action.choices or known.get(action.dest) or ()]
        for flag in action.option_strings:
            if flag.startswith("--"):
                options[flag] = action.help or ""
                values[flag] = words
        if not action.option_strings:
            values[""] = [*values.get("", []), *words]
    return Command(name, about, options, {flag: words for flag, words in values.items() if words})


def _keys() -> Iterator[str]:
    """`section.key=` for every key of the configuration, and those that are no section."""
    for section, value in load().model_dump().items():
        if isinstance(value, dict):
            yield from (f"{section}.{key}=" for key in value)
        else:
            yield f"{section}="


def script(shell: str) -> str:
    """What bash, zsh or fish is to read."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def _bash() -> str:
    found = commands()
    lines = ["_musai() {", "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words= options="]
    lines += ["  COMPREPLY=()", '  if [ "$COMP_CWORD" -eq 1 ]; then', f"    words={_quoted(one.name for one in found)}"]
    lines += ["  else", '    case "${COMP_WORDS[1]}" in']
    for one in found:
        lines.append(f"      {one.name}) options={_quoted(one.options)}; words={_quoted(one.values.get('', ()))}")
        lines += [
            f'        [ "$before" = {flag} ] && options= words={_quoted(words)}'
            for flag, words in one.values.items() if flag
        ]  # fmt: skip
        lines.append("        ;;")
    lines += ["    esac", "  fi", '  case "$word" in -*) words=$options ;; esac']
    lines += ['  COMPREPLY=($(compgen -W "$words" -- "$word"))']
    lines += ['  case "${COMPREPLY[0]}" in *=) compopt -o nospace 2>/dev/null ;; esac', "}"]
    lines += ["complete -o default -F _musai musai"]  # files, where no word fits
    return "\n".join(lines) + "\n"


def _zsh() -> str:
    return "autoload -U +X compinit bashcompinit && compinit -u && bashcompinit\n" + _bash()


def _fish() -> str:
    lines = []
    for one in commands():
        lines.append(f"complete -c musai -n __fish_use_subcommand -f -a {one.name} -d {shlex.quote(one.about)}")
        here = f"complete -c musai -n '__fish_seen_subcommand_from {one.name}'"
        lines += [
            f"{here} -l {flag[2:]} -d {shlex.quote(about)}" + _offered(one.values.get(flag))
            for flag, about in one.options.items()
        ]
        if "" in one.values:
            lines.append(f"{here} -a {_quoted(one.values[''])}")
    return "\n".join(lines) + "\n"


def _offered(words: list[str] | None) -> str:
    return f" -x -a {_quoted(words)}" if words else ""


def _quoted(words: Iterable[str]) -> str:
    return shlex.quote(" ".join(words))
