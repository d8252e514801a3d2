"""A small real training: its loss falls below that of the notes' frequencies, and what it samples is music."""

import dataclasses

import numpy as np
import pytest

from musai.generation import composer, context, lessons, makers, models, sampling, sanity, style_transfer, training
from musai.generation.quadrants import QUADRANTS, quadrants
from musai.generation.sampling import Sampler
from musai.generation.styles import lessons_of
from musai.generation.training import Schedule
from musai.generation.wishes import Source, Wish
from musai.music.midi import write_midi
from musai.music.notes import Track, joined, melody, piece_of

STEPS = (0, 2, 4, 5, 7, 9, 11, 12, 14)


def song(seed):
    """Eight bars: a tune that repeats its first half, over a bass on every half bar."""
    random = np.random.default_rng(seed)
    half = [STEPS[place] for place in np.abs(np.cumsum(random.choice([-1, 1], 16))) % len(STEPS)]
    tune = [(72 + pitch, 12 * place, 12, 80, 0) for place, pitch in enumerate(half * 2)]
    bass = [(48 + half[4 * (bar % 4)] % 12, 48 * bar + 24 * part, 24, 80, 1) for bar in range(8) for part in range(2)]
    return piece_of(tune + bass, [Track("tune", 73), Track("bass", 32)], (4, 4), 100)


@pytest.fixture(scope="module")
def songs():
    return {f"song {seed}": song(seed) for seed in range(40)}


@pytest.fixture(scope="module")
def made(songs):
    held_out = {name: piece for name, piece in songs.items() if name.endswith("9")}
    pieces = {name: piece for name, piece in songs.items() if name not in held_out}
    sizes = {"hidden": 48, "head": 48, "embedding": 8}
    data = composer.train({"song": pieces}, {"song": held_out}, Schedule(epochs=14, batch=8, rate=0.01), {}, sizes)
    return composer.load(models.read_model(data))


def test_the_loss_falls_below_that_of_frequencies(made, songs):
    held_out, _, _ = lessons_of({name: piece for name, piece in songs.items() if name.endswith("9")}, "song")
    rows = np.concatenate([one.rows for one in held_out])
    entropy = 0.0
    for field in rows.T:
        share = np.unique(field, return_counts=True)[1] / len(field)
        entropy -= float((share * np.log(share)).sum())
    assert training.nats(made.network, held_out) < 0.6 * entropy


def test_samples_keep_to_the_grammar(made):
    wishes = [Wish("song", emotion, seed, 8) for seed, emotion in enumerate(("happy", "calm", "sad", "tense") * 4)]
    for piece in made.compose(wishes):
        assert len(piece) > 8
        assert piece.bars <= 8
        assert {track.name for track in piece.tracks} == {"tune", "bass"}
        for track in range(2):
            part = piece.of_track(track)
            assert (np.diff(part.onset) >= part.duration[:-1]).all()


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_a_wish_gives_the_same_bytes_alone_and_in_company(made, spread):
    wishes, sampler = [Wish("song", "happy", seed, 4) for seed in range(66)], Sampler(spread=spread)
    together = made.compose(wishes, sampler)
    for place in (0, 65):
        (alone,) = made.compose([wishes[place]], sampler)
        assert write_midi(alone) == write_midi(together[place])
    assert len({write_midi(piece) for piece in together}) > 60


def test_a_primer_opens_the_piece(made, songs):
    (lesson, *_), _, _ = lessons_of(songs, "song")
    (piece,) = made.compose([Wish("song", "happy", 5, 8, primer=lesson.rows[:12])])
    opening = melody(piece).pitch[:8]
    assert np.array_equal(np.diff(opening), np.diff(lesson.rows[:12][lesson.rows[:12, 1] == 0][:8, 2]))


