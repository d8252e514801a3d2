"""What the tests share: one real Spark session on two cores."""

from __future__ import annotations

import pathlib

import pytest

from musai import config as configuration
from tests import nights
from tests.report import chromium


@pytest.fixture(scope="session")
def spark():
    """A real Spark session, local[2], as the nightly builds it."""
    from musai import session

    built = session.build(configuration.load([], ["spark.master=local[2]", "spark.driver_memory=2g"]), "musai-tests")
    yield built
    built.stop()


@pytest.fixture
def settings(tmp_path: pathlib.Path):
    """Load the configuration with a warehouse under tmp_path; call it with more KEY=VALUE overrides."""

    def loaded(*overrides: str, files=()):
        return configuration.load(files, [f"warehouse={tmp_path / 'warehouse'}", *overrides])

    return loaded


@pytest.fixture(scope="session")
def night_folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The inputs of the tiny night, and room for its warehouses."""
    folder = tmp_path_factory.mktemp("night")
    nights.write_inputs(folder / "logs")
    (folder / "logs" / "tracks.csv").rename(folder / "tracks.csv")
    return folder


@pytest.fixture(scope="session")
def night(spark, night_folder: pathlib.Path) -> nights.Made:
    """One whole tiny night, run once; each job's test looks at its own tables."""
    return nights.run(nights.settings_of(night_folder))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory):
    """A tab of a real browser, for tests marked `chromium.NEEDED`."""
    with chromium.opened(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="session")
def checker(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core's own script."""
    found = chromium.axe(tmp_path_factory.mktemp("axe"))
    if found is None:
        pytest.skip("axe-core cannot be had from npm")
    return found
