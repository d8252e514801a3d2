"""The pictures and pages that are made, and the examples of docs/, which run as they stand."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from musai import cards, tables
from musai.report.page import path_of
from musai.tables import picture
from tests.docs.reading import PAGES, ROOT, blocks

DOCS = ROOT / "docs"


def test_the_picture_of_the_flow_is_the_tables_own() -> None:
    drawn = picture.svg()
    assert (DOCS / "flow.svg").read_text(encoding="utf-8") == drawn, "musai jobs --svg docs/flow.svg"
    for job in (*tables.order(), *tables.weekly()):
        assert f">{job}</text>" in drawn
    published = [table for table in tables.TABLES.values() if table.kind != "internal" and table.writers]
    for table in published:
        assert drawn.count(f">{table.name}</text>") == len(table.writers)


def test_an_edge_of_the_picture_is_no_other_way_round() -> None:
    tops = {
        job: int(top) for top, job in re.findall(r'<rect x="\d+" y="(\d+)".*?class="job"[^>]*>(\w+)<', picture.svg())
    }
    for job, needs in tables.dependencies().items():
        assert all(tops[need] < tops[job] for need in needs)


def test_the_page_of_models_is_of_their_cards() -> None:
    assert (DOCS / "models.md").read_text(encoding="utf-8") == cards.markdown(), "musai models > docs/models.md"
    assert set(cards.cards()) <= set(cards.ABOUT)


def test_what_ships_is_small_and_each_model_says_what_it_is_made_of() -> None:
    """20 MB together; the data with licences, figures and the command of each."""
    found = cards.cards()
    assert sum(size for size, _ in found.values()) <= 20_000_000
    readers = {name: card for name, (_, card) in found.items() if name.split("/")[0] in ("embedding", "emotion")}
    assert len(readers) == 5
    for name, card in readers.items():
        licences = [one["licence"] for one in card["data"]] if name != "embedding/small" else [card["data_licence"]]
        assert licences
        assert all([*licences, card["licence"], card["command"], card.get("figures") or card.get("held_out_tunes")])
    makers = {name: card for name, (_, card) in found.items() if name.split("/")[0] == "generation"}
    assert set(makers) == {"generation/rnn", "generation/gan", "generation/judge"}
    for card in makers.values():
        assert all([card["sources"]["licences"], card["licence"], card["command"], card["figures"]])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: pathlib.Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("number", range(len(blocks(DOCS / "tables.md", "python"))))
def test_the_python_of_the_tables_page_reads_what_is_published(number: int, night, spark) -> None:
    names = {"warehouse": night.config.warehouse.path, "user_id": "u03", "spark": spark}
    exec(compile(blocks(DOCS / "tables.md", "python")[number], "tables.md", "exec"), names)  # noqa: S102
    every = night.table("recommendations")
    if "mine" in names:
        assert len(names["mine"]) == (every["user_id"] == "u03").sum()
    elif "popular" in names:
        assert names["popular"].first()["lists"] == every.query("rank <= 5").groupby("track_id").size().max()
    else:
        assert len(names["lists"]) == len(every)


def test_the_python_of_the_readme_reads_what_is_published(night, tmp_path, monkeypatch) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var/warehouse").symlink_to(night.config.warehouse.path)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    (text,) = blocks(ROOT / "README.md", "python")
    exec(compile(text, "README.md", "exec"), names)  # noqa: S102
    assert len(names["lists"]) == len(night.table("recommendations"))


def run(text: str, folder: pathlib.Path, **more: str) -> str:
    """What a shell text prints in a folder, with this environment's commands."""
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "160"} | more
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=environment, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.system
@pytest.mark.slow
def test_the_tutorials_own_log_gives_lists_and_a_page(tmp_path: pathlib.Path) -> None:
    made, checked, night, read = blocks(DOCS / "tutorial.md", "sh", "own")
    assert "can be used" in run(made + checked, tmp_path)
    said = run(night, tmp_path)
    assert "for_you" in said
    page = pathlib.Path(said.splitlines()[-1])
    assert page.parts[-3:] == pathlib.Path(path_of(page.parts[-3])).parts[-3:]
    assert "茉莉花" in page.read_text(encoding="utf-8")
    assert "listener 3" in run(read, tmp_path)


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("javac") is None, reason="no javac: apt-get install openjdk-17-jdk-headless")
def test_the_java_of_the_tables_page_prints_a_list(night, tmp_path: pathlib.Path) -> None:
    (java,) = blocks(DOCS / "tables.md", "java")
    (tmp_path / "ReadLists.java").write_text(java)
    (text,) = blocks(DOCS / "tables.md", "sh", "java")
    said = run(text, tmp_path, WAREHOUSE=str(pathlib.Path(night.config.warehouse.path).absolute()), USER_ID="u03")
    lists = night.table("recommendations").query("user_id == 'u03' and list == 'for_you'").sort_values("rank")
    assert re.findall(r"\|\d+ *\|(\w+) *\|", said) == lists["track_id"].tolist()


@pytest.mark.slow
def test_one_person_gets_new_tracks_at_a_desk(tmp_path: pathlib.Path) -> None:
    from musai.cli import main
    from musai.music.midi import read_midi

    wanted = ["--style", "folk", "--emotion", "happy", "--count", "2", "--seed", "11"]
    assert main(["generate", *wanted, str(tmp_path / "songs")]) == 0
    files = sorted((tmp_path / "songs").iterdir())
    assert [file.suffix for file in files] == [".mid", ".mid"]
    assert all(len(read_midi(file)) > 16 for file in files)
