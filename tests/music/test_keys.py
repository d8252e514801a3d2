"""Keys: scales have their own key in every transposition."""

import pytest

from musai.music.keys import MAJOR_SCALE, key_of, to_common_tonic
from musai.music.notes import Track, piece_of

MELODIC = (0, 2, 3, 5, 7, 8, 11)


def scale(steps, tonic):
    """The scale up and down, with a long tonic at the end."""
    line = [*steps, 12, *reversed(steps)]
    rows = [(60 + tonic + step, 12 * place, 12, 80, 0) for place, step in enumerate(line)]
    return piece_of([*rows, (60 + tonic, 12 * len(rows), 36, 80, 0), (67 + tonic, 12 * len(rows) + 36, 24, 80, 0)])


@pytest.mark.parametrize("tonic", range(12))
def test_a_scale_is_in_its_own_key(tonic):
    major, minor = key_of(scale(MAJOR_SCALE, tonic)), key_of(scale(MELODIC, tonic))
    assert (major.tonic, major.minor) == (tonic, False)
    assert (minor.tonic, minor.minor) == (tonic, True)


@pytest.mark.parametrize("tonic", [1, 6, 11])
def test_the_common_tonic_is_c_or_a_by_the_smallest_move(tonic):
    for steps, target in ((MAJOR_SCALE, 0), (MELODIC, 9)):
        piece = scale(steps, tonic)
        moved, back = to_common_tonic(piece)
        assert key_of(moved).tonic == target
        assert -6 <= back <= 6
        assert moved.transposed(back).pitch.tolist() == piece.pitch.tolist()


def test_drums_and_equal_notes_have_no_key():
    drums = piece_of([(38, 0, 12, 80, 0), (42, 12, 12, 80, 0)], [Track("drums", drum=True)])
    assert key_of(drums).correlation == 0.0
