"""A real night on the demo, looked at and listened to in a real browser."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from tests.report import chromium

pytestmark = [*chromium.NEEDED, pytest.mark.slow]
ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with the demo's inputs, its published night and a listening test."""
    folder = tmp_path_factory.mktemp("demo")
    config = ["--config", str(ROOT / "conf/demo.yaml")]
    for words in (["demo-data", "var/demo"], ["nightly", *config], ["listening-test", "test", *config]):
        command = [sys.executable, "-m", "musai", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture
def page(demo: pathlib.Path) -> pathlib.Path:
    warehouse = demo / "var/warehouse"
    report: str = json.loads((warehouse / "_published.json").read_text())["report"]
    return warehouse / report


def test_the_page_and_its_sounds_are_small(page: pathlib.Path) -> None:
    assert sum(file.stat().st_size for file in page.parent.rglob("*") if file.is_file()) < 5e6
    assert len(list((page.parent / "sound").iterdir())) == 24


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [chromium.DESKTOP, chromium.PHONE])
def test_the_report_answers_picks_and_plays(browser, checker, page: pathlib.Path, tmp_path, size, scheme) -> None:
    browser.said.clear()
    browser.open(page.as_uri(), *size, scheme)
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    before = browser.run("document.getElementById('lists').textContent")
    browser.run("document.getElementById('next').click()")
    assert browser.run("document.getElementById('lists').textContent") != before
    titles = browser.run("[...document.querySelectorAll('#lists h3')].map((title) => title.textContent)")
    assert titles[:2] == ["Played most", "For you"]
    assert any("mood" in title for title in titles)
    playing = "const player = document.querySelectorAll('audio')[3]; player.play();"
    heard = (
        f"new Promise((done) => {{ {playing} player.addEventListener('timeupdate', () => done(player.duration)); }})"
    )
    assert browser.run(heard) > 10
    browser.run("document.querySelectorAll('audio')[3].pause()")
    assert browser.said == []
    assert chromium.serious_faults(browser, checker) == []
    browser.picture(tmp_path / "report.png")


def test_the_listening_test_of_the_night_opens(browser, checker, demo: pathlib.Path) -> None:
    browser.said.clear()
    browser.open((demo / "test/index.html").as_uri(), *chromium.PHONE)
    browser.run("document.getElementById('begin').click()")
    assert browser.run("document.getElementById('place').textContent") == "Pair 1 of 14"
    loaded = """new Promise((done) => {
      const player = document.getElementById('a');
      if (player.readyState > 0) done(player.duration);
      else player.addEventListener('loadedmetadata', () => done(player.duration));
    })"""
    assert browser.run(loaded) == pytest.approx(12, abs=0.1)
    assert browser.said == []
    assert chromium.serious_faults(browser, checker) == []
