"""Ids and titles are data: whatever stands in them passes through a whole night, its tables, paths and screens."""

from __future__ import annotations

import ast
import io
import json
import pathlib

import pyarrow.dataset as ds
import pytest
from rich.console import Console

from musai import show
from musai.redaction import STEERING
from musai.storage import LocalStorage
from musai.warehouse import Warehouse
from tests import nights

HOSTILE = (
    "../../x", "'; drop table users; --", "=1+1", "\x00\x01\x1b[31mred", "a\nb\tc", "x" * 10_000, "${jndi:ldap://h}",
    "%s{}`$(id)`", "<script>alert(1)</script>", "[bold]x[/bold]", "\u202etxt.exe", "__HIVE_DEFAULT_PARTITION__", "null",
    "a/run_id=b", ".", "ü\U0001f3b5",
)  # fmt: skip
UNPICKLERS = ("pickle", "marshal", "shelve", "dill", "joblib")
MUSAI = pathlib.Path(__file__).parents[1] / "musai"


@pytest.fixture(scope="module")
def hostile(spark, tmp_path_factory) -> nights.Made:
    """A night of listeners and tracks that all have such ids."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "logs").mkdir()
    pairs = [(user, (user + step) % len(HOSTILE)) for user in range(len(HOSTILE)) for step in range(5)]
    rows = [{"user_id": HOSTILE[user], "track_id": HOSTILE[track]} for user, track in pairs]
    (folder / "logs/a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    tracks = [{"track_id": one, "title": one, "artist": one} for one in HOSTILE]
    (folder / "tracks.jsonl").write_text("\n".join(map(json.dumps, tracks)))
    before = sorted(folder.parent.rglob("*"))
    made = nights.run(
        nights.settings_of(
            folder, f"inputs.tracks={folder / 'tracks.jsonl'}", "similarity.track_methods=[cosine]",
            "recommend.blend={als: 1, cosine: 1}", "evaluation.min_tracks=1000", "recommend.top_n=5",
        )
    )  # fmt: skip
    outside = set(folder.parent.rglob("*")) - set(before) - set((folder / "warehouse").rglob("*"))
    assert outside == {folder / "warehouse"}
    return made


def test_every_table_has_them_as_they_are(hostile: nights.Made) -> None:
    for table, column in (
        ("interactions", "user_id"), ("interactions", "track_id"), ("users", "user_id"), ("tracks", "title"),
        ("user_factors", "user_id"), ("similar_users", "similar_user_id"), ("recommendations", "user_id"),
    ):  # fmt: skip
        assert set(hostile.table(table)[column]) == set(HOSTILE), f"{table}.{column}"
    assert hostile.outcome.published


def test_a_screen_shows_them_and_is_not_steered(hostile: nights.Made) -> None:
    published = Warehouse(LocalStorage(hostile.config.warehouse.path), hostile.config)
    for one in HOSTILE:
        text = io.StringIO()
        show.user(published, one, Console(file=text, width=200))
        show.track(published, one, Console(file=text, width=200))
        assert not STEERING.search(text.getvalue().replace("\n", "")), repr(one)
        assert "for_you" in text.getvalue()


def test_names_in_the_warehouse_are_ours_alone(hostile: nights.Made) -> None:
    root = pathlib.Path(hostile.config.warehouse.path)
    names = {part for path in root.rglob("*") for part in path.relative_to(root).parts}
    assert not [name for name in names if any(len(one) > 4 and one in name for one in HOSTILE)]
    assert ds.dataset(root / "recommendations", format="parquet", partitioning="hive").count_rows() > 0


def test_nothing_is_unpickled_and_arrays_and_weights_hold_no_code() -> None:
    """pickle, marshal and shelve are imported nowhere; numpy and torch are told to load data only."""
    faults = []
    for file in MUSAI.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and [alias.name for alias in node.names] != ["UnpicklingError"]:
                names.append(node.module or "")  # (the error is what torch raises where there is more than data)
            faults += [
                f"{file}: {name}" for name in names if name.split(".")[0] in ("pickle", "marshal", "shelve", "dill")
            ]
            if isinstance(node, ast.Call):
                said = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                called = ast.unparse(node.func)
                if called == "torch.load" and said.get("weights_only") != "True":
                    faults.append(f"{file}:{node.lineno}: torch.load without weights_only=True")
                if called in ("np.load", "numpy.load") and said.get("allow_pickle", "False") != "False":
                    faults.append(f"{file}:{node.lineno}: np.load with allow_pickle")
                if called.endswith(("read_pickle", "yaml.load", "yaml.unsafe_load")):
                    faults.append(f"{file}:{node.lineno}: {called}")
    assert faults == []
