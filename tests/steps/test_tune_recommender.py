"""`tune_recommender` on the tiny night: what it tries is kept, what wins is published, and the next night has it."""

import dataclasses
import datetime as dt
import json
import shutil

import pyarrow.dataset as ds
import pytest

from musai import storage
from musai.config import Config
from musai.errors import InputError
from musai.ranking import tuning
from musai.steps import Night, evaluate_recommendations, tune_recommender
from musai.warehouse import Run, Warehouse, begin_record
from tests import nights

BAD = {"recommend.blend": {"als": 1.0}, "factorization.alpha": 1.0, "factorization.regularization": 300.0}


@dataclasses.dataclass
class Weekly:
    """Two weekly runs in a copy of the published night's warehouse: with the settings as they come, then with BAD."""

    config: Config
    first: nights.Made
    second: nights.Made

    def night(self, spark, days: int = 0) -> Night:
        """A night so many days after the published one."""
        date = self.first.outcome.run.record.date + dt.timedelta(days)
        warehouse = Warehouse(storage.at(self.config.warehouse.path, spark), self.config)
        run = Run(warehouse.storage, begin_record(self.config, "next", date, [], None))
        return Night(spark, self.config, warehouse, run, dt.datetime.now(dt.UTC))


@pytest.fixture(scope="module")
def weekly(spark, night, night_folder, tmp_path_factory) -> Weekly:
    folder = tmp_path_factory.mktemp("tuned")
    shutil.copytree(night_folder / "warehouse", folder / "warehouse")
    few = ("tuning.trials=2", "tuning.minutes=5", f"warehouse={folder / 'warehouse'}")
    config = nights.settings_of(night_folder, *few)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "LEAST", 10)
        first = nights.run(config, only=("tune_recommender",))
        publish(spark, config, first, BAD)
        return Weekly(config, first, nights.run(config, only=("tune_recommender",)))


def publish(spark, config: Config, before: nights.Made, settings: dict[str, object]) -> None:
    """A weekly run with those settings."""
    warehouse = Warehouse(storage.at(config.warehouse.path, spark), config)
    run = warehouse.begin(begin_record(config, None, before.outcome.run.record.date, [], None, weekly=True))
    rows = [(name, json.dumps(value)) for name, value in settings.items()]
    made = Night(spark, config, warehouse, run, dt.datetime.now(dt.UTC))
    made.write_rows(rows, "model_settings", "tune_recommender")
    warehouse.adopt(run)


@pytest.fixture
def tuned(weekly: Weekly) -> nights.Made:
    return weekly.second


def test_the_winner_is_the_last_trial_and_what_is_published(tuned):
    trials = tuned.table("tuning_trials").sort_values("trial")
    assert list(trials["trial"]) == list(range(1, 2 * 6 + 4))
    at_hand, winner = (json.loads(text) for text in trials["settings"].iloc[-2:])
    assert {key: at_hand[key] for key in BAD} == BAD
    assert trials["value"].iloc[-1] > trials["value"].iloc[-2] > 0
    assert set(trials["metric"].iloc[-2:]) == {"ndcg@20 of 14 other listeners"}
    settings = tuned.table("model_settings").set_index("name")["value"]
    assert {name: json.loads(value) for name, value in settings.items()} == winner


def test_what_is_no_better_beyond_chance_is_not_published(weekly):
    trials = weekly.first.table("tuning_trials").sort_values("trial")
    last = json.loads(trials["settings"].iloc[-1])
    assert last["recommend.blend"] == {"als": 0.5, "user_knn": 0.3, "linear": 0.2}
    assert not weekly.first.outcome.run.has("model_settings")
    (note,) = weekly.first.outcome.notes["tune_recommender"]
    assert note.startswith("after 13 trials nothing better than the settings at hand beyond chance, which stay")


def test_what_the_evaluation_holds_out_has_no_part_in_tuning(tuned, night):
    def pairs(folder: str) -> set[tuple[str, str]]:
        table = ds.dataset(folder, format="parquet", partitioning=None).to_table(["user_id", "track_id"]).to_pandas()
        return set(table.itertuples(index=False, name=None))

    every, trained_on = (
        pairs(one.uri("interactions")) for one in (night.outcome.run, tuned.outcome.run.nested("tuning"))
    )
    of_evaluation = pairs(night.outcome.run.nested("evaluation").uri("interactions"))
    assert trained_on < of_evaluation < every
    looked_at = {user for user, _ in of_evaluation - trained_on}
    assert looked_at == {user for user, _ in every - of_evaluation}


