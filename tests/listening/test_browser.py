"""A listening test in a real browser, from the first click to the file that is counted."""

from __future__ import annotations

import csv
import pathlib
import time

import pytest

from musai.listening import answers, making
from tests.report import chromium

pytestmark = chromium.NEEDED
PAIRS = 5  # four and one for attention
HEAR = """(async () => {
  for (const id of ['a', 'b']) {
    const player = document.getElementById(id);
    player.playbackRate = 4;
    const over = new Promise((done) => player.addEventListener('ended', done, { once: true }));
    await player.play();
    await over;
  }
})()"""


@pytest.fixture
def folder(published, tmp_path: pathlib.Path) -> pathlib.Path:
    making.make(*published, tmp_path / "test", pairs=PAIRS - 1, attention=1, seconds=2, seed=1)
    return tmp_path / "test"


@pytest.fixture
def shown(browser: chromium.Page, folder: pathlib.Path):
    def opened(size: tuple[int, int] = chromium.DESKTOP, scheme: str = "light", fresh: bool = True) -> chromium.Page:
        browser.said.clear()
        browser.asked.clear()
        browser.open((folder / "index.html").as_uri(), *size, scheme)
        if fresh:
            browser.run("localStorage.clear()")
            browser.open((folder / "index.html").as_uri(), *size, scheme)
        return browser

    return opened


def choose(tab: chromium.Page, side: str) -> None:
    tab.run(f"document.querySelector('input[value={side}]').click()")
    tab.run("document.getElementById('next').click()")


def place(tab: chromium.Page) -> str:
    found: str = tab.run("document.getElementById('place').textContent")
    return found


def test_a_rater_goes_through_it_and_the_file_is_counted(published, shown, folder, tmp_path: pathlib.Path) -> None:
    tab = shown()
    tab("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "downloads"))
    tab.run("document.getElementById('begin').click()")
    choose(tab, "a")
    assert tab.run("document.getElementById('hint').textContent") == "Listen to A and B first."
    for pair in range(PAIRS):
        assert place(tab) == f"Pair {pair + 1} of {PAIRS}"
        tab.run(HEAR)
        choose(tab, "ab"[pair % 2])
        if pair == 1:  # the window was closed: it goes on where it was
            tab = shown(fresh=False)
            tab.run("document.getElementById('begin').click()")
    assert tab.run("document.getElementById('trial').hidden")
    tab.run("document.getElementById('answers').click()")
    until = time.monotonic() + 30
    while not (files := list((tmp_path / "downloads").glob("answers-*.csv"))):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert tab.said == []
    rows = list(csv.DictReader(files[0].read_text().splitlines()))
    assert [row["side"] for row in rows] == ["a", "b", "a", "b", "a"]
    assert all(float(row["heard_a_s"]) > 1.5 for row in rows)
    results = answers.counted(published[0], files)
    assert results["raters"] + results["inattentive"] == 1
    assert (results["incomplete"], results["verdict"]) == (0, False)


def test_each_rater_has_an_order_of_their_own(shown) -> None:
    seen = set()
    for _ in range(4):
        tab = shown()
        tab.run("document.getElementById('begin').click()")
        seen.add(tab.run("document.getElementById('a').src + document.getElementById('b').src"))
    assert len(seen) > 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [chromium.DESKTOP, chromium.PHONE])
def test_it_fits_and_axe_finds_no_serious_fault(shown, checker: str, size, scheme) -> None:
    tab = shown(size, scheme)
    for part in ("start", "trial", "end"):
        if part == "trial":
            tab.run("document.getElementById('begin').click()")
        elif part == "end":
            tab.run("finish()")
        assert tab.run("document.documentElement.scrollWidth <= innerWidth")
        assert chromium.serious_faults(tab, checker) == [], part
    assert [url for url in tab.asked if not url.startswith("file://")] == []
