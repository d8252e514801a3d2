"""How files and KEY=VALUE merge over conf/base.yaml, and what is said of every fault."""

from __future__ import annotations

import ast
import inspect
import pathlib
import textwrap
from typing import get_args

import pytest

from musai import config as configuration
from musai.config import load, loading, sections
from musai.errors import InputError


@pytest.fixture
def file(tmp_path: pathlib.Path):
    """Write a configuration file; gives its path."""

    def written(text: str, name: str = "my.yaml") -> pathlib.Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return written


def faults(*overrides: str, files=()) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(files, overrides)
    assert caught.value.exit_status == 2
    return caught.value.faults


def test_every_fault_is_reported_at_once_with_its_key(file) -> None:
    found = faults(
        "recommend.top_n=0",
        "ingest.time_zone=Middle/Earth",
        "similarity.track_methods=[cosine, cosine]",
        "spark.shuffle_partitions=many",
        "nonsense",
        files=[file("factorization: {alpha: -1}\nseed: x\n"), "/nowhere/at_all.yaml"],
    )
    assert {fault.split(":")[0] for fault in found} == {
        "/nowhere/at_all.yaml", "nonsense", "seed", "ingest.time_zone", "similarity.track_methods",
        "factorization.alpha", "recommend.top_n", "spark.shuffle_partitions",
    }  # fmt: skip
    assert all("\n" not in fault for fault in found)


