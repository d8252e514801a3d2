"""What the pieces of a style have in common, and the lessons that they make."""

from musai.generation.styles import MOST_BARS, lessons_of
from musai.music.notes import Track, piece_of

BAND = [Track("tune", 73), Track("piano", 0)]


def song(bars, chord):
    """A tune over one chord a bar."""
    tune = [(72 + bar % 5, 48 * bar, 48, 80, 0) for bar in range(bars)]
    return piece_of(tune + [(pitch, 48 * bar, 48, 80, 1) for bar in range(bars) for pitch in chord], BAND)


def test_chords_of_different_sizes_are_one_style_with_the_voices_that_most_need():
    pieces = {f"{number}": song(4, [48, 52, 55]) for number in range(10)}
    pieces |= {"thin": song(4, [48]), "thick": song(4, [48, 50, 52, 55, 57])}
    pieces["solo"] = piece_of([(72, 0, 48, 80, 0)], [BAND[0]])
    lessons, style, left_out = lessons_of(pieces, "pop")
    assert [(part.first, part.voices) for part in style.parts] == [(0, 1), (1, 3)]
    assert {lesson.name for lesson in lessons} == set(pieces) - {"solo"}
    assert left_out == {"other tracks than most": 1}
    unseen, same, _ = lessons_of({"new": song(4, [48])}, "pop", style)
    assert same is style
    assert set(unseen[0].rows[:, 1].tolist()) == {0, 1}


def test_a_long_piece_makes_several_lessons():
    lessons, style, _ = lessons_of({"long": song(2 * MOST_BARS + 2, [48])}, "pop")
    assert [lesson.bars for lesson in lessons] == [43, 44, 43]
    assert [lesson.name for lesson in lessons] == ["long", "long, section 2", "long, section 3"]
    assert style.pieces == 3
    assert lessons[1].rows[0].tolist()[:2] == [0, 0]
