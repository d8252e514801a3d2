"""The lists `mood:*`: the best of a listener's scores among the tracks of a mood."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musai.jit import compiled
from musai.ranking.top import Tracks, fill_list

PREFIX = "mood:"
NAMES = ("mood:calm", "mood:energetic", "mood:happy", "mood:sad")
ENERGETIC = 0.3  # arousal from which a track is energetic, whatever its valence
COLUMNS = ["track_id", "arousal", "label", "confidence"]


class Moods(NamedTuple):
    """of_list int64 [lists]: the mood of a list, a place in NAMES, -1 = none. tracks int32: those of mood m from
    starts[m] to starts[m + 1], known ones first, heard int64 [moods] of them; place and artist int32 beside them, as
    in `top.Tracks` (place 0 of a track that nobody has heard)."""

    of_list: np.ndarray
    starts: np.ndarray
    tracks: np.ndarray
    heard: np.ndarray
    place: np.ndarray
    artist: np.ndarray


def save(emotions: pa.Table | None, ids: pa.Array, withheld: np.ndarray, least: float, folder: pathlib.Path) -> None:
    """Write the tracks of each mood; emotions: COLUMNS of `track_emotions`; withheld bool [ids]; tracks of a
    confidence under `least` are in no mood."""
    found = [np.empty(0, np.int32)] * len(NAMES)
    if emotions is not None:
        index = pc.index_in(emotions["track_id"].cast(ids.type), ids)
        sure = pc.and_(pc.is_valid(index), pc.greater_equal(emotions["confidence"], least))
        chosen = emotions.filter(sure)
        tracks = index.filter(sure).to_numpy().astype(np.int32)
        labels, arousal = np.array(chosen["label"].to_pylist(), object), chosen["arousal"].to_numpy()
        for mood, name in enumerate(NAMES):
            inside = arousal >= ENERGETIC if name == "mood:energetic" else labels == name.removeprefix(PREFIX)
            found[mood] = np.sort(tracks[np.asarray(inside, bool) & ~withheld[tracks]])
    np.save(folder / "mood_starts.npy", np.concatenate([[0], np.cumsum([len(part) for part in found])]))
    np.save(folder / "mood_tracks.npy", np.concatenate(found))


def of_lists(
    names: Sequence[str], starts: np.ndarray, tracks: np.ndarray, place: np.ndarray, artist: np.ndarray
) -> Moods:
    """What `fill_mood` needs for lists of these names; place int32 [known], artist int32 [all].

    Every array is a copy: numba would compile for those mapped read-only once more.
    """
    of_list = np.array([NAMES.index(name) if name in NAMES else -1 for name in names], np.int64)
    known = tracks < len(place)
    places = np.zeros(len(tracks), np.int32)
    places[known] = place[tracks[known]]
    heard = np.array([int(known[starts[m] : starts[m + 1]].sum()) for m in range(len(NAMES))], np.int64)
    return Moods(of_list, np.array(starts), np.array(tracks), heard, places, np.array(artist[tracks]))


@compiled
def fill_mood(
    total: np.ndarray,
    moods: Moods,
    mood: int,
    tracks: Tracks,
    met: np.ndarray,
    cap: int,
    counts: np.ndarray,
    items: np.ndarray,
    scores: np.ndarray,
) -> None:
    """As `top.fill_list`, among the tracks of one mood; empty where nobody has heard any of them."""
    items[:] = -1
    scores[:] = 0
    start, end, heard = moods.starts[mood], moods.starts[mood + 1], moods.heard[mood]
    if heard == 0:
        return
    chosen = moods.tracks[start:end]
    own = Tracks(
        moods.place[start : start + heard],
        moods.artist[start:end],
        tracks.by_artist,
        tracks.of_artist,
        tracks.blocked,
        np.arange(heard, end - start).astype(np.int32),
        tracks.lone,
    )
    fill_list(total[chosen[:heard]], own, met, False, cap, counts, items, scores)
    for r in range(len(items)):
        if items[r] >= 0:
            items[r] = chosen[items[r]]
