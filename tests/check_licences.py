"""Read the licence of every package installed in an environment against conf/licences.yaml.

    python tests/check_licences.py ENVIRONMENT...

One line per package that is not allowed, exit status 1. An environment that is not there is passed over.
"""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions

import yaml

LIST = pathlib.Path(__file__).parents[1] / "conf" / "licences.yaml"
OURS = "musai"


@dataclass(frozen=True)
class Allowed:
    """conf/licences.yaml."""

    allowed: list[str]
    written_as: dict[str, str]
    exceptions: dict[str, dict[str, str]]

    @classmethod
    def read(cls, path: pathlib.Path = LIST) -> Allowed:
        return cls(**yaml.safe_load(path.read_text(encoding="utf-8")))


def faults(site_packages: pathlib.Path, rules: Allowed) -> list[str]:
    """A line for each package in the folder whose licence is not allowed."""
    found = []
    for package in sorted(distributions(path=[str(site_packages)]), key=lambda each: each.name.lower()):
        name = re.sub(r"[-_.]+", "-", package.name).lower()
        stated = licence(package, rules)
        if name == OURS or allows(stated, rules):
            continue
        if rules.exceptions.get(name, {}).get("licence") != stated:
            found.append(f"{name} {package.version}: {stated or 'states no licence'}")
    return found


def licence(package: Distribution, rules: Allowed) -> str:
    """What a package says of its licence, as an SPDX expression where its words are known; '' where it says nothing.

    Older packages state it more than once, in a field and in classifiers: all of it counts. The field may also hold the
    whole text of a licence, or words that nobody can read by rule; then the classifiers have to say it.
    """

    def values(field: str) -> list[str]:
        return [str(value).strip() for value in package.metadata.get_all(field) or []]

    if expression := values("License-Expression"):
        return expression[0]
    named = [each.rsplit(" :: ", 1)[1] for each in values("Classifier") if each.startswith("License :: ")]
    field = "".join(values("License"))
    known = field in rules.written_as or allows(field, rules)
    statements = ([field] if known or not named else []) + named
    return " AND ".join(sorted({rules.written_as.get(each, each) for each in statements if each != "UNKNOWN"}))


def allows(expression: str, rules: Allowed) -> bool:
    """Whether an SPDX expression can be met with allowed licences; what is no such expression is not allowed."""
    tokens = re.findall(r"[()]|[^\s()]+", expression)
    try:
        return _either(tokens, rules) and not tokens
    except IndexError:
        return False


def _either(tokens: list[str], rules: Allowed) -> bool:
    allowed = _both(tokens, rules)
    while tokens and tokens[0].upper() == "OR":
        tokens.pop(0)
        allowed |= _both(tokens, rules)
    return allowed


def _both(tokens: list[str], rules: Allowed) -> bool:
    allowed = _one(tokens, rules)
    while tokens and tokens[0].upper() == "AND":
        tokens.pop(0)
        allowed &= _one(tokens, rules)
    return allowed


def _one(tokens: list[str], rules: Allowed) -> bool:
    first = tokens.pop(0)
    if first == "(":
        allowed = _either(tokens, rules)
        return tokens.pop(0) == ")" and allowed
    if tokens and tokens[0].upper() == "WITH":  # an exception allows more than the licence alone, never less
        del tokens[:2]
    return first in rules.allowed


def site_packages(environment: pathlib.Path) -> Iterator[pathlib.Path]:
    yield from sorted(environment.glob("lib/python3*/site-packages"))


def main(arguments: list[str]) -> int:
    rules = Allowed.read()
    found = [
        f"{environment}: {fault}"
        for environment in arguments
        for folder in site_packages(pathlib.Path(environment))
        for fault in faults(folder, rules)
    ]
    for fault in found:
        print(f"Licence not allowed in {fault} (the list: conf/licences.yaml)", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
