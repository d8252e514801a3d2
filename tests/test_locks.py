"""The lock files against pyproject.toml, without a network: who adds a dependency has to run `make lock`."""

import pathlib
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PROJECT["dependency-groups"]
WANTED = {
    "jobs": [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]],
    "airflow": GROUPS["airflow"],
    "build": [*GROUPS["build"], *PROJECT["build-system"]["requires"]],
}


def entries(lock: str) -> list[str]:
    """The requirements of a lock file, continuation lines joined."""
    text = (ROOT / "conf" / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    return text.replace("\\\n", " ").splitlines()


def pins(lock: str) -> dict[str, str]:
    return {
        canonicalize_name(name): version for name, version in (entry.split()[0].split("==") for entry in entries(lock))
    }


@pytest.mark.parametrize("lock", WANTED)
def test_what_pyproject_asks_for_is_pinned(lock: str) -> None:
    pinned = pins(lock)
    wanted = [Requirement(text) for text in WANTED[lock]]
    missing = [str(each) for each in wanted if pinned.get(canonicalize_name(each.name), "0") not in each.specifier]
    assert missing == [], "run `make lock`"


@pytest.mark.parametrize("lock", WANTED)
def test_every_line_is_a_version_with_hashes_and_names_no_place(lock: str) -> None:
    form = re.compile(r"[a-z0-9-]+==[\w.!+]+( ; [^#@/]+?)?(\s+--hash=sha256:[0-9a-f]{64})+")
    assert [entry for entry in entries(lock) if not form.fullmatch(entry)] == []


def test_spark_and_its_client_never_share_an_environment() -> None:
    assert "pyspark" in pins("jobs")
    assert "pyspark-client" not in pins("jobs")
    assert "pyspark-client" in pins("airflow")
    assert "pyspark" not in pins("airflow")
