"""Plans: how many of each method, style and emotion, and which sources go where."""

import collections
import datetime as dt

import pytest

from musai import config as configuration
from musai.generation import plan
from musai.generation.plan import SourceTrack

DATE = dt.date(2026, 1, 2)
KNOWN = {"rnn": ["chorale", "folk"], "gan": ["folk"], "style_transfer": ["chorale", "folk"]}
SOURCES = [SourceTrack(f"t{number}", style, f"{number}.mid", "CC0-1.0")
           for number, style in enumerate(["folk", "chorale", "folk", None] * 4)]  # fmt: skip


def settings(*overrides):
    return configuration.load([], overrides).generation


def orders(own, known=KNOWN, sources=SOURCES, wanted=None):
    return plan.orders(own, known, wanted or plan.wanted(own, {}, {}), sources, 1, DATE)


def test_methods_have_their_shares_and_cells_are_even():
    made = orders(settings("generation.tracks=32"))
    assert collections.Counter(one.method for one in made) == {"rnn": 16, "gan": 8, "style_transfer": 8}
    composed = collections.Counter((one.style, one.emotion) for one in made if one.source is None)
    assert set(composed.values()) == {3}
    assert len(composed) == 8
    assert {one.style for one in made if one.method == "gan"} == {"folk"}
    assert len({one.generated_id for one in made}) == len({one.seed for one in made}) == 32
    assert made == orders(settings("generation.tracks=32"))


def test_a_source_goes_to_another_style_than_its_own():
    made = [one for one in orders(settings("generation.tracks=32")) if one.source]
    assert [one.source.track_id for one in made] == [f"t{number}" for number in range(8)]
    assert all(one.style != one.source.style for one in made)
    only = orders(settings("generation.tracks=32", "generation.transfer_to=[chorale]"))
    assert "t1" not in [one.source.track_id for one in only if one.source]


def test_without_sources_or_a_gan_the_others_make_them_all():
    made = orders(settings("generation.tracks=32"), {"rnn": ["chorale", "folk"]}, [])
    assert collections.Counter(one.method for one in made) == {"rnn": 32}
    assert orders(settings(), {"rnn": ["opera"]}, []) == []


def test_what_is_played_and_lacks_is_wanted_most():
    own = settings("generation.styles={folk: [reel], chorale: [chorale]}", "generation.emotions=[happy, sad]")
    plays = {("folk", "happy"): 60, ("folk", "sad"): 30, ("chorale", "sad"): 10, ("folk", "neutral"): 900}
    tracks = {("folk", "happy"): 60, ("folk", "sad"): 10, ("chorale", "happy"): 20, ("chorale", "sad"): 10}
    found = plan.wanted(own, plays, tracks)
    assert found == pytest.approx({
        ("folk", "happy"): 0.6, ("folk", "sad"): 0.3 * 2, ("chorale", "sad"): 0.1, ("chorale", "happy"): 0.25 / 4,
    })  # fmt: skip


def test_turns_follow_the_weights():
    had: collections.Counter[str] = collections.Counter()
    assert "".join(plan.turn({"a": 0.5, "b": 0.25}, had) for _ in range(6)) == "abaaba"
