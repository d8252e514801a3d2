"""Phrases of a GAN are put together of its bars: more like the tunes it learnt from than what its critic picks."""

import dataclasses

import numpy as np
import pytest

from musai.demo.corpus_text import abc_tunes, corpus_folder, file_text
from musai.errors import InputError
from musai.evaluation import music_metrics
from musai.generation import gan_composer, models, originality, phrase_choosing, phrase_features, phrases
from musai.generation.choosing import MATCHES, Chooser
from musai.generation.gan_training import GanSchedule
from musai.generation.phrase_choosing import PhraseChooser, Place
from musai.generation.phrases import BAR_CELLS, PHRASE_BARS
from musai.generation.styles import lessons_of
from musai.generation.wishes import Wish
from musai.music import ngrams
from musai.music.abc import read_abc
from musai.music.keys import key_of
from musai.music.midi import write_midi
from musai.music.notes import Track, piece_of
from musai.music.rolls import FIRST, LOWEST, SILENT, notes_of_roll


@pytest.fixture(scope="module")
def airs():
    corpus = corpus_folder()
    assert corpus
    found = {}
    for number, tune in abc_tunes(file_text(corpus / "oneills1850" / "0101-0200.abc")).items():
        try:
            found[f"{number}"] = read_abc(tune)
        except InputError:
            continue
    return {name: piece for name, piece in found.items() if piece.meter in ((4, 4), (3, 4), (6, 8))}


@pytest.fixture(scope="module")
def data(airs):
    schedule = GanSchedule(steps=100, critic_steps=2, batch=16, rate=2e-3)
    found = gan_composer.train({"air": airs}, {}, schedule, {"files": 1}, 16)
    assert found
    return found


@pytest.fixture(scope="module")
def composer(airs, data):
    return gan_composer.load(models.read_model(gan_composer.with_choosers(data, {"air": airs}, 24)))


def test_the_same_pieces_give_the_same_choosers(airs, data):
    one, other = (gan_composer.with_choosers(data, {"air": airs}, 2) for _ in range(2))
    assert one == other


def rolls_of(airs, meter, count=40):
    lessons, style, _ = lessons_of({name: piece for name, piece in airs.items() if piece.meter == meter}, "air")
    bars = [phrases.bars_of(one, style.voices) for one in lessons if one.bars >= PHRASE_BARS]
    return phrases.phrases(bars)[0][:count], style


@pytest.mark.parametrize("meter", [(4, 4), (6, 8)])
def test_numbers_of_rolls_are_those_of_their_pieces(airs, meter):
    rolls, style = rolls_of(airs, meter)
    cells = phrases.cells_of(meter)
    rolls = rolls[phrase_features.onsets(rolls, cells) > 1]
    found = phrase_features.numbers(rolls, cells)
    for roll, row in zip(rolls, found, strict=True):
        bars = roll.reshape(-1, BAR_CELLS, roll.shape[1])
        piece = notes_of_roll(phrases.roll_of_bars(bars, meter), style.parts, meter, 120.0)
        features, key = music_metrics.features(piece), key_of(piece)
        names = ("pitches", "pitch_range", "inter_onset", "pitch_classes_a_bar", "scale_consistency")
        expected = [features[name] for name in names]
        got = [row[0], row[1], row[3] / 4, row[4], row[5]]
        assert np.allclose(got, expected), names
        assert row[2] == len(piece) / 5
        assert np.allclose(row[-3:], [key.correlation, key.margin if key.minor else -key.margin,
                                      4 * len(np.unique(piece.onset)) / (5 * cells)])  # fmt: skip
        line = phrase_features.line_of(roll[None], cells)
        assert phrase_features.grams(line)[1].tolist() == ngrams.piece_hashes(piece).tolist()


def test_a_chooser_keeps_to_the_form_and_to_the_bars_that_were_written(airs, composer):
    style, index = composer.styles[0], originality.index(airs)
    chooser = PhraseChooser(composer.choosers["air"], style, index)
    made = rolls_of(airs, (4, 4), 12)[0][:, BAR_CELLS:].reshape(-1, PHRASE_BARS, BAR_CELLS, style.voices)
    silent = np.full((1, *made.shape[2:]), SILENT, np.int8)
    place = Place("happy", (4, 4), "opening", (0, 1, 0, 3), silent)
    found = chooser.best(made, place, made[0])
    assert np.array_equal(found[2], found[0])
    for bar in (0, 1, 3):
        assert (found[bar] == made[:, bar]).all(axis=(1, 2)).any()
    assert len({bar.tobytes() for bar in found}) == 3
    later = Place("happy", (4, 4), "closing", (0, 5, 1, 7), np.concatenate([silent, found]))
    ending = chooser.best(made, later, made[0])
    assert np.array_equal(ending[[0, 2]], found[:2])