def test_a_fault_between_sections_is_among_the_others() -> None:
    found = faults("recommend.blend={bm25: 1}", "recommend.max_tracks_per_artist=-3")
    assert [fault.split(":")[0] for fault in found] == ["recommend.max_tracks_per_artist"]
    found = faults("recommend.blend={bm25: 1}", "factorization.alpha=0")
    assert [fault.split(":")[0] for fault in found] == ["factorization.alpha", "recommend.blend"]
    assert faults("recommend.blend={bm25: 1}") == ["recommend.blend: names bm25, which similarity.track_methods lacks"]
    load(overrides=["recommend.blend={bm25: 1}", "similarity.track_methods=[bm25]"])


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [
        ("recommend.topn", "recommend.top_n"),
        ("recomend.top_n", "recommend.top_n"),
        ("factorisation.factors", "factorization.factors"),
        ("sede", "seed"),
        ("inputs.interactions_format.seperator", "inputs.interactions_format.separator"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_was_meant(file, key: str, suggestion: str) -> None:
    due = f"{key}: no such key; did you mean {suggestion}?"
    assert faults(f"{key}=1") == [due]
    assert faults(files=[file(f"{key}: 1\n")]) == [due]


@pytest.mark.parametrize("key", ["warehouse.path.x", "seed.x", "a..b", "qqqq", "recommend.", ".seed"])
def test_a_key_below_a_value_or_without_a_name_is_unknown(key: str) -> None:
    (fault,) = faults(f"{key}=1")
    assert fault.startswith(f"{key}: no such key")


def test_free_mappings_say_which_keys_they_take() -> None:
    (fault,) = faults("inputs.tracks_columns.titel=Name")
    assert fault.startswith("inputs.tracks_columns.titel: no such key; it is one of 'track_id', 'title', ")
    (fault,) = faults("recommend.blend.alss=1")
    assert fault.startswith("recommend.blend.alss: no such key; it is one of 'als', ")


def test_files_merge_from_left_to_right_and_overrides_win(file) -> None:
    first = file("seed: 1\nrecommend: {top_n: 11, explicit: exclude}\nevaluation: {ks: [1, 2]}\n", "first.yaml")
    second = file("seed: 2\nrecommend: {top_n: 22}\n", "second.yaml")
    both = load([first, second])
    assert (both.seed, both.recommend.top_n, both.recommend.explicit, both.evaluation.ks) == (2, 22, "exclude", [1, 2])
    assert load([second, first]).recommend.top_n == 11
    assert load([first, second], ["recommend.top_n=33", "seed=3"]).recommend.top_n == 33
    assert load([first], ["seed=4", "seed=5"]).seed == 5


def test_the_three_input_formats_are_changed_one_by_one(file) -> None:
    """They share one anchor in base.yaml, and PyYAML gives all three the same object."""
    inputs = load(
        [file("inputs: {interactions_format: {separator: ';'}}\n")], ["inputs.tracks_format.header=false"]
    ).inputs
    assert [inputs.interactions_format.separator, inputs.tracks_format.separator] == [";", None]
    assert [inputs.tracks_format.header, inputs.aliases_format.header] == [False, True]


def test_a_weight_that_float32_does_not_hold_is_named_with_its_bounds() -> None:
    (fault,) = faults("recommend.blend={als: 1e300, linear: 1}")
    assert fault.startswith("recommend.blend: the weight of als is neither 0 nor from 1e-06 to 1e+06 (it is ")
    assert load(overrides=["recommend.blend={als: 0, linear: 1e-6}"]).recommend.blend["linear"] == 1e-6


def test_a_blend_replaces_the_one_before_and_a_single_weight_changes_one(file) -> None:
    assert load([file("recommend: {blend: {als: 1}}\n")]).recommend.blend == {"als": 1.0}
    assert load(overrides=["recommend.blend={cosine: 2}"]).recommend.blend == {"cosine": 2.0}
    usual = load().recommend.blend
    blend = load(overrides=["recommend.blend.als=0.7", "recommend.blend.cooccurrence=0.2"]).recommend.blend
    assert blend == usual | {"als": 0.7, "cooccurrence": 0.2}
    assert load(overrides=["recommend.blend.als=0"]).recommend.blend == usual | {"als": 0.0}
    assert load(overrides=["ingest.event_weights.share=5"]).ingest.event_weights["share"] == 5
    assert load(overrides=["ingest.event_weights={share: 5}"]).ingest.event_weights["play"] == 1


@pytest.mark.parametrize("text", ["/data/w", "2024", "null", "a: b", "/my #1", "~/w", "no", "hdfs://host/w"])
def test_warehouse_folder_is_short_for_its_path(file, text: str) -> None:
    assert load(overrides=[f"warehouse={text}"]).warehouse.path == text
    assert load(overrides=[f"warehouse.path={text}"]).warehouse.path == text
    assert load([file(f"warehouse: '{text}'\n")]).warehouse.path == text
    assert load(overrides=[f"warehouse={{path: '{text}', keep_runs: 2}}"]).warehouse.path == text
    merged = load([file(f"warehouse: '{text}'\n"), file("warehouse: {keep_runs: 3}\n", "more.yaml")]).warehouse
    assert (merged.path, merged.keep_runs, merged.keep_history_days) == (text, 3, 730)


@pytest.mark.parametrize("text", ["", "a*", "/data/[x]", "a{b}", "a?", "a\\b"])
def test_a_warehouse_that_spark_would_read_as_a_pattern_is_a_fault(text: str) -> None:
    assert [fault.split(":")[0] for fault in faults(f"warehouse={text}")] == ["warehouse.path"]


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("inputs.interactions=2024", "2024"),
        ("inputs.interactions=2024-11-01", "2024-11-01"),
        ("inputs.interactions=1e3", "1e3"),
        ("inputs.interactions=a: b", "a: b"),
        ("inputs.interactions=a #1", "a #1"),
        ("inputs.interactions=[x", "[x"),
        ("inputs.interactions=null", None),
        ("inputs.interactions=", None),
        ("inputs.interactions='null'", "null"),
        ("inputs.blocked_tracks=007", "007"),
        ("inputs.interactions_columns.user_id=1", 1),
        ("inputs.interactions_columns.user_id='1'", "1"),
        ("inputs.interactions_columns.user_id=yes", "yes"),
        ("inputs.interactions_columns.user_id=null", "null"),
        ("inputs.interactions_columns.user_id=2024-11-01", "2024-11-01"),
        ("inputs.interactions_columns.user_id=a.b", "a.b"),
        ("inputs.interactions_format.separator=|", "|"),
        ("inputs.interactions_format.separator=:", ":"),
        ("inputs.interactions_format.separator=-", "-"),
        ("inputs.interactions_format.separator= ", " "),
        ("inputs.interactions_format.separator=\t", "\t"),
        ('inputs.interactions_format.separator="\\t"', "\t"),
        ("inputs.interactions_format.separator=null", None),
        ("inputs.interactions_format.quote=", ""),
        ("inputs.interactions_format.quote='", "'"),
        ('inputs.interactions_format.quote="', '"'),
        ("factorization.regularization=1e-3", 0.001),
        ("matrix.weighting=none", "none"),
        ("matrix.recency_half_life_days=null", None),
        ("spark.master=local[2]", "local[2]"),
        ("spark.conf.spark.executor.cores=2", 2),
        ("spark.conf.spark.sql.x=true", True),
        ("spark.conf.spark.sql.y=on a day", "on a day"),
    ],
)
def test_values_that_look_like_yaml(override: str, value: object) -> None:
    key = override.partition("=")[0]
    found: object = load(overrides=[override])
    parts = key.split(".") if not key.startswith("spark.conf.") else ["spark", "conf", key.removeprefix("spark.conf.")]
    for part in parts:
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (
            "inputs: {interactions: 2024}",
            "inputs.interactions",
        ),  # 007 and 1_000 cannot be told from 7 and 1000 any more
        ("inputs: {interactions_columns: {user_id: yes}}", "inputs.interactions_columns.user_id"),
        ("inputs: {interactions_columns: {user_id: 0}}", "inputs.interactions_columns.user_id"),
        ("inputs: {interactions_columns: {user_id: ''}}", "inputs.interactions_columns.user_id"),
        ("recommend: {top_n: yes}", "recommend.top_n"),
        ("evaluation: {ks: [on]}", "evaluation.ks.0"),
        ("ingest: {event_weights: {play: off}}", "ingest.event_weights.play"),
        ("ingest: {event_weights: {play: .nan}}", "ingest.event_weights.play"),
        ("recommend: {blend: {als: .inf}}", "recommend.blend.als"),
        ("recommend: {blend: {als: 0}}", "recommend.blend"),
        ("recommend: {blend: {als: 1.0e+300, linear: 1}}", "recommend.blend"),
        ("recommend: {blend: {als: 1.0e-50}}", "recommend.blend"),
        ("evaluation: {ks: [20, 10, 20]}", "evaluation.ks"),
        ("recommend: {lists: [discover]}", "recommend.lists"),
        ("recommend: {lists: [for_you, for_you]}", "recommend.lists"),
        ("spark: {conf: {spark.x: [1]}}", "spark.conf.spark.x"),
        ("recommend: 5", "recommend"),
        ("inputs: {tracks_columns: [a]}", "inputs.tracks_columns"),
    ],
)
def test_values_of_the_wrong_type_in_a_file_are_one_fault(file, text: str, key: str) -> None:
    found = faults(files=[file(text)])
    assert [fault.split(": ")[0] for fault in found] == [key]


