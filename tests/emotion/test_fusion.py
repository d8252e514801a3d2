"""Fusion by hand-worked numbers."""

from __future__ import annotations

import math

import pytest

from musai.emotion.fusion import LABELS, Calibration, Reading, combined, fuse, label_of, probabilities


def reading(source: str, valence: float, arousal: float, error: float = 0.3) -> Reading:
    return Reading(source, valence, arousal, error, error)


def test_one_source_is_taken_as_it_is() -> None:
    found = fuse([reading("midi", 0.4, -0.2)])
    assert found is not None
    assert (found.valence, found.arousal, found.label, found.sources) == (0.4, pytest.approx(-0.2), "calm", ("midi",))


def test_no_source_is_no_row() -> None:
    assert fuse([]) is None


def test_two_sources_by_hand() -> None:
    # precisions 1/.4^2 = 6.25 and 1/.25^2 = 16, less the prior 1/.5^2 = 4: 18.25; (6.25 x .2 + 16 x .3) / 18.25
    mean, spread = combined([(0.2, 0.4), (0.3, 0.25)])
    assert mean == pytest.approx(6.05 / 18.25)
    assert spread == pytest.approx(18.25**-0.5)


def test_a_contradiction_widens_the_spread_by_the_birge_ratio() -> None:
    # weighted centre 0; misfit (.6/.3)^2 + (.6/.3)^2 = 8 over one degree of freedom; precision 2/.09 - 4
    mean, spread = combined([(0.6, 0.3), (-0.6, 0.3)])
    assert mean == pytest.approx(0)
    assert spread == pytest.approx(math.sqrt(8 / (2 / 0.09 - 4)))


def test_a_source_that_knows_nothing_changes_nothing() -> None:
    assert combined([(0.3, 0.25), (0.0, 0.5)]) == (pytest.approx(0.3), pytest.approx(0.25))


def test_sad_words_on_a_happy_tune_are_seen() -> None:
    agree = fuse([reading("lyrics", 0.5, 0.4), reading("midi", 0.5, 0.4)])
    differ = fuse([reading("lyrics", -0.5, -0.4), reading("midi", 0.5, 0.4)])
    assert agree is not None
    assert differ is not None
    assert agree.sources == differ.sources == ("lyrics", "midi")
    assert agree.confidence > 0.8
    assert differ.confidence < 0.4
    assert max(differ.probabilities.values()) < 0.4 < max(agree.probabilities.values())


@pytest.mark.parametrize(
    ("valence", "arousal", "label"),
    [
        (0.5, 0.5, "happy"),
        (0.5, -0.5, "calm"),
        (-0.5, -0.5, "sad"),
        (-0.5, 0.5, "tense"),
        (0.15, -0.15, "neutral"),
        (0.16, -0.15, "calm"),
        (0.0, 0.2, "happy"),
    ],
)
def test_labels(valence: float, arousal: float, label: str) -> None:
    assert label_of(valence, arousal) == label


def test_probabilities_add_up_and_follow_the_estimate() -> None:
    found = probabilities(0.4, 0.2, -0.1, 0.3)
    assert set(found) == set(LABELS)
    assert sum(found.values()) == pytest.approx(1)
    assert max(found, key=found.__getitem__) == "calm"
    flat = probabilities(0, 1e3, 0, 1e3)
    assert flat["happy"] == pytest.approx(0.25, abs=1e-3)
    assert probabilities(0, 0.01, 0, 0.01)["neutral"] == pytest.approx(1)


def test_values_stay_in_bounds() -> None:
    found = fuse([reading("midi", 1.7, -2.0)])
    assert found is not None
    assert (found.valence, found.arousal) == (1, -1)


def test_the_calibration_of_a_source_is_applied() -> None:
    doubtful = Reading("midi", 0.5, 0.5, 0.2, 0.2, Calibration(offset=-2, slope=0))
    found = fuse([doubtful])
    assert found is not None
    assert found.confidence == pytest.approx(1 / (1 + math.exp(2)))


def test_the_offset_of_the_label_that_is_given_counts() -> None:
    learnt = Calibration(0.0, 0.0, {"happy": 1.0, "sad": -1.0})
    for value, offset in ((0.5, 1.0), (-0.5, -1.0)):
        found = fuse([Reading("midi", value, value, 0.2, 0.2, learnt)])
        assert found is not None
        assert found.confidence == pytest.approx(1 / (1 + math.exp(-offset)))
