"""The page in a real browser: nothing thrown or fetched, picker and pictures by keyboard, no serious fault for axe."""

from __future__ import annotations

import pathlib

import pytest

from musai.music import clips
from musai.report import page
from musai.report.facts import Facts
from tests.report import chromium
from tests.report.conftest import midi

pytestmark = chromium.NEEDED
DESKTOP, PHONE = chromium.DESKTOP, chromium.PHONE


@pytest.fixture
def shown(browser: chromium.Page, facts: Facts, tmp_path: pathlib.Path):
    """Open the page of the made-up night at a size and in a colour scheme."""
    file = tmp_path / "index.html"
    file.write_text(page.rendered(facts), encoding="utf-8")

    def opened(size: tuple[int, int] = DESKTOP, scheme: str = "light", sounds: bool = False) -> chromium.Page:
        if sounds:
            (tmp_path / "sound").mkdir()
            (tmp_path / "sound/01.ogg").write_bytes(clips.ogg(clips.sound(midi(1), 10)))
        browser.said.clear()
        browser.asked.clear()
        browser.open(file.as_uri(), *size, scheme)
        return browser

    return opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_it_opens_without_a_word_on_the_console_and_fits(shown, tmp_path, size, scheme) -> None:
    tab = shown(size, scheme)
    assert tab.run("document.title") == "MusAI, night of 2026-01-02"
    assert tab.said == []
    assert [url for url in tab.asked if not url.startswith("file://")] == []
    assert len(tab.asked) == 1
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    tab.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000


def test_the_picker_works_by_keyboard(shown, facts: Facts) -> None:
    tab = shown()
    said = "document.getElementById('said').textContent"
    assert tab.run(said) == f"{facts.listeners[0]['user_id']} heard 10 tracks and gets 2 lists."
    for _ in range(30):
        tab.press("Tab")
        if tab.run("document.activeElement.id") == "listener":
            break
    assert tab.run("document.activeElement.id") == "listener"
    tab.press("ArrowDown")
    assert facts.listeners[1]["user_id"] in tab.run(said)
    assert tab.run("[...document.querySelectorAll('#lists h3')].map((title) => title.textContent)") == [
        "Played most", "For you", "In a calm mood",
    ]  # fmt: skip
    tab.press("Tab")
    tab.press("Enter")
    assert facts.listeners[0]["user_id"] in tab.run(said)
    assert tab.run("document.querySelectorAll('#lists .cover').length") == 3


def test_arrow_keys_go_from_track_to_track(shown, facts: Facts) -> None:
    tab = shown()
    named = "document.querySelector('#tracks .named').textContent"
    tab.run("document.querySelector('.explored').focus()")
    tab.press("ArrowRight")
    first = tab.run(named)
    assert facts.tracks["t4"]["title"] in first  # the one nearest to the middle
    tab.press("ArrowRight")
    assert tab.run(named) != first
    assert tab.run("document.querySelectorAll('.here').length") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_axe_finds_no_serious_fault(shown, checker: str, size, scheme) -> None:
    tab = shown(size, scheme)
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert chromium.serious_faults(tab, checker) == []


def test_a_created_track_plays_and_a_line_shows_where(shown, tmp_path: pathlib.Path) -> None:
    tab = shown(sounds=True)
    script = """new Promise((done) => {
      const player = document.querySelector('audio');
      player.addEventListener('timeupdate', () => { if (player.currentTime > .3) done(player.currentTime); });
      player.play();
    })"""
    assert tab.run(script) > 0.3
    assert tab.run("document.querySelector('.head').getAttribute('transform')").startswith("translate(")
    assert tab.run("document.querySelectorAll('.head').length") == 1
    assert tab.said == []
    assert [url.rsplit("/", 2)[-2:] for url in tab.asked[1:]] == [["sound", "01.ogg"]]
