"""Measures on held-out data that thresholds, errors and calibration are taken from."""

from __future__ import annotations

import dataclasses

import numpy as np

from musai.emotion import calibration
from musai.emotion.fusion import PRIOR_SPREAD, Calibration, label_of, probabilities


def macro_f1(found: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the labels of 2 hits / (found + there); found, labels bool [rows, labels]."""
    hits = (found & labels).sum(0)
    return float((2 * hits / np.maximum(found.sum(0) + labels.sum(0), 1)).mean())


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Binary, nats a row and label; logits float, labels bool, both [rows, labels]."""
    return float((np.logaddexp(0, logits) - labels * logits).mean())


def best_thresholds(likely: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each label the threshold of the highest F1: float [labels] of likely float, labels bool [rows, labels]."""
    thresholds = np.zeros(labels.shape[1])
    for column in range(labels.shape[1]):
        order = np.argsort(-likely[:, column], kind="stable")
        scores, hits = likely[order, column], np.cumsum(labels[order, column])
        f1 = 2 * hits / (np.arange(1, len(hits) + 1) + hits[-1])
        best = int(f1.argmax())
        thresholds[column] = (scores[best] + scores[min(best + 1, len(scores) - 1)]) / 2
    return thresholds


@dataclasses.dataclass(frozen=True)
class Measured:
    """Errors of valence and arousal, and the map that makes the label's probability true."""

    valence_error: float
    arousal_error: float
    calibration: Calibration

    def for_card(self) -> tuple[float, float, Calibration]:
        return self.valence_error, self.arousal_error, self.calibration

    def stated(self, found: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(confidence float [rows], whether the label is right bool [rows]) of valence and arousal [rows, 2]."""
        labels, raw, right = _said(found, truth, self.valence_error, self.arousal_error)
        return np.array([self.calibration(p, label) for p, label in zip(raw, labels, strict=True)]), right

    def calibration_error(self, found: np.ndarray, truth: np.ndarray) -> float:
        return calibration.expected_calibration_error(*self.stated(found, truth))


def errors_of(found: np.ndarray, truth: np.ndarray) -> Measured:
    """From held-out predictions and truth, both [rows, 2] on the scale of `musai.emotion.fusion`."""
    valence_error, arousal_error = np.sqrt(((found - truth) ** 2).mean(0)).tolist()
    labels, raw, right = _said(found, truth, valence_error, arousal_error)
    return Measured(valence_error, arousal_error, calibration.fit(raw, right, labels))


def held_out_confidence(found: np.ndarray, truth: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `Measured.stated`, each row by the errors and the calibration of the other folds; fold int [rows]."""
    stated, right = np.zeros(len(found)), np.zeros(len(found), bool)
    for number in np.unique(fold):
        own = fold == number
        stated[own], right[own] = errors_of(found[~own], truth[~own]).stated(found[own], truth[own])
    return stated, right


def _said(
    found: np.ndarray, truth: np.ndarray, valence_error: float, arousal_error: float
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(label, its probability, whether it is right) of each row."""
    labels = [label_of(*row) for row in found.tolist()]
    likely = [probabilities(v, valence_error, a, arousal_error) for v, a in found.tolist()]
    raw = np.array([one[label] for one, label in zip(likely, labels, strict=True)])
    return labels, raw, np.array([label_of(*row) for row in truth.tolist()]) == labels


def scaled(ratings: np.ndarray) -> np.ndarray:
    """Ratings [rows, 2] around a neutral 0 to the scale of `musai.emotion.fusion`: 1 = two standard deviations."""
    return ratings * (PRIOR_SPREAD / ratings.std(0))
