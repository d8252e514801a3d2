"""Notes to sound: a piece sounds alike whatever was played before."""

import numpy as np
import pytest
import symusic

from musai.music import synthesis
from tests.embedding.conftest import score_of


def test_what_was_played_before_leaves_no_trace():
    """symusic's synthesizer plays a violin otherwise if it has played the fiddle before, which has its samples."""
    violin, fiddle = (score_of([60, 67], program=program) for program in (40, 110))
    fresh = symusic.Synthesizer(synthesis.soundfont(), synthesis.RATE).render(violin, stereo=True)
    synthesis.mono(fiddle)
    np.testing.assert_array_equal(synthesis.mono(violin), np.asarray(fresh, np.float32).mean(axis=0))


@pytest.mark.parametrize("program", range(128))
def test_every_instrument_plays_the_same_notes_alike_and_within_bounds(program):
    """The whistle, as symusic plays it, grows to infinity, another way each time."""
    score = score_of(list(range(36, 97, 12)), seconds_each=0.3, program=program)
    first, second = synthesis.mono(score), synthesis.mono(score)
    np.testing.assert_array_equal(first, second)
    assert 0.001 < np.abs(first).max() < 2


def test_an_excerpt_ends_what_rings_on_and_begins_at_0():
    part = synthesis.excerpt(score_of([60, 62, 64], seconds_each=3.0), 2.0, 7.0)
    [track] = part.tracks
    assert [(note.start, note.duration, note.pitch) for note in track.notes] == [(1.0, 3.0, 62), (4.0, 1.0, 64)]
