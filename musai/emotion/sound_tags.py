"""Emotion from what a tagger of moods and themes hears, where no head of one's own is trained on the sound.

The 56 tags of MTG-Jamendo (Bogdanov, Won, Tovstogan, Porter & Serra 2019) have a valence and an arousal each by what
the words mean (`lexicons/moods_and_themes.tsv`); a track's are the mean of these, weighted by the tags' probabilities.
Nothing is fitted; how far it errs is measured (`SOUND_TAGS`).
"""

from __future__ import annotations

import functools
import importlib.resources

import numpy as np

NAME = "sound_tags"
# Standard deviations against what Emotify's listeners felt in 400 recordings, on the scale of `musai.emotion.fusion`
# (r .35 and .54): `python tests/benchmarks/emotion.py tagger`.
VALENCE_ERROR, AROUSAL_ERROR = 0.51, 0.43


@functools.cache
def meanings() -> np.ndarray:
    """float64 [56, 2]: valence and arousal of each tag, in the order of the tagger's outputs; NaN where it has none."""
    folder = importlib.resources.files("musai.emotion") / "lexicons"
    lines = (folder / "moods_and_themes.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t")[1:] or ("nan", "nan") for line in lines if not line.startswith("#")]
    return np.array(rows, np.float64)


def read(embeddings: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """float64 [tracks, 2] of the tagger's embeddings [tracks, E]; weights [56, E] and bias [56] are its last layer's.

    The mean of a track's excerpts goes through the last layer: of logits, which are linear, that is the mean.
    """
    with np.errstate(over="ignore"):  # 1 / inf is the 0 that is meant
        likely = 1 / (1 + np.exp(-(embeddings.astype(np.float64) @ weights.T.astype(np.float64) + bias)))
    speaks = ~np.isnan(meanings()).any(1)
    likely = likely[:, speaks]
    return likely @ meanings()[speaks] / np.maximum(likely.sum(1, keepdims=True), 1e-12)
