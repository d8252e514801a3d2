"""The page as a parser reads it: well-formed, complete for readers of screens, and nothing in it out of its place."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import json

import pytest

from musai.music.midi import write_midi
from musai.music.notes import STEPS_PER_QUARTER, piece_of
from musai.report import page, sound
from musai.report.facts import Facts
from musai.report.markup import CONTROLS, escape, script_json, seconds
from tests.report.conftest import HOSTILE, created
from tests.report.parsed import Parsed

ELEMENTS = (
    "html head meta title style script body header nav main section article footer h1 h2 h3 p a b code pre small bdi "
    "span div ul li dl dt dd details summary table caption thead tbody tr th td figure figcaption svg rect path circle "
    "text label select optgroup option button noscript output audio"
)


def without(facts: Facts) -> Facts:
    """The same night without anything that a run may lack."""
    return dataclasses.replace(
        facts, dates={"now": "2026-01-02"}, counts=[], reasons=[], jobs=[], metrics=[], emotions=None, labels=[],
        embedded=None, created=None, sounds={}, verdicts=[], likeness=[],
    )  # fmt: skip


@pytest.fixture(params=["whole", "bare"])
def parsed(request, facts: Facts) -> Parsed:
    return Parsed(page.rendered(facts if request.param == "whole" else without(facts)))


def test_the_answers_stand_in_order_under_their_headings(parsed: Parsed) -> None:
    assert parsed.texts("h2") == list(page.ANSWERS.values())
    assert [attributes["id"] for _, attributes, _ in parsed.all("section")] == list(page.ANSWERS)
    assert [attributes["href"] for _, attributes, _ in parsed.all("a")] == [
        "#main",
        *(f"#{key}" for key in page.ANSWERS),
    ]
    levels = [int(tag[1]) for tag, _, _ in parsed.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_readers_of_screens_find_landmarks_labels_captions_and_words_for_pictures(parsed: Parsed) -> None:
    [(_, root, _)] = parsed.all("html")
    assert root["lang"] == "en"
    for tag in ("header", "nav", "main", "footer", "title"):
        assert len(parsed.all(tag)) == 1, tag
    assert [attributes["for"] for _, attributes, _ in parsed.all("label")] == ["listener"]
    assert len(parsed.all("table")) == len(parsed.all("caption"))
    for tag, attributes, text in parsed.all("caption", "summary", "option", "button", "th"):
        assert text.strip() or (tag == "th" and attributes["scope"] == "col"), tag
    for _, attributes, _ in parsed.all("svg"):
        assert attributes.get("aria-hidden") == "true" or attributes["aria-label"], attributes


def test_every_id_is_there_once_and_whatever_refers_to_one_finds_it(parsed: Parsed) -> None:
    ids = [attributes["id"] for _, attributes, _ in parsed.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for _, attributes, _ in parsed.elements:
        for name in ("aria-labelledby", "aria-describedby", "aria-controls", "for"):
            assert set((attributes.get(name) or "").split()) <= set(ids)
        assert (attributes.get("href") or "#main").removeprefix("#") in ids


def test_nothing_is_loaded_and_no_script_but_its_own_may_run(facts: Facts) -> None:
    parsed = Parsed(page.rendered(facts))
    assert {tag for tag, _, _ in parsed.elements} <= set(ELEMENTS.split())
    names = {name for _, attributes, _ in parsed.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")} | names & {"style", "autofocus", "srcdoc"}
    assert [(tag, found["src"]) for tag, found, _ in parsed.elements if "src" in found] == [("audio", "sound/01.ogg")]
    [(_, data, _), (_, _, script)] = parsed.all("script")
    assert data["type"] == "application/json"
    [policy] = [meta["content"] or "" for _, meta, _ in parsed.all("meta") if "http-equiv" in meta]
    [style] = parsed.texts("style")
    for text in (script, style):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_each_created_track_is_heard_or_says_that_it_cannot_be(facts: Facts) -> None:
    parsed = Parsed(page.rendered(facts))
    [(_, heard, _)] = parsed.all("audio")
    assert (heard["data-s"], heard["data-from"]) == ("32.00", "0.00")
    assert heard["preload"] == "none"
    assert parsed.texts("p").count("It cannot be heard.") == 1
    assert "The first 20 s." in parsed.texts("p")


def test_the_line_over_the_roll_begins_where_the_clip_does(facts: Facts) -> None:
    rows = [(60, (8 + n) * STEPS_PER_QUARTER, STEPS_PER_QUARTER, 80, 0) for n in range(8)]
    late = created(1, midi=write_midi(piece_of(rows)), duration_s=8.0)  # two bars of 4/4 are silent, two are not
    [(_, heard, _)] = Parsed(page.rendered(dataclasses.replace(facts, created=[late]))).all("audio")
    assert (heard["data-s"], heard["data-from"]) == ("8.00", "4.00")


def test_clips_share_what_room_there_is() -> None:
    assert sound.cut([10, 20, 30], 1000) == sound.MOST_S
    assert sound.cut([10, 50, 50], 70) == 30
    assert sound.cut([50, 50, 50, 50], 100) == 25
    assert sound.cut([], 100) == sound.MOST_S
    for durations in ([5, 9, 33, 41, 70], [100] * 7):
        longest = sound.cut(durations, 90)
        assert sum(min(duration, longest) for duration in durations) == pytest.approx(90)


def test_hostile_text_stays_text(facts: Facts) -> None:
    parsed = Parsed(page.rendered(facts))
    [(_, _, data), _] = parsed.all("script")
    found = json.loads(data)
    assert [track[1] for track in found["tracks"]] == [
        facts.tracks[track_id]["title"] for track_id in sorted(facts.tracks)
    ]
    assert [listener["id"] for listener in found["listeners"]] == [row["user_id"] for row in facts.listeners]
    shown = [text.rsplit(" (", 1)[0] for text in parsed.texts("option")]
    assert shown == [row["user_id"] for row in facts.listeners]
    assert HOSTILE[0] in parsed.texts("th")
    assert HOSTILE[1] in parsed.texts("td")
    assert {attributes.get("lang") for _, attributes, _ in parsed.all("bdi")} <= {None, "zh"}


def test_a_night_without_them_says_so_in_one_line_each(facts: Facts) -> None:
    parsed = Parsed(page.rendered(without(facts)))
    absent = [text for _, attributes, text in parsed.all("p") if attributes.get("class") == "absent"]
    for table in ("track_emotions", "track_embeddings", "generated_tracks"):
        assert sum(table in text for text in absent) == 1
    assert any("Nothing was measured yet" in text for text in absent)
    assert parsed.all("svg") == []


def test_a_refusal_is_said_first_with_every_check_that_does_not_hold(facts: Facts) -> None:
    failed = [{"check": f"check {n}", "passed": False, "message": f"{n} too few"} for n in (1, 2)]
    text = page.rendered(dataclasses.replace(facts, findings=[*failed, *facts.findings]))
    parsed = Parsed(text)
    [verdict] = [found for _, attributes, found in parsed.all("p") if "verdict" in (attributes.get("class") or "")]
    assert verdict.startswith("The audit refuses this run: 2 checks do not hold")
    assert "check 1: 1 too few" in parsed.texts("li")
    assert "refused by the audit" in text


def test_a_listeners_lists_come_in_a_fixed_order_with_reasons(facts: Facts) -> None:
    [(_, _, data), _] = Parsed(page.rendered(facts)).all("script")
    listener = json.loads(data)["listeners"][1]
    assert listener["heard"] == [[1, 2.0]]
    assert listener["lists"] == [["For you", [[2, "als", 1]]], ["In a calm mood", [[2, "als", 1]]]]


def test_the_cards_of_quality_are_of_for_you_and_other_lists_stand_among_all_figures(facts: Facts) -> None:
    others = [{**row, "list": "discover", "value": 0.777} for row in facts.metrics]
    both = Parsed(page.rendered(dataclasses.replace(facts, metrics=[*others, *facts.metrics])))
    assert both.texts("h3") == Parsed(page.rendered(facts)).texts("h3")
    assert not [text for text in both.texts("p") if "77.7%" in text or "0.777" in text]
    assert "discover" in both.texts("td")
    assert "77.7%" in both.texts("td")


def test_the_newest_measurement_is_told_from_an_older_one(facts: Facts) -> None:
    assert "Not measured this night" not in page.rendered(facts)
    older = dataclasses.replace(facts, metrics=[row for row in facts.metrics if row["run_id"] == "before"])
    text = page.rendered(older)
    assert "Not measured this night: these are the figures of 2026-01-01" in text
    assert "20.0%" in text
    assert "30.0%" not in text


def test_escape_and_script_json() -> None:
    assert escape('<a href="x">\'&\x00') == "&lt;a href=&quot;x&quot;&gt;&#x27;&amp;\ufffd"
    assert CONTROLS.sub("", "tab\tline\n") == "tab\tline\n"
    text = script_json({"a": "</script><!--\u2028&"})
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text) == {"a": "</script><!--\u2028&"}
    with pytest.raises(ValueError, match="JSON compliant"):
        script_json(float("nan"))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (65, "1 min 05 s"), (3599.7, "1 h 00 min"), (7500, "2 h 05 min")],
)
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text
