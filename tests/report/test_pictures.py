"""Pictures with known answers: where a bar ends, where a note lies, what a map of known clouds looks like."""

from __future__ import annotations

import re

import numpy as np
import pytest
import symusic

from musai.report import drawing
from musai.report.facts import Embedded
from musai.report.rolls import notes_of
from musai.report.tracks import flattened


def numbers(pattern: str, text: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, text)]


def test_a_bar_is_as_long_as_its_share_of_the_longest() -> None:
    text = drawing.bar(30, 120, before=[60, 240])
    assert numbers(r'class="bar" y="3" width="([\d.]+)"', text) == [drawing.BAR_WIDTH / 4]
    assert numbers(r'class="mark" d="M([\d.]+) ', text) == [drawing.BAR_WIDTH / 2, drawing.BAR_WIDTH]
    assert numbers(r'width="([\d.]+)" height="8"', drawing.bar(0, 0)) == [0]


def test_shares_fill_the_bar() -> None:
    text = drawing.shares([("used", 3), ("rejected", 1)], "3 used, 1 rejected")
    assert numbers(r' x="([\d.]+)"', text) == [0, 450]
    assert numbers(r' width="([\d.]+)"', text) == [450, 150]
    assert 'aria-label="3 used, 1 rejected"' in text


def test_an_interval_lies_around_its_value_on_one_scale() -> None:
    text = drawing.intervals([("all", 0.2, 0.1, 0.3, 0.4), ("light", 0.4, None, None, None)], "figures")
    assert numbers(r'class="dot" cx="([\d.]+)"', text) == [165, 270]
    assert re.findall(r'class="interval" d="M([\d.]+) 11H([\d.]+)"', text) == [("112.5", "217.5")]
    assert numbers(r'class="baseline" d="M([\d.]+) 6', text) == [270]


def test_a_history_of_one_value_is_a_level_line() -> None:
    text = drawing.line([(0.5, None, None), (0.5, None, None)], "two nights")
    [path] = re.findall(r'class="line" d="M([^"]+)"', text)
    assert len({point.split()[1] for point in path.split("L")}) == 1


def test_points_lie_on_the_plane_with_arousal_upwards() -> None:
    text = drawing.points([(1, 1, 0, 7), (-1, -1, 1, 8)], [], "plane")
    assert re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r="3.2" data-t="(\d)"', text) == [
        ("376.0", "24.0", "7"), ("24.0", "376.0", "8"),
    ]  # fmt: skip


def score(*tracks: list[tuple[int, int, int]]) -> bytes:
    made = symusic.Score(480)
    for notes in tracks:
        part = symusic.Track("part", 0, False)
        for start, length, pitch in notes:
            part.notes.append(symusic.Note(start, length, pitch, 80))
        made.tracks.append(part)
    return bytes(made.dumps_midi())


def test_notes_are_read_in_quarters() -> None:
    assert notes_of(score([(480, 240, 60)], [(0, 960, 48)])) == [(0, 2, 48, 1), (1, 0.5, 60, 0)]


@pytest.mark.parametrize("midi", [b"", b"MThd", b"no midi at all", score([])])
def test_what_holds_no_notes_is_not_drawn(midi: bytes) -> None:
    assert notes_of(midi) is None


def test_a_roll_has_high_notes_above_low_ones_and_time_to_the_right() -> None:
    text = drawing.roll([(0, 1, 60, 0), (3, 1, 72, 1)], "two notes")
    assert re.findall(r'class="k0" d="M([\d.]+) ([\d.]+)h', text)[0][0] == "0.0"
    [(left, top)] = re.findall(r'class="k1" d="M([\d.]+) ([\d.]+)h', text)
    [(_, low)] = re.findall(r'class="k0" d="M([\d.]+) ([\d.]+)h', text)
    assert float(left) == pytest.approx(0.75 * drawing.ROLL_WIDTH)
    assert float(top) < float(low)


def test_the_map_shows_what_varies_most_whatever_the_sign() -> None:
    """Two long directions and a short one in 5 dimensions, turned by a rotation."""
    random = np.random.default_rng(3)
    turn = np.linalg.qr(random.normal(size=(5, 5)))[0]
    flat = np.zeros((300, 5))
    flat[:, :3] = random.normal(size=(300, 3)) * [9, 4, 0.1]
    vectors = (flat @ turn + 50).astype(np.float32)
    places, explained = flattened(Embedded("m", [str(n) for n in range(300)], vectors))
    assert explained > 0.999
    assert np.abs(places).max() <= 1
    for axis in range(2):
        assert abs(np.corrcoef(places[:, axis], flat[:, axis])[0, 1]) > 0.99
    mirrored, _ = flattened(Embedded("m", [str(n) for n in range(300)], 100 - vectors))
    np.testing.assert_allclose(np.abs(mirrored), np.abs(places), atol=1e-4)


def test_the_map_of_equal_tracks_is_a_point() -> None:
    places, explained = flattened(Embedded("m", ["a", "b", "c"], np.ones((3, 4), np.float32)))
    assert (places == 0).all()
    assert explained == 0