def test_what_is_put_together_is_likelier_than_every_phrase_as_it_was_written(airs, composer):
    style, index = composer.styles[0], originality.index(airs)
    chooser = PhraseChooser(composer.choosers["air"], style, index)
    made = rolls_of(airs, (4, 4), 12)[0][:, BAR_CELLS:].reshape(-1, PHRASE_BARS, BAR_CELLS, style.voices)
    place = Place("sad", (4, 4), "middle", (4, 5, 6, 7), np.full((5, *made.shape[2:]), SILENT, np.int8))
    options = np.concatenate([chooser.best(made, place, made[0])[None], made])
    rows, usable = phrase_choosing.described(options, place, style, chooser.chooser.density, index)
    assert usable.all()
    assert chooser.chooser.scores(rows).argmax() == 0


def duets(airs):
    """Airs with a second part two octaves lower, at half the pace."""
    found = {}
    for name, air in airs.items():
        rows = [(int(p), int(a), int(d), 80, 0) for p, a, d in zip(air.pitch, air.onset, air.duration, strict=True)]
        low = [(pitch - 24, onset, 2 * length, 80, 1) for pitch, onset, length, *_ in rows[::2]]
        found[name] = piece_of([*rows, *low], [Track("flute", 73), Track("bass", 32)], air.meter)
    return found


def test_each_part_of_a_bar_is_one_that_was_written_for_it(airs):
    pieces = duets({name: piece for name, piece in airs.items() if piece.meter == (4, 4)})
    lessons, style, _ = lessons_of(pieces, "duet")
    bars = [phrases.bars_of(one, style.voices) for one in lessons if one.bars >= PHRASE_BARS]
    made = phrases.phrases(bars)[0][:12, BAR_CELLS:].reshape(-1, PHRASE_BARS, BAR_CELLS, style.voices)
    place = Place("sad", (4, 4), "middle", (4, 5, 6, 7), np.full((5, *made.shape[2:]), SILENT, np.int8))
    index = originality.index(pieces)
    rows, _ = phrase_choosing.described(made, place, style, 1.0, index)
    weights = np.random.default_rng(0).standard_normal(2 * rows.shape[1] - MATCHES)
    mean, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 0.1)
    chooser = PhraseChooser(Chooser(1.0, tuple(mean), tuple(scale), tuple(weights)), style, index)
    found = chooser.best(made, place, made[0])
    assert len(style.parts) == 2
    for bar in range(PHRASE_BARS):
        for part in style.parts:
            voices = slice(part.first, part.first + part.voices)
            assert (found[bar, :, voices] == made[:, bar, :, voices]).all(axis=(1, 2)).any()
    whole = [(found[bar] == made[:, bar]).all(axis=(1, 2)).any() for bar in range(PHRASE_BARS)]
    assert not all(whole)
    best = chooser.chooser.scores(phrase_choosing.described(found[None], place, style, 1.0, index)[0])
    assert best > chooser.chooser.scores(rows).max()


def test_a_chooser_of_other_features_is_said(airs, composer):
    style, chooser = composer.styles[0], composer.choosers["air"]
    older = dataclasses.replace(chooser, mean=chooser.mean[1:], scale=chooser.scale[1:])
    made = rolls_of(airs, (4, 4), 12)[0][:, BAR_CELLS:].reshape(-1, PHRASE_BARS, BAR_CELLS, style.voices)
    place = Place("sad", (4, 4), "middle", (4, 5, 6, 7), np.full((5, *made.shape[2:]), SILENT, np.int8))
    with pytest.raises(InputError, match="another version"):
        PhraseChooser(older, style, originality.index(airs)).best(made, place, made[0])


