"""Originality: planted copies are caught, real music is not flagged."""

import numpy as np
import pytest

from musai.demo.corpus_text import abc_tunes, corpus_folder, file_text
from musai.generation import originality
from musai.generation.originality import COPY, ORIGINAL, Found
from musai.music.abc import read_abc
from musai.music.notes import Track, piece_of
from tests.generation.plants import PLANTS

LIMITS = {"longest_run": 23.0, "copied_share": 0.61}


@pytest.fixture(scope="module")
def tunes():
    """Eighty airs of O'Neill's; the odd ones are indexed."""
    corpus = corpus_folder()
    assert corpus
    text = file_text(corpus / "oneills1850" / "0101-0200.abc")
    return {str(number): read_abc(tune) for number, tune in list(abc_tunes(text).items())[:80]}


@pytest.fixture(scope="module")
def against(tunes):
    return originality.index({name: tune for name, tune in tunes.items() if int(name) % 2})


@pytest.mark.parametrize("plant", ["transposed", "stretched", "ornamented"])
def test_planted_copies_are_caught_and_named(tunes, against, plant):
    for name in against.names[:20]:
        copy = PLANTS[plant](tunes[name])
        found = originality.look_up(copy, against)
        assert found.nearest == name
        assert originality.verdict(found, len(copy), LIMITS) == COPY


def test_other_real_tunes_are_not_flagged(tunes, against):
    others = [tune for name, tune in tunes.items() if int(name) % 2 == 0]
    found = [originality.look_up(tune, against) for tune in others]
    flagged = [originality.verdict(one, len(tune), LIMITS) for one, tune in zip(found, others, strict=True)].count(COPY)
    assert flagged <= 0.05 * len(others)


def test_a_choir_with_its_voices_reordered_is_caught():
    random = np.random.default_rng(1)
    rows = [
        (60 - 7 * voice + int(random.integers(0, 12)), 12 * place, 12, 80, voice)
        for voice in range(4)
        for place in range(60)
    ]
    choir = piece_of(rows, [Track(f"voice {voice}") for voice in range(4)])
    against = originality.index({"choir": choir})
    found = originality.look_up(PLANTS["voices reordered"](choir), against)
    assert found.longest_run == 60
    assert originality.verdict(found, 240, LIMITS) == COPY


def test_the_longest_run_counts_notes(tunes):
    name, tune = next(iter(tunes.items()))
    whole = originality.look_up(tune, originality.index({name: tune}))
    assert whole == Found(len(tune), 1.0, name)


def test_a_pieces_own_source_does_not_count(tunes, against):
    name = against.names[0]
    found = originality.look_up(tunes[name], against, but=[name])
    assert found.nearest != name
    assert found.copied_share < 1


def test_a_tune_is_a_variant_of_itself_and_of_its_ornamented_copy_alone(tunes, against):
    name = against.names[3]
    assert name in originality.variants(tunes[name], against, LIMITS)
    assert name in originality.variants(PLANTS["ornamented"](tunes[name]).transposed(2), against, LIMITS)
    assert all(name not in originality.variants(tunes[other], against, LIMITS) for other in against.names[4:8])


def test_thresholds_stand_above_nearly_all_held_out_pieces_and_are_never_lax():
    found = [Found(length, length / 100, "x") for length in range(41)]
    assert originality.thresholds(found) == {"longest_run": 31.0, "copied_share": 0.39}
    assert originality.verdict(Found(20, 0.1, "x"), 40, {"longest_run": 31, "copied_share": 0.4}) == COPY
    assert originality.verdict(Found(19, 0.1, "x"), 40, {"longest_run": 31, "copied_share": 0.4}) == ORIGINAL
