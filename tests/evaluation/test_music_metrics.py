"""Music metrics: values worked by hand, order that shuffling destroys, overlap of known distributions."""

import dataclasses

import numpy as np
import pytest

from musai.errors import InputError
from musai.evaluation import music_metrics as metrics
from musai.music.notes import piece_of

SCALE = [(60 + step, 12 * place, 12, 80, 0) for place, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12))]


def bars(*pitches):
    """Bars of four quarter notes each, all of one pitch."""
    rows = [(pitch, 48 * bar + 12 * beat, 12, 80, 0) for bar, pitch in enumerate(pitches) for beat in range(4)]
    return piece_of(rows)


def test_a_scale_by_hand():
    found = metrics.features(piece_of(SCALE))
    assert found["pitches"] == 8
    assert found["pitch_range"] == 12
    assert found["notes_a_bar"] == 4
    assert found["inter_onset"] == 1.0
    assert found["pitch_classes_a_bar"] == 4
    assert found["repeated_bars"] == 0
    assert found["small_steps"] == 1.0
    assert found["scale_consistency"] == 1.0
    assert found["groove_consistency"] == 1.0
    assert found["empty_bars"] == 0
    assert found["qualified_notes"] == 1.0


def test_repeated_and_empty_bars():
    assert metrics.repeated_bars(bars(60, 62, 60, 62, 64)) == pytest.approx(2 / 5)
    gap = piece_of([(60, 0, 12, 80, 0), (62, 12, 12, 80, 0), (64, 144, 12, 80, 0)])
    assert metrics.empty_bars(gap) == pytest.approx(2 / 4)


def test_bars_that_return_after_two_are_alike_at_lag_two():
    found = metrics.bar_similarity(bars(60, 62, 60, 62, 60, 62), lags=6)
    np.testing.assert_allclose(found, [0, 1, 0, 1, 0, np.nan])


def test_transitions_are_counted_from_the_tonic():
    matrix = metrics.transitions([piece_of(SCALE)])
    assert matrix.sum() == pytest.approx(1)
    assert matrix[0, 2] == matrix[11, 0] == pytest.approx(1 / 7)
    np.testing.assert_allclose(metrics.transitions([piece_of(SCALE).transposed(5)]), matrix)


def test_the_overlap_of_equal_and_of_distant_values():
    random = np.random.default_rng(0)
    a, b = random.normal(0, 1, 1000), random.normal(0, 1, 1000)
    assert metrics.overlapping_area(a, a) == pytest.approx(1, abs=1e-3)
    assert metrics.overlapping_area(a, b) > 0.9
    assert metrics.overlapping_area(a, b + 50) < 1e-3
    assert metrics.overlapping_area(a, b + 2) == pytest.approx(0.317, abs=0.05)  # 2 Phi(-1)
    assert metrics.overlapping_area([0.0] * 9, [0.0] * 9) == pytest.approx(1, abs=1e-3)


def walks(seed, shuffled=False):
    random = np.random.default_rng(seed)
    for _ in range(40):
        half = 60 + np.abs(np.cumsum(random.choice([-2, -1, 1, 2], 32))) % 19
        line = np.tile(half, 2)
        if shuffled:
            random.shuffle(line)
        yield piece_of([(pitch, 12 * place, 12, 80, 0) for place, pitch in enumerate(line)])


def test_features_of_order_tell_music_from_its_shuffled_notes():
    real, others = metrics.profile(list(walks(1))), metrics.profile(list(walks(2)))
    shuffled = metrics.profile(list(walks(1, shuffled=True)))
    same, destroyed = metrics.likeness(others, real), metrics.likeness(shuffled, real)
    assert destroyed["pitches"] > 0.8
    for name in ("repeated_bars", "compression_ratio", "small_steps"):
        assert destroyed[name] < 0.5 * same[name], name
    assert destroyed["structure"] < 0.85 * same["structure"]


def test_figures_stand_beside_real_and_other_music():
    halves = {
        "walks": (metrics.profile(list(walks(1))), metrics.profile(list(walks(2)))),
        "bars": tuple(metrics.profile([bars(*(60 + k, 62 + k) * 8) for k in range(6)]) for _ in range(2)),
    }
    found = metrics.compared(metrics.profile(list(walks(3))), halves, "walks")
    ours, real, other = np.array(list(found.values())).T
    assert (ours > other).mean() > 0.7
    assert real.mean() > 0.8


def test_excerpts_are_the_first_bars_of_what_is_long_enough():
    found = metrics.excerpts({"a": bars(60, 62, 64, 65), "b": bars(60), "c": bars(60, 62)}, 4)
    assert [piece.bars for piece in found] == [4, 2]


@pytest.mark.parametrize("rows", [[], [(60, 0, 12, 80, 0)], [(60, 0, 12, 80, 0), (64, 0, 12, 80, 0)]])
def test_what_has_no_distribution_is_refused(rows):
    with pytest.raises(InputError, match="two notes"):
        metrics.features(dataclasses.replace(piece_of(rows)))


def test_frechet_distance_by_hand():
    rng = np.random.default_rng(0)
    cloud = rng.standard_normal((50, 3))
    assert metrics.frechet_distance(cloud, cloud) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet_distance(cloud, cloud + np.array([3, 0, 4])) == pytest.approx(25)
    spread = float(np.square(cloud.std(axis=0, ddof=1)).sum())  # of a cloud twice as wide: (2 - 1)^2 of each deviation
    centred = cloud - cloud.mean(axis=0)
    assert metrics.frechet_distance(centred, 2 * centred) == pytest.approx(spread)
    wide = rng.standard_normal((4, 100))  # fewer rows than numbers
    assert metrics.frechet_distance(wide, wide[::-1]) == pytest.approx(0, abs=1e-9)
    with pytest.raises(InputError):
        metrics.frechet_distance(cloud[:1], cloud)


def test_an_end_at_home_is_on_tonic_or_dominant():
    scale = [(60 + step, 12 * place, 12, 80, 0) for place, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12, 7, 4))]
    for last, home in ((60, 1.0), (55, 1.0), (64, 0.0)):
        assert metrics.ends_home(piece_of([*scale, (last, 120, 12, 80, 0), (72, 120, 12, 80, 0)])) == home
