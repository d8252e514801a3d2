"""The list `new_releases`: tracks that nobody has heard yet, by the listener's factors and those predicted for them.

Each listener is scored by a product of his own with all of them, so that his list has the same bits whoever is
computed beside him. A listener without factors gets the order of the mean listener.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musai.columns import CONTENT, NEW_RELEASES
from musai.matrix.reading import read_table


@dataclasses.dataclass(frozen=True)
class Sources:
    """URIs of the run's tables, and what a list may hold."""

    predicted: str
    tracks: str
    blocked: frozenset[str]
    exclude_explicit: bool
    top_n: int
    max_tracks_per_artist: int  # 0 = any


@dataclasses.dataclass
class Releases:
    """n tracks, by id: factors float32 [n, f], artist int64 [n] (-1 = unknown)."""

    track_ids: pa.Array
    factors: np.ndarray
    artist: np.ndarray


def opened(sources: Sources) -> Releases:
    """The tracks that may be listed."""
    predicted = read_table(sources.predicted, ["track_id", "factors"]).sort_by("track_id")
    tracks = read_table(sources.tracks, ["track_id", "artist", "explicit"])
    ids = predicted["track_id"].combine_chunks()
    where = pc.index_in(ids, tracks["track_id"].combine_chunks())
    blocked = pa.array(sorted(sources.blocked), ids.type)
    withheld = pc.is_in(ids, blocked).to_numpy(zero_copy_only=False)
    if sources.exclude_explicit:
        explicit = tracks["explicit"].combine_chunks().take(where).fill_null(False)
        withheld |= explicit.to_numpy(zero_copy_only=False)
    artists = tracks["artist"].combine_chunks().take(where).dictionary_encode().indices.fill_null(-1)
    vectors = np.asarray(predicted["factors"].combine_chunks().flatten(), np.float32).reshape(len(ids), -1)
    kept = np.flatnonzero(~withheld)
    return Releases(ids.take(pa.array(kept)), vectors[kept], np.asarray(artists, np.int64)[kept])


def ranked(
    user_ids: pa.Array, factors: np.ndarray, mean: np.ndarray, releases: Releases, sources: Sources
) -> pa.RecordBatch:
    """Rows of the table `recommendations` for users with factors float32 [users, f]; `mean` [f] stands in for zeros."""
    places, scores, ranks, owners = [], [], [], []
    for user, vector in enumerate(factors):
        own = releases.factors @ (vector if vector.any() else mean)
        best = _capped(np.argsort(-own, kind="stable"), releases.artist, sources)
        places.append(best)
        scores.append(own[best])
        ranks.append(np.arange(1, len(best) + 1))
        owners.append(np.full(len(best), user))
    place, owner = (np.concatenate([*part, np.empty(0, int)]).astype(np.int64) for part in (places, owners))
    count = len(place)
    return pa.record_batch(
        {
            "user_id": user_ids.take(pa.array(owner)),
            "list": pa.array([NEW_RELEASES] * count, pa.string()),
            "rank": pa.array(np.concatenate([*ranks, np.empty(0, int)]).astype(np.int32)),
            "track_id": releases.track_ids.take(pa.array(place)),
            "score": pa.array(np.concatenate([*scores, np.empty(0)]).astype(np.float32)),
            "source": pa.array([CONTENT] * count, pa.string()),
            "because_track_id": pa.nulls(count, pa.string()),
        }
    )


def _capped(order: np.ndarray, artist: np.ndarray, sources: Sources) -> np.ndarray:
    """The first top_n of `order` with at most so many tracks of an artist; what the cap left out fills a short list."""
    cap, top_n = sources.max_tracks_per_artist, sources.top_n
    if not cap:
        return order[:top_n]
    counts: dict[int, int] = {}
    taken: list[int] = []
    left_out: list[int] = []
    for place in order:
        own = int(artist[place])
        counts[own] = counts.get(own, 0) + 1
        (taken if own < 0 or counts[own] <= cap else left_out).append(place)
        if len(taken) == top_n:
            break
    return np.array([*taken, *left_out][:top_n], np.int64)
