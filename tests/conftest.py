"""What the tests share: one real Spark session on two cores."""

from __future__ import annotations

import pathlib

import pytest

from musai import config as configuration


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
