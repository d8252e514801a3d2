"""What is known of a track beside its listeners, as one sparse row of numbers: sound, words, emotion, artist.

Each of the four is a block; where a track lacks one, the block is zeros and the block's own indicator is 1. Rows of
different tracks are comparable because everything is scaled by what was seen in training (`Vocabulary`).
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

SOUND, WORDS, EMOTION, ARTIST = "sound", "words", "emotion", "artist"
BLOCKS = (SOUND, WORDS, EMOTION, ARTIST)
MOST_TERMS = 2048  # of the vocabulary: the ridge solves a dense system of that size
LEAST_TRACKS = 2  # with a term, for it to say anything of another track
OTHERS = 1.0  # an artist's mean counts as that of so many more tracks with zeros
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclasses.dataclass
class Content:
    """n tracks. artists: names or None; terms: what is said of each, repeated as often as it is said; sound
    float32 [n, E] and emotion float32 [n, 2], NaN rows where there is none."""

    track_ids: list[str]
    artists: list[str | None]
    terms: list[list[str]]
    sound: np.ndarray
    emotion: np.ndarray

    def __len__(self) -> int:
        return len(self.track_ids)

    def has(self, block: str) -> np.ndarray:
        """bool [n]; of the artist: whether a name is given."""
        if block == WORDS:
            return np.array([bool(terms) for terms in self.terms], bool)
        if block == ARTIST:
            return np.array([artist is not None for artist in self.artists], bool)
        rows = self.sound if block == SOUND else self.emotion
        return np.isfinite(rows).all(axis=1) & (rows.shape[1] > 0)


def terms_of(row: Mapping[str, Any]) -> list[str]:
    """Of a catalogue row: tags, genre, language, album, and the words of title and lyrics."""
    found = [f"tag {tag.casefold()}" for tag in row.get("tags") or ()]
    found += [f"{field} {row[field].casefold()}" for field in ("genre", "language", "album") if row.get(field)]
    for field in ("title", "lyrics"):
        found += [f"{field} {word}" for word in _WORD.findall((row.get(field) or "").casefold())]
    return found


@dataclasses.dataclass
class Vocabulary:
    """What scales the rows: terms with their weights, means and deviations of the dense blocks."""

    terms: dict[str, int]
    idf: np.ndarray
    centres: dict[str, np.ndarray]
    spreads: dict[str, np.ndarray]
    artist_length: float

    @classmethod
    def of(cls, content: Content, artist_means: np.ndarray) -> Vocabulary:
        """artist_means [n, f]: see `blocks`."""
        counts = collections.Counter(term for terms in content.terms for term in set(terms))
        common = [(term, count) for term, count in counts.items() if count >= LEAST_TRACKS]
        common.sort(key=lambda pair: (-pair[1], pair[0]))
        chosen = common[:MOST_TERMS]
        idf = np.log((1 + len(content)) / np.array([count for _, count in chosen], float)) if chosen else np.empty(0)
        centres, spreads = {}, {}
        for block, rows in ((SOUND, content.sound), (EMOTION, content.emotion)):
            known = rows[content.has(block)].astype(float)
            centres[block] = known.mean(axis=0) if len(known) else np.zeros(rows.shape[1])
            spreads[block] = np.maximum(known.std(axis=0), 1e-6) if len(known) else np.ones(rows.shape[1])
        lengths = np.linalg.norm(artist_means, axis=1)
        typical = float(np.mean(lengths[np.isfinite(lengths)])) if np.isfinite(lengths).any() else 1.0
        return cls({term: place for place, (term, _) in enumerate(chosen)}, idf, centres, spreads, max(typical, 1e-9))

    def blocks(self, content: Content, artist_means: np.ndarray) -> dict[str, sp.csr_matrix]:
        """Each block as [n, width + 1]; the last column is 1 where the block is missing. artist_means [n, f]: NaN
        rows where nothing is known of the artist's other tracks."""
        dense = {SOUND: content.sound, EMOTION: content.emotion}
        found = {}
        for block, rows in dense.items():
            width = max(rows.shape[1], 1)
            scaled = (rows - self.centres[block]) / self.spreads[block] / np.sqrt(width)
            found[block] = _with_indicator(scaled, content.has(block))
        found[WORDS] = _with_indicator(self._words(content.terms), content.has(WORDS))
        found[ARTIST] = _with_indicator(artist_means / self.artist_length, np.isfinite(artist_means).all(axis=1))
        return found

    def _words(self, terms: Sequence[Iterable[str]]) -> sp.csr_matrix:
        """TF-IDF, (1 + log count) x log(tracks / tracks with the term), rows of length 1; in the last column how much
        is said of the track at all, log(1 + terms) / 4."""
        indptr, indices, data = [0], [], []
        for own in terms:
            counts = collections.Counter(own)
            known = [(self.terms[term], count) for term, count in counts.items() if term in self.terms]
            values = np.array([(1 + np.log(count)) * self.idf[place] for place, count in known])
            length = float(np.sqrt((values**2).sum())) or 1.0
            indices += [*(place for place, _ in known), len(self.terms)]
            data += [*(values / length), np.log1p(sum(counts.values())) / 4]
            indptr.append(len(indices))
        return sp.csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, len(self.terms) + 1))


def _with_indicator(block: np.ndarray | sp.csr_matrix, known: np.ndarray) -> sp.csr_matrix:
    """The block, zeros where it is not known, and a column that is 1 there."""
    kept = block if sp.issparse(block) else sp.csr_matrix(np.where(known[:, None], block, 0))
    return sp.hstack([kept, sp.csr_matrix((~known).astype(float)[:, None])], format="csr")
