"""English valence and arousal from EmoBank's file: ridge regressions on what the models of emotion make of a text.

The penalty of a feature depends on what it is, as in banded ridge regression (Nunez-Elizalde, Huth & Gallant 2019,
"Voxelwise encoding models with non-spherical multivariate normal priors").
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp

from musai.emotion import linear
from musai.emotion.encoder import opened
from musai.emotion.english import NGRAMS, TOLD, AffectFeatures, EnglishAffect, EnglishEmotions, with_products
from musai.emotion.training import files
from musai.emotion.training.english import COMMAND, SHARES
from musai.emotion.training.measures import errors_of
from musai.emotion.training.sentences import described
from musai.emotion.weights import Card, Stored, stored

NGRAM_RIDGE = 2.0  # chosen on the dev part
RIDGES = (1000.0, 3000.0, 10_000.0)  # of which the best is taken
TOLD_RIDGE, PRODUCT_RIDGE = 0.01, 3.0  # times that, chosen on folds of train and dev; of the states once
FOLDS = 5
PARTS = ("train", "dev", "test")


def train_affect(path: pathlib.Path, emotions: Stored, encoder: pathlib.Path | None, seed: int) -> Stored:
    """From EmoBank's CSV: ridges, shares, errors and calibration come of fits on train and dev that leave folds of them
    out; then all of both is fitted, and measured on test. `encoder`: a folder, see `musai.emotion.encoder`; that of the
    emotions serves where they have one."""
    bank = files.emobank(path)
    tensors, card = emotions.opened()
    reader = EnglishEmotions.of(tensors, card.settings)
    encoder = None if reader.sentences else encoder
    features = AffectFeatures(reader, opened(encoder) if encoder else None)
    (train, _), (dev, _), (test, truth) = (bank[part] for part in PARTS)
    targets = np.concatenate([bank["train"][1], bank["dev"][1]])
    both = _Read(features.of(train + dev), NGRAMS.counts(train + dev), targets)
    fold = np.random.default_rng(seed).permutation(len(targets)) % FOLDS
    ridges, shares, held_out = _chosen(both, fold)
    measured = errors_of(held_out, targets)
    final = _fit_features(both, ridges)[0] | _fit_ngrams(both)[0]
    final |= features.sentences.packed() if features.sentences else {}
    found = EnglishAffect.of(reader, final, shares).read(test)
    figures = {
        "test r, valence": float(np.corrcoef(found[:, 0], truth[:, 0])[0, 1]),
        "test r, arousal": float(np.corrcoef(found[:, 1], truth[:, 1])[0, 1]),
        "test calibration error": measured.calibration_error(found, truth),
    }
    data = [
        {"name": "EmoBank (Buechel and Hahn, 2017)", "licence": "CC-BY-SA-4.0", **files.described(path)},
        *card.data,
    ]
    if encoder:
        data.append(described(encoder))
    return stored(
        final,
        Card("english_affect", data, "CC-BY-SA-4.0", figures, COMMAND, *measured.for_card(), {"shares": shares}),
    )


@dataclasses.dataclass(frozen=True)
class _Read:
    """Texts as both models see them: features float32 [texts, n], counts [texts, width]; targets [texts, 2]."""

    features: np.ndarray
    counts: sp.csr_matrix
    targets: np.ndarray

    def rows(self, chosen: np.ndarray) -> _Read:
        return _Read(self.features[chosen], self.counts[chosen], self.targets[chosen])


Predict = Callable[[_Read], np.ndarray]


def _chosen(both: _Read, fold: np.ndarray) -> tuple[list[float], list[float], np.ndarray]:
    """(ridge, share of the features, each for valence and for arousal, held-out predictions [texts, 2] by them): those
    that miss least where each fold is predicted by a fit on the others."""
    by_features = np.zeros((len(fold), len(RIDGES), 2), np.float32)
    by_ngrams = np.zeros(both.targets.shape, np.float32)
    for number in range(FOLDS):
        rest, left_out = both.rows(fold != number), both.rows(fold == number)
        by_ngrams[fold == number] = _fit_ngrams(rest)[1](left_out)
        found = _fit_features(rest, np.repeat(RIDGES, 2))[1](left_out)
        by_features[fold == number] = found.reshape(-1, len(RIDGES), 2)
    ridges, shares, held_out = [], [], np.zeros(both.targets.shape, np.float32)
    for axis in range(2):
        mixed = {
            (ridge, float(share)): share * by_features[:, row, axis] + (1 - share) * by_ngrams[:, axis]
            for row, ridge in enumerate(RIDGES)
            for share in SHARES
        }
        missed = {key: float(((one - both.targets[:, axis]) ** 2).mean()) for key, one in mixed.items()}
        best = min(missed, key=lambda key: missed[key])
        ridges.append(best[0])
        shares.append(best[1])
        held_out[:, axis] = mixed[best]
    return ridges, shares, held_out


def _fit_features(rows: _Read, ridges: Sequence[float] | np.ndarray) -> tuple[dict[str, np.ndarray], Predict]:
    """(tensors of the ridge regression on features, what it predicts of others): a ridge for valence, one for arousal,
    and so on where there are more."""
    from sklearn.linear_model import Ridge

    centre, spread = rows.features.mean(0), rows.features.std(0) + 1e-3
    x = with_products((rows.features - centre) / spread)
    states = rows.features.shape[1] - TOLD
    products = x.shape[1] - rows.features.shape[1]
    scale = np.repeat(np.array([TOLD_RIDGE, 1, PRODUCT_RIDGE], np.float32) ** -0.5, [TOLD, states, products])
    model = Ridge(ridges).fit(x * scale, np.tile(rows.targets, len(ridges) // 2))
    weights = (model.coef_ * scale).T
    tensors = {
        "centre": centre.astype(np.float16),
        "spread": spread.astype(np.float16),
        "weights": weights.astype(np.float16),
        "offset": model.intercept_.astype(np.float32),
    }
    return tensors, lambda others: with_products((others.features - centre) / spread) @ weights + model.intercept_


def _fit_ngrams(rows: _Read) -> tuple[dict[str, np.ndarray], Predict]:
    """The same on n-grams."""
    from sklearn.linear_model import Ridge

    idf = linear.inverse_document_frequency(rows.counts)
    model = Ridge(NGRAM_RIDGE, solver="sparse_cg").fit(NGRAMS.weighted(rows.counts, idf), rows.targets)
    ngrams, scale = linear.quantised(model.coef_.T)
    tensors = {
        "idf": idf.astype(np.float16),
        "ngrams": ngrams,
        "ngrams_scale": scale,
        "ngrams_offset": model.intercept_.astype(np.float32),
    }
    return tensors, lambda others: model.predict(NGRAMS.weighted(others.counts, idf))
