"""`tune_recommender` on the tiny night: what it tries is kept, what wins is published, and the next night has it."""

import datetime as dt
import json
import shutil

import pytest

from musai import storage
from musai.errors import InputError
from musai.ranking import parts, tuning
from musai.steps import Night
from musai.warehouse import Warehouse
from tests import nights


@pytest.fixture(scope="module")
def tuned(spark, night, night_folder, tmp_path_factory):
    """The weekly run in a copy of the published night's warehouse."""
    folder = tmp_path_factory.mktemp("tuned")
    shutil.copytree(night_folder / "warehouse", folder / "warehouse")
    few = ("tuning.trials=2", "tuning.minutes=5", f"warehouse={folder / 'warehouse'}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "LEAST", 10)
        return nights.run(nights.settings_of(night_folder, *few), only=("tune_recommender",))


def test_the_winner_is_the_last_trial_and_what_is_published(tuned):
    trials = tuned.table("tuning_trials").sort_values("trial")
    assert list(trials["trial"]) == list(range(1, 2 * len(parts.SPACE) + 2))
    assert trials["value"].iloc[-1] == trials["value"].max() > 0
    settings = tuned.table("model_settings").set_index("name")["value"]
    assert {name: json.loads(value) for name, value in settings.items()} == json.loads(trials["settings"].iloc[-1])


def test_the_next_night_takes_them_unless_it_is_told_not_to(spark, tuned):
    settings = tuned.table("model_settings").set_index("name")["value"]
    warehouse = Warehouse(storage.at(tuned.config.warehouse.path, spark), tuned.config)
    night = Night(spark, tuned.config, warehouse, tuned.outcome.run, dt.datetime.now(dt.UTC))
    found = night.tuned().config
    assert found.recommend.blend == json.loads(settings["recommend.blend"])
    assert found.factorization.regularization == json.loads(settings["factorization.regularization"])
    assert "factorization.factors" not in settings  # given by hand, so not searched
    assert found.factorization.factors == tuned.config.factorization.factors
    assert found.factorization.iterations == tuned.config.factorization.iterations
    night.config = tuned.config.having({"tuning.used": False})
    assert night.tuned().config.recommend.blend == tuned.config.recommend.blend


def test_settings_that_do_not_fit_another_configuration_are_one_line(spark, tuned, monkeypatch):
    """A method that the configuration computes no longer."""
    found = spark.createDataFrame([("recommend.blend", '{"bm25": 1.0}')], "name string, value string")
    monkeypatch.setattr(Night, "latest", lambda self, table: found)
    warehouse = Warehouse(storage.at(tuned.config.warehouse.path, spark), tuned.config)
    night = Night(spark, tuned.config, warehouse, tuned.outcome.run, dt.datetime.now(dt.UTC))
    with pytest.raises(InputError, match=r"tuning.used: .* does not fit \(recommend.blend: names .*\); false leaves"):
        night.tuned()
