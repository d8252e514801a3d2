"""The archive for a cluster: what is in it, that it is the same twice, and that it runs wherever it is unpacked."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution

import pytest

from musai import bundle


@pytest.fixture
def wheel(tmp_path: pathlib.Path) -> pathlib.Path:
    file = tmp_path / "musai-9-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("musai/__init__.py", "PLACE = __file__\n")
    return file


def test_what_musai_depends_on_is_in_it_and_what_develops_or_runs_it_is_not():
    names = {one.metadata["Name"].lower() for one in bundle.needed("musai")}
    assert {"numpy", "pydantic", "pydantic_core", "implicit", "llvmlite"} <= names
    assert not names & {"musai", "pyspark", "py4j", "pytest", "mypy", "ruff", "uv"}


def test_a_package_that_is_missing_is_an_error():
    with pytest.raises(PackageNotFoundError):
        bundle.needed("no-such-package-of-musai")


def test_the_same_packages_give_the_same_bytes(tmp_path: pathlib.Path, wheel: pathlib.Path):
    for name in ("one.tar.gz", "two.tar.gz"):
        bundle.write(tmp_path / name, bundle.contents([distribution("packaging")], wheel), "/usr/bin/python3")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
    assert list(tmp_path.glob("*.part")) == []


def test_it_runs_where_it_is_unpacked_with_its_own_packages_alone(tmp_path: pathlib.Path, wheel: pathlib.Path):
    packages = [distribution(name) for name in ("packaging", "PyYAML")]  # the second one holds compiled code
    bundle.write(tmp_path / "env.tar.gz", bundle.contents(packages, wheel), os.path.realpath(sys.executable))
    place = tmp_path / "some where"
    with tarfile.open(tmp_path / "env.tar.gz") as tar:
        tar.extractall(place)  # noqa: S202  just written
    script = (
        "import musai, packaging, yaml, importlib.util as u; print(musai.PLACE, yaml.__with_libyaml__);"
        "print(u.find_spec('numpy'))"
    )
    done = subprocess.run(
        [place / "bin/python", "-c", script], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == f"{place / bundle.SITE_PACKAGES / 'musai/__init__.py'} True\nNone\n"
