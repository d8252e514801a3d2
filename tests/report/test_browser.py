"""The page in a real browser: nothing thrown or fetched, picker and pictures by keyboard, no serious fault for axe."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from musai.report import page
from musai.report.facts import Facts
from tests.report import chromium

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="no Chromium: apt-get install chromium"),
]
DESKTOP, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory):
    with chromium.opened(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def shown(browser: chromium.Page, facts: Facts, tmp_path: pathlib.Path):
    """Open the page of the made-up night at a size and in a colour scheme."""
    file = tmp_path / "index.html"
    file.write_text(page.rendered(facts), encoding="utf-8")

    def opened(size: tuple[int, int] = DESKTOP, scheme: str = "light") -> chromium.Page:
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


def axe(folder: pathlib.Path) -> str | None:
    """axe-core as npm has it; None where there is no npm or no registry."""
    try:
        command = ["npm", "install", "--silent", "--no-audit", "--prefix", str(folder), "axe-core@4"]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError):
        return None
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> str:
    found = axe(tmp_path_factory.mktemp("axe"))
    if found is None:
        pytest.skip("axe-core cannot be had from npm")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_axe_finds_no_serious_fault(shown, checker: str, size, scheme) -> None:
    tab = shown(size, scheme)
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    tab.run(f"{checker}; 0")
    faults = "found.violations.map((each) => [each.impact, each.id, each.nodes.slice(0, 3).map((n) => n.html)])"
    found = tab.run(f"axe.run().then((found) => {faults})")
    assert [fault for fault in found if fault[0] in ("serious", "critical")] == []
