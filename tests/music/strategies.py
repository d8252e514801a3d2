"""Random pieces for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from musai.music.notes import Piece, Track, piece_of

METERS = [(4, 4), (3, 4), (6, 8), (2, 2), (9, 8)]


@st.composite
def pieces(draw: st.DrawFn, voices: int = 3) -> Piece:
    """Up to `voices` monophonic tracks of up to 24 notes, rests of up to two bars between them."""
    rows = []
    count = draw(st.integers(1, voices))
    for track in range(count):
        time = 0
        for _ in range(draw(st.integers(1, 24))):
            time += draw(st.integers(0, 30))
            length = draw(st.integers(1, 60))
            rows.append((draw(st.integers(30, 100)), time, length, draw(st.integers(1, 127)), track))
            time += length
    tracks = [Track(f"track {number}", 10 * number) for number in range(count)]
    return piece_of(rows, tracks, draw(st.sampled_from(METERS)), draw(st.integers(40, 220)))