def test_a_form_plays_its_bars_again(made):
    form = (0, 1, 2, 0, 1, 5, 0, 2)
    wishes = [Wish("song", "happy", seed, len(form)) for seed in range(20)]
    asked = [dataclasses.replace(made._request(wish), form=form) for wish in wishes]
    grammars = [style.grammar for style in made.styles]
    for rows in sampling.sample(made.network, asked, grammars, Sampler()):
        onset = np.cumsum(rows[:, 0], dtype=int)
        notes = np.column_stack([onset % 48, rows[:, 1:3], np.minimum(rows[:, 3], 47 - onset % 48)])
        bars = [notes[onset // 48 == bar].tolist() for bar in range(len(form))]
        assert all(bars)
        assert [bars[first] for first in form] == bars
        for voice in (0, 1):
            line = rows[rows[:, 1] == voice]
            begins = onset[rows[:, 1] == voice]
            assert (np.diff(begins) > line[:-1, 3]).all()


def test_without_a_form_in_the_style_none_is_asked_for(made):
    assert made.forms == {"song": []}
    assert made._request(Wish("song", "happy", 1, 8)).form is None
    shipped = makers.Files().composer()
    request = shipped._request(Wish("folk", "happy", 1, 20))
    assert len(request.form) == request.bars == 20 + request.upbeat


def test_the_bounds_of_a_pieces_own_temperatures_hold(made):
    wishes = [made._request(Wish("song", "happy", seed, 8)) for seed in range(64)]
    grammars = [made.styles[0].grammar] * 64
    one, own = (sampling._Block(made.network, wishes, grammars, Sampler(0.9, spread=spread)) for spread in (0.0, 1.0))
    assert np.allclose(one.rhythm, 0.9)
    assert np.allclose(one.tune, 0.9)
    for heat, (low, high) in ((own.rhythm, sampling.RHYTHM), (own.tune, sampling.PITCH)):
        assert low * 0.9 <= heat.min() < (low + 0.05) * 0.9
        assert (high - 0.05) * 0.9 < heat.max() <= high * 0.9


@pytest.mark.parametrize("first", [24, 36, 42])
def test_after_an_upbeat_the_last_bar_is_as_much_shorter(made, first):
    form = (0, 1, 2, 3, 4, 1, 2, 3, 4)
    request = sampling.Request(0, 0, 0, len(form), 5, np.array([(first, 0, 72, 47 - first)]), form=form, upbeat=True)
    (rows,) = sampling.sample(made.network, [request], [style.grammar for style in made.styles], Sampler())
    onset = np.cumsum(rows[:, 0], dtype=int)
    assert onset[0] == first
    assert (onset + rows[:, 3]).max() < 8 * 48 + first
    bars = [rows[onset // 48 == bar, 2].tolist() for bar in range(len(form))]
    assert bars[5:8] == bars[1:4]
    assert bars[8] == bars[4][: len(bars[8])]


def test_a_piece_begins_with_an_upbeat_where_its_form_has_one(made):
    wishes = [Wish("song", "happy", seed, 8) for seed in range(8)]
    for upbeat in (True, False):
        asked = [dataclasses.replace(made._request(wish), upbeat=upbeat) for wish in wishes]
        found = sampling.sample(made.network, asked, [style.grammar for style in made.styles], Sampler())
        assert all((2 * rows[0, 0] >= 48) == upbeat for rows in found)


def test_guidance_makes_the_asked_emotion_plainer():
    """As the reader tells it that labels the training tunes."""
    shipped = makers.Files().composer()
    wishes = [Wish("folk", QUADRANTS[seed % 4], seed, 8) for seed in range(48)]
    right = []
    for guidance in (0.0, 0.5):
        made = shipped.compose(wishes, Sampler(guidance=guidance))
        felt = quadrants({str(number): piece for number, piece in enumerate(made)})
        right.append(np.mean([felt[str(number)] == wish.emotion for number, wish in enumerate(wishes)]))
    assert right[1] > max(0.7, right[0] + 0.05)


def transferred(made, tune, seed=3):
    (draft,) = style_transfer.compose(made, [Wish("song", "happy", seed, tune.bars, source=Source("", "", tune))])
    return draft


def test_transfer_keeps_the_tune_and_adds_the_other_voices(made, songs):
    tune = songs["song 9"].of_track(0)
    found = transferred(made, tune).piece
    sung, bass = found.of_track(0), found.of_track(1)
    assert np.array_equal(sung.onset, tune.onset)
    assert np.array_equal(sung.pitch % 12, tune.pitch % 12)
    assert len(bass) >= 4
    assert set(bass.onset % 24) == {0}


def test_a_style_of_one_voice_plays_more_notes_between_those_of_the_tune(songs):
    tune = songs["song 9"].of_track(0)
    shipped = makers.Files().composer()
    wish = Wish("folk", "happy", 3, tune.bars, source=Source("", "", tune))
    (draft,), (again,) = (style_transfer.compose(shipped, [wish]) for _ in range(2))
    found = draft.piece
    assert write_midi(found) == write_midi(again.piece)
    assert len(found) > 1.3 * len(tune)
    assert (np.diff(found.onset) >= found.duration[:-1]).all()
    kept = {(at, pitch % 12) for at, pitch in zip(found.onset.tolist(), found.pitch.tolist(), strict=True)}
    assert kept >= {(at, pitch % 12) for at, pitch in zip(tune.onset.tolist(), tune.pitch.tolist(), strict=True)}
    assert found.end <= tune.bars * tune.bar_steps


def test_notes_between_those_of_the_tune_keep_to_the_harmony_below_it():
    tune = [(72 + STEPS[place % 5], 24 * place, 24, 80, 0) for place in range(32)]
    chords = [(50 + third, 48 * bar, 48, 80, 1) for bar in range(16) for third in (0, 3, 7)]  # D minor
    source = piece_of(tune + chords, [Track("tune"), Track("chords")], (4, 4), 100)
    shipped = makers.Files().composer()
    wishes = [Wish("folk", "calm", seed, 16, source=Source("", "", source)) for seed in range(8)]
    shares = []
    for harmony in (0.0, 3.0):
        notes = [draft.piece for draft in style_transfer.compose(shipped, wishes, Sampler(harmony=harmony))]
        own = [np.isin(piece.pitch[piece.onset % 24 > 0] % 12, (2, 5, 9)).mean() for piece in notes]
        shares.append(np.mean(own))
    assert shares[1] > shares[0] + 0.2


def test_a_source_that_cannot_be_transferred_says_why(made, songs):
    waltz = dataclasses.replace(songs["song 9"], meter=(3, 4))
    assert "meter" in transferred(made, waltz).fault
    long = joined([songs["song 9"]] * 9)
    assert "64 bars" in transferred(made, long).fault
    late = dataclasses.replace(songs["song 9"], onset=songs["song 9"].onset + 200)
    assert "rest of over two bars" in transferred(made, late).fault


def test_every_piece_ends_near_a_bar_line(made):
    wishes = [Wish("song", "happy", seed, 4) for seed in range(64)]
    ended = [sanity.near_bar_line(piece.end, piece.onset[0], piece.bar_steps) for piece in made.compose(wishes)]
    assert all(ended)


def test_what_is_told_of_bars():
    plan = context.told((0, 1, 2, 3, 0, 1, 6), upbeat=True)
    assert plan[:, 0].tolist() == [15, 0, 1, 2, 3, 4, 5, 6]
    again = context.FORM
    assert plan[:, 1].tolist() == [3 + again, 2 + again, 5, 4, 3, 2, 1, 0]
    assert context.told(range(40), upbeat=False)[20:26, 1].tolist() == [16, 16, 16, 16, 16, 15]


def test_a_phrase_that_ends_the_piece_is_told_from_the_first():
    """Though at the end its last note is longer."""
    tune = [60, 62, 64, 65, 67, 69, 71, 72]
    notes = [(pitch, 24 * place, 24, 80, 0) for place, pitch in enumerate(tune * 2)]
    notes[-2:] = [(71, 24 * 14, 48, 80, 0)]
    (lesson,), _, _ = lessons_of({"tune": piece_of(notes, meter=(4, 4))}, "song")
    assert lessons.form_of(lesson) == (0, 1, 2, 3, 0, 1, 2, 7)
    data = lessons.contexts([lesson])
    assert data["left"][0, :16:2].tolist() == [20, 19, 18, 17, 4, 3, 2, 1]


def test_windows_hold_every_note_once(songs):
    every, _, _ = lessons_of(songs, "song")
    data = lessons.contexts(every)
    found = [int(arrays["learnt"].sum()) for _, arrays in lessons.windows(every, data, 8, np.random.default_rng(0))]
    assert sum(found) == sum(len(one.rows) + 1 for one in every)
