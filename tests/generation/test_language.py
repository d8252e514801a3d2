"""The n-gram model of a melody's steps: probabilities add up, and music that does not count is as if it were not in."""

import math

import numpy as np
import pytest

from musai.demo.corpus_text import abc_tunes, corpus_folder, file_text
from musai.generation import language
from musai.generation.language import LONGEST, PRIOR, STEPS, WIDEST, codes_of
from musai.music import ngrams
from musai.music.abc import read_abc
from musai.music.notes import Track, piece_of


@pytest.fixture(scope="module")
def airs():
    corpus = corpus_folder()
    assert corpus
    text = file_text(corpus / "oneills1850" / "0101-0200.abc")
    return [read_abc(tune) for _, tune in list(abc_tunes(text).items())[:40]]


def one_line(piece):
    ((pitch, onset),) = ngrams.lines(piece)
    return np.zeros(len(pitch), int), pitch, onset


def test_what_may_follow_adds_up_to_one(airs):
    known = language.language(airs)
    owner, pitch, onset = one_line(airs[0])
    _, codes = codes_of(pitch[:4], onset[:4], owner[:4])
    before = int(codes[0][1]), int(codes[1][1])  # of the last step but one: its own code, and with the step before it
    every = np.arange(STEPS)
    nats = known.nats([every, before[0] * STEPS + every, before[1] * STEPS + every])
    assert np.exp(-nats).sum() == pytest.approx(1, abs=0.02)  # the end of a tune has a share too
    assert np.exp(-nats).sum() <= 1 + 1e-9


def test_each_order_corrects_the_one_below():
    tune = piece_of([(60 + place % 2, 12 * place, 12, 80, 0) for place in range(6)], [Track("flute", 73)])
    known = language.language([tune])
    owner, pitch, onset = one_line(tune)
    whose, codes = codes_of(pitch, onset, owner)
    assert whose.tolist() == [0] * 5
    up, down = ((WIDEST + move) * (LONGEST + 1) + 12 for move in (1, -1))
    assert codes[0].tolist() == [up, down, up, down, up]
    assert codes[1].tolist() == [-1, up * STEPS + down, down * STEPS + up, up * STEPS + down, down * STEPS + up]
    first = (3 + PRIOR / STEPS) / (5 + PRIOR)
    second = (2 + PRIOR * (2 + PRIOR / STEPS) / (5 + PRIOR)) / (3 + PRIOR)
    assert known.nats(codes)[:2].tolist() == pytest.approx([-math.log(first), -math.log(second)])


def test_a_piece_that_does_not_count_is_as_if_it_were_not_there(airs):
    lines = [one_line(airs[3])]
    whole, rest = language.language(airs), language.language([*airs[:3], *airs[4:]])
    _, but = language.surprise(lines, whole, [airs[3]])
    assert np.allclose(but, language.surprise(lines, rest)[1])
    assert but.mean() > language.surprise(lines, whole)[1].mean()


def test_notes_in_their_order_surprise_less(airs):
    known, random = language.language(airs[::2]), np.random.default_rng(1)
    lines = [one_line(piece) for piece in airs[1::2]]
    mixed = [(owner, random.permutation(pitch), onset) for owner, pitch, onset in lines]
    ours, theirs = ([language.surprise([line], known)[1].mean() for line in own] for own in (lines, mixed))
    assert np.mean(np.array(ours) < np.array(theirs)) > 0.9


def test_owners_are_kept_apart(airs):
    known = language.language(airs[::2])
    lines = [one_line(piece) for piece in airs[1:4]]
    owner = np.concatenate([number + line[0] for number, line in enumerate(lines)])
    pitch, onset = (np.concatenate([line[part] for line in lines]) for part in (1, 2))
    whose, nats = language.surprise([(owner, pitch, onset)], known)
    apart = [language.surprise([line], known)[1] for line in lines]
    assert np.allclose(nats, np.concatenate(apart))
    means = language.mean(whose, nats, 4)
    assert means.tolist() == pytest.approx([own.mean() for own in apart] + [0])
