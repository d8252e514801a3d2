"""Of several pieces one is taken: what comes out is more like real music than what is sampled."""

import dataclasses

import numpy as np
import pytest

from musai.demo.corpus_text import abc_tunes, corpus_folder, file_text
from musai.generation import choosing, originality
from musai.generation.choosing import Chooser
from musai.generation.quadrants import quadrants
from musai.generation.wishes import Draft, Wish
from musai.music.abc import read_abc
from musai.music.midi import write_midi
from tests.generation.plants import PLANTS


@pytest.fixture(scope="module")
def airs():
    corpus = corpus_folder()
    assert corpus
    text = file_text(corpus / "oneills1850" / "0101-0200.abc")
    return {f"{number}": read_abc(tune) for number, tune in list(abc_tunes(text).items())[:80]}


def spoilt(piece, random):
    """Its onsets and durations with the pitches of half of the notes among one another."""
    places = np.flatnonzero(random.random(len(piece)) < 0.5)
    pitch = piece.pitch.copy()
    pitch[places] = random.permutation(pitch[places])
    return dataclasses.replace(piece, pitch=pitch)


def sampled(airs):
    """A maker: an air by the seed, for a quarter of the seeds as it is."""
    names = sorted(airs)

    def make(wishes):
        found = []
        for wish in wishes:
            random = np.random.default_rng(wish.seed)
            piece = airs[names[int(random.integers(len(names)))]]
            found.append(piece if random.random() < 0.25 else spoilt(piece, random))
        return found

    return make


@pytest.fixture(scope="module")
def chooser(airs):
    known = {name: piece for name, piece in airs.items() if int(name) % 2}
    return choosing.fitted(known, originality.index(known), sampled(known), "air")


def test_more_of_what_is_taken_is_whole(airs, chooser):
    unseen = {name: piece for name, piece in airs.items() if not int(name) % 2}
    index = originality.index({name: piece for name, piece in airs.items() if int(name) % 2})
    whole = {piece.pitch.tobytes() for piece in unseen.values()}
    make = sampled(unseen)
    wishes = [Wish("air", "happy", seed) for seed in range(60)]
    taken = choosing.best(lambda asked: list(map(Draft, make(asked))), {"air": chooser}, index, 6, wishes)
    shares = [np.mean([piece.pitch.tobytes() in whole for piece in own]) for own in
              (make(wishes), [draft.piece for draft in taken])]  # fmt: skip
    assert shares[0] < 0.45
    assert shares[1] > shares[0] + 0.25
    (again,) = choosing.best(lambda asked: list(map(Draft, make(asked))), {"air": chooser}, index, 6, wishes[7:8])
    assert write_midi(again.piece) == write_midi(taken[7].piece)


def test_what_has_the_asked_emotion_is_likelier_taken(airs, chooser):
    labels, index = quadrants(airs), originality.index({})
    opposite = {"happy": "sad", "sad": "happy", "calm": "tense", "tense": "calm"}
    own, other = (
        chooser.scores(np.array([
            choosing.described(piece, told[labels[name]], chooser.density, originality.known(piece, index))
            for name, piece in airs.items()
        ]))
        for told in (dict(zip(opposite, opposite, strict=True)), opposite)
    )  # fmt: skip
    assert np.mean(own > other) > 0.9


def test_a_chooser_is_kept_as_json(chooser):
    back = Chooser.from_json(chooser.to_json())
    assert np.allclose(back.weights, chooser.weights, atol=1e-6)
    assert back == Chooser.from_json(back.to_json())


def test_without_a_piece_that_has_notes_the_first_draft_is_handed_on(chooser):
    drafts = [Draft(None, fault=f"{number}") for number in range(3)]
    (found,) = choosing.best(lambda _: drafts, {"air": chooser}, originality.index({}), 3, [Wish("air", "sad", 1)])
    assert found is drafts[0]


def test_known_counts_the_pieces_that_hold_an_n_gram(airs):
    index = originality.index(airs)
    piece = next(iter(airs.values()))
    assert originality.known(piece, index)[1] == 0
    alone = originality.index({"one": piece})
    assert originality.known(piece, alone, piece) == [0.0, 1.0, 0.0, 0.0]
    copy = PLANTS["transposed"](piece)
    assert originality.known(copy, index) == originality.known(piece, index)
