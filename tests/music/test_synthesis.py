"""Notes to sound: a piece sounds alike whatever was played before."""

import numpy as np
import symusic

from musai.music import synthesis
from tests.embedding.conftest import score_of


def test_what_was_played_before_leaves_no_trace():
    """symusic's synthesizer plays a violin otherwise if it has played the fiddle before, which has its samples."""
    violin, fiddle = (score_of([60, 67], program=program) for program in (40, 110))
    fresh = symusic.Synthesizer(synthesis.soundfont(), synthesis.RATE).render(violin, stereo=True)
    synthesis.mono(fiddle)
    np.testing.assert_array_equal(synthesis.mono(violin), np.asarray(fresh, np.float32).mean(axis=0))