def test_new_settings_make_the_evaluation_due(spark, weekly, monkeypatch):
    monkeypatch.setattr(evaluate_recommendations, "measured", lambda night: {})
    unchanged = weekly.night(spark, days=1)
    before = {**unchanged.last_metrics(), "settings_digest": unchanged.config.digest()}
    monkeypatch.setattr(Night, "last_metrics", lambda self: before)
    evaluate_recommendations.run(unchanged)
    (note,) = unchanged.notes
    assert note.startswith("not due: measured on ")
    again = weekly.night(spark, days=1).tuned()
    evaluate_recommendations.run(again)
    assert again.notes == []
    assert again.run.manifest("recommendation_metrics")["settings_digest"] == again.config.digest()


def test_a_night_is_measured_by_the_settings_it_was_made_with(weekly, spark):
    """The published night had those of its configuration alone."""
    last = weekly.night(spark, days=1).last_metrics()
    assert last["settings_digest"] == json.loads(
        weekly.first.outcome.run.storage.read(f"{last['path']}/_manifest.json")
    )["config_digest"]  # fmt: skip


def test_a_blend_by_hand_without_anything_to_search_is_said(weekly, night_folder):
    for blend in ("{mood: 1}", "{cosine: 1}"):
        config = nights.settings_of(
            night_folder, f"warehouse={weekly.config.warehouse.path}", f"recommend.blend={blend}"
        )
        made = nights.run(config, only=("tune_recommender",))
        assert (
            "has no part with anything to search: no settings were tried" in made.outcome.notes["tune_recommender"][0]
        )


def test_too_few_listeners_to_judge_is_said(weekly):
    made = nights.run(weekly.config, only=("tune_recommender",))
    (note,) = made.outcome.notes["tune_recommender"]
    assert note.startswith("40 listeners of whom something could be held out are too few to tell")


def test_the_next_night_takes_them_unless_it_is_told_not_to(spark, tuned, weekly):
    settings = tuned.table("model_settings").set_index("name")["value"]
    night = weekly.night(spark)
    found = night.tuned().config
    assert found.recommend.blend == json.loads(settings["recommend.blend"])
    assert found.factorization.regularization == json.loads(settings["factorization.regularization"])
    assert "factorization.factors" not in settings  # given by hand, so not searched
    assert found.factorization.factors == tuned.config.factorization.factors
    assert found.factorization.iterations == tuned.config.factorization.iterations
    night.config = tuned.config.having({"tuning.used": False})
    assert night.tuned().config.recommend.blend == tuned.config.recommend.blend


def test_settings_that_do_not_fit_another_configuration_are_one_line(spark, weekly, monkeypatch):
    """A method that the configuration computes no longer."""
    found = spark.createDataFrame([("recommend.blend", '{"bm25": 1.0}')], "name string, value string")
    monkeypatch.setattr(Night, "latest", lambda self, table: found)
    night = weekly.night(spark)
    with pytest.raises(InputError, match=r"tuning.used: .* does not fit \(recommend.blend: names .*\); false leaves"):
        night.tuned()
    assert tune_recommender._at_hand(night).recommend.blend == weekly.config.recommend.blend  # a new search mends it
    assert any("does not fit" in note for note in night.notes)


def test_what_a_night_has_learned_is_to_be_beaten_where_nobody_has_tuned(spark, weekly):
    night = weekly.night(spark)
    night.write_rows([("als", 0.9), ("linear", 0.1)], "blend_weights", "recommend_tracks")
    due = {False: {"als": 0.9, "linear": 0.1}, True: weekly.night(spark).tuned().config.recommend.blend}
    for used, blend in due.items():
        job = weekly.night(spark)
        job.base, job.run = night.run, job.run.nested("weekly")
        job.config = job.config.having({"tuning.used": used})
        assert tune_recommender._at_hand(job).recommend.blend == blend