def test_a_day_that_is_not_in_the_calendar_is_a_fault(file) -> None:
    (fault,) = faults("ingest.earliest_date=2024-02-30")
    assert fault.startswith("ingest.earliest_date: ")
    path = file("ingest: {earliest_date: 2024-02-30}\n")
    (fault,) = faults(files=[path])
    assert fault.startswith(f"{path}: not YAML: day")


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("seed: 1\nrecommend: {top_n: 1\nspark:\n", ":3: not YAML: "),
        ("seed: 1\n\tx: 2\n", ":2: not YAML: "),
        ("seed: !!python/object/apply:os.getcwd []\n", ":1: not YAML: could not determine a constructor"),
        ("- seed\n", ": a mapping of keys is due, not a list"),
        ("seed\n", ": a mapping of keys is due, not a str"),
        ("seed: 1\nrecommend:\n  top_n: 1\n  top_n: 2\n", ":4: top_n stands here a second time"),
        ("seed: \x01\n", ": not YAML: "),
        ("a: &a [*a]\n", ": not YAML: "),
    ],
)
def test_a_file_that_is_no_configuration_is_named_with_the_line(file, text: str, due: str) -> None:
    path = file(text)
    (fault,) = faults(files=[path])
    assert fault.startswith(f"{path}{due}")
    assert "\n" not in fault


def test_files_that_cannot_be_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("seed: 1 # für\n".encode("latin-1"))
    found = faults(files=[tmp_path / "none.yaml", tmp_path, tmp_path / "latin.yaml"])
    assert [fault.split(":")[0] for fault in found] == [str(tmp_path / n) for n in ("none.yaml", "", "latin.yaml")]
    assert found[0].endswith("No such file or directory")
    assert found[1].endswith("Is a directory")


@pytest.mark.parametrize("text", ["", "# nothing\n", "inputs:\n# interactions: x\nrecommend:\n"])
def test_an_empty_file_or_section_changes_nothing(file, text: str) -> None:
    assert load([file(text)]) == load()


def test_dotted_keys_in_a_file_do_what_they_look_like(file) -> None:
    found = load([file("recommend.top_n: 7\nspark.conf: {spark.executor.cores: 2}\n")])
    assert (found.recommend.top_n, found.spark.conf) == (7, {"spark.executor.cores": 2})


def test_conf_files_are_found_from_anywhere(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(["conf/datasets/lastfm_2k.yaml"]).inputs.interactions_columns["user_id"] == "userID"
    assert faults(files=["conf/datasets/none.yaml"])[0].endswith("none.yaml: No such file or directory")


@pytest.mark.parametrize("path", sorted(configuration.conf_path("").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_of_conf_can_be_used(path: pathlib.Path) -> None:
    if path.name != "licences.yaml":  # not a configuration of MusAI
        load([path])


def test_yaml_is_only_read_safely() -> None:
    tree = ast.parse(inspect.getsource(loading))
    calls = {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "yaml"
    }
    assert calls <= {
        "safe_load",
        "compose",
        "SafeLoader",
        "YAMLError",
        "Node",
        "MappingNode",
    }  # compose makes no objects


def test_every_part_that_a_blend_may_name_is_taken() -> None:
    parts = get_args(get_args(sections.Recommend.model_fields["blend"].annotation)[0])
    assert {"als", "popularity", "mood", "linear", "bm25"} <= set(parts)
    methods = sorted(set(parts) - set(sections.NOT_OF_NEIGHBOURS))
    for part in parts:
        given = [f"similarity.track_methods=[{', '.join(methods)}]", f"recommend.blend={{{part}: 1}}"]
        assert load([], given).recommend.blend == {part: 1.0}