def test_the_bar_after_a_phrase_is_known_where_the_form_repeats_one():
    bars = np.arange(3, dtype=np.int8)[:, None, None] * np.ones((3, BAR_CELLS, 1), np.int8)
    made = 10 + np.arange(PHRASE_BARS, dtype=np.int8)[:, None, None] * np.ones((2, PHRASE_BARS, BAR_CELLS, 1), np.int8)
    found = [Place("sad", (4, 4), "middle", (2, 3, 4, 5), bars, then=then).after(made) for then in (None, 0, 3)]
    assert found[0] is None
    assert [set(one.ravel().tolist()) for one in found[1:]] == [{1}, {11}]


def test_gaps_and_what_a_part_has_to_itself():
    rolls = np.full((1, 2 * BAR_CELLS, 2), SILENT, np.int8)
    rolls[0, [0, 4, 24], 0] = FIRST + np.array([0, 12, 14])
    rolls[0, 0, 1] = FIRST + 7
    assert phrase_features.gaps(rolls, BAR_CELLS).tolist() == [[20 / 16, 8 / 16]]
    assert phrase_features.of_part(rolls, BAR_CELLS).tolist() == [[0, 2, 1.5, 1.5]]
    assert phrase_features.of_part(rolls[:, :, 1:], BAR_CELLS).tolist() == [[0.5, 0.5, 0.5, 0.5]]


def test_phrases_without_notes_are_handed_on(airs, composer):
    style = composer.styles[0]
    chooser = PhraseChooser(composer.choosers["air"], style, originality.index(airs))
    silent = np.full((3, PHRASE_BARS, BAR_CELLS, style.voices), SILENT, np.int8)
    place = Place("sad", (4, 4), "middle", (4, 5, 6, 7), np.concatenate([silent[0], silent[0, :1]]))
    assert np.array_equal(chooser.best(silent, place, silent[0]), silent[0])


def test_what_is_chosen_has_more_of_the_tunes_n_grams(airs, composer):
    index = originality.index(airs)
    wishes = [Wish("air", emotion, seed) for seed in range(6) for emotion in ("happy", "sad")]
    ours, theirs = ([draft.piece for draft in composer.compose(wishes, given, 24)] for given in (index, None))
    held = [np.mean([originality.known(piece, index)[0] for piece in own]) for own in (ours, theirs)]
    assert held[0] > 1.2 * held[1]
    (again,) = composer.compose(wishes[5:6], index, 24)
    assert write_midi(again.piece) == write_midi(ours[5])


def test_bars_of_the_asked_mode_are_likelier(airs, composer):
    rolls, style = rolls_of(airs, (4, 4), 120)
    chooser = PhraseChooser(composer.choosers["air"], style, originality.index(airs))
    margins = {}
    for emotion in ("happy", "sad"):
        place = Place(emotion, (4, 4), "middle", (4, 5, 6, 7), np.full((5, BAR_CELLS, style.voices), SILENT, np.int8))
        made = rolls[:, BAR_CELLS:].reshape(-1, 12, PHRASE_BARS, BAR_CELLS, style.voices)
        found = np.stack([chooser.best(one, place, one[0]) for one in made])
        margins[emotion] = phrase_features.numbers(place.heard(found), BAR_CELLS)[:, -2]
    assert (margins["happy"] < margins["sad"]).mean() > 0.7


def test_a_model_without_choosers_is_left_to_its_critic(airs, composer):
    bare = dataclasses.replace(composer, choosers={})
    wishes = [Wish("air", "calm", 3, 8)]
    ours, plain = bare.compose(wishes, originality.index(airs)), bare.compose(wishes)
    assert write_midi(ours[0].piece) == write_midi(plain[0].piece)


def test_a_style_of_drums_alone_has_no_chooser():
    beat = [(36 + 2 * (place % 2), 12 * place, 12, 80, 0) for place in range(64)]
    pieces = {"beat": {"one": piece_of(beat, [Track("drums", drum=True)])}}
    data = gan_composer.train(pieces, {}, GanSchedule(steps=2, critic_steps=1, batch=4), {}, 16)
    assert data
    with_none = gan_composer.load(models.read_model(gan_composer.with_choosers(data, pieces, 2)))
    assert with_none.choosers == {}


def test_a_melody_is_read_from_the_highest_voice():
    rolls = np.full((1, 2 * BAR_CELLS, 2), SILENT, np.int8)
    rolls[0, 0] = (FIRST + 24, FIRST + 28)
    rolls[0, 4, 0] = FIRST + 26
    line = phrase_features.line_of(rolls, BAR_CELLS)
    assert (line.pitch - LOWEST).tolist() == [28, 26]
    assert line.cell.tolist() == [0, 4]
