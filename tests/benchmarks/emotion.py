"""How well emotion is read: each figure beside its reference, on the data sets of MUSAI_SHARED.

python tests/benchmarks/emotion.py [words|encoder|chinese|notes|sound|tagger|tags]...

English is measured with the models that ship, on test parts that took no part in making them. The other rows are
cross-validated: Chinese reviews in 5 folds, VGMIDI in 5 folds grouped by game (mean of 10 seeds), Emotify in 10 folds
(tracks.py has its figures by emotion). The tagger of moods and themes has nothing fitted.
"""

from __future__ import annotations

import functools
import os
import pathlib
import sys
import zipfile

import numpy as np
from safetensors.numpy import load

from musai import config
from musai.embedding.checkpoints import Checkpoint
from musai.emotion import calibration, kernel, notes, notes_head, sound, sound_tags
from musai.emotion.chinese import NGRAMS, both
from musai.emotion.fusion import Calibration
from musai.emotion.models import Models
from musai.emotion.training import affect, chinese, english, files, heads, measures, sentences
from musai.emotion.weights import shipped
from musai.music.midi import read_midi
from musai.scratch import scratch
from tests.benchmarks import emotify_data, review_data, vgmidi_data

SHARED = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared")) / "data"
GOEMOTIONS = SHARED / "text/goemotions/data/original"
REVIEWS = SHARED / "text/chinese_sentiment/ChnSentiCorp_htl_all.csv"
SEEDS, FOLDS = range(10), 5
TAGGERS, AGREED = 5, 2  # listeners who tag a recording of Emotify; how many of them give it a tag at least
TAGS = ("amazing", "solemn", "tender", "nostalgic", "calm", "powerful", "joyful", "tense", "sad")  # in EMOTIFY's order
TRANSFERRED = 1000  # reviews of each other set that an encoder reads
EMOTIFY_FOLDS = 10


def say(what: str, figure: float, reference: str) -> None:
    print(f"{what:<66} {figure:6.3f}   {reference}", flush=True)


def say_calibration(what: str, stated: np.ndarray, right: np.ndarray) -> None:
    """Beside it, what chance alone gives so many rows: right answers drawn by the stated probabilities."""
    drawn = np.random.default_rng(0).random((200, len(stated))) < stated
    by_chance = np.mean([calibration.expected_calibration_error(stated, row) for row in drawn])
    error = calibration.expected_calibration_error(stated, right)
    say(f"    calibration error{what}", error, f"at most .05; of a true one of {len(stated)} rows {by_chance:.3f}")


def words() -> None:
    reader = Models(shipped()).english
    test = files.goemotions(GOEMOTIONS / "test.tsv", 28)
    likely = reader.features.emotions.probabilities(test.texts)
    f1 = measures.macro_f1(likely >= reader.features.emotions.thresholds, test.labels)
    say("GoEmotions, test macro-F1, a threshold a label (shipped)", f1, "TF-IDF linear .443-.463; at least .475, .50")
    say("    one threshold, .3", measures.macro_f1(likely >= 0.3, test.labels), "BERT .46 to .503")
    texts, truth = files.emobank(SHARED / "text/emobank/emobank.csv")["test"]
    found = reader.read(texts)
    for axis, (name, reference) in enumerate(
        (("valence", "TF-IDF ridge .566; at least .64, .68"), ("arousal", "TF-IDF ridge .435; at least .50, .52"))
    ):
        say(f"EmoBank, test r, {name} (shipped)", float(np.corrcoef(found[:, axis], truth[:, axis])[0, 1]), reference)
    card = Models(shipped()).cards["english_affect"]
    measured = measures.Measured(card.valence_error, card.arousal_error, card.calibration)
    say_calibration(", test", *measured.stated(found, truth))


def encoded() -> None:
    """Both with a sentence encoder, whose folder $MUSAI_ENCODER names, beside the models that ship. Half an hour; it
    goes on where it was stopped."""
    if "MUSAI_ENCODER" not in os.environ:
        print("English with a sentence encoder: left out, $MUSAI_ENCODER names no folder")
        return
    folder, settings = pathlib.Path(os.environ["MUSAI_ENCODER"]), config.load([], []).emotion
    plan = sentences.Plan(settings.encoder_epochs, settings.encoder_minutes, seed=0)
    place = scratch("sentences") / f"{sentences.digest(GOEMOTIONS, folder, plan)}.pt"
    emotions = english.add_encoder(
        shipped()["english_emotions"], GOEMOTIONS, folder, plan, print, Checkpoint(str(place))
    )
    card = emotions.opened()[1]
    print("shares", dict(card.settings))
    for what, reference in (("a threshold a label from dev", "at least .50"), ("threshold .3", "BERT .46 to .503")):
        say(
            f"GoEmotions with a sentence encoder, test macro-F1, {what}",
            card.figures[f"test macro-F1, {what}"],
            reference,
        )
    card = affect.train_affect(SHARED / "text/emobank/emobank.csv", emotions, folder, seed=0).opened()[1]
    for what, reference in (
        ("r, valence", "at least .68"),
        ("r, arousal", "at least .52"),
        ("calibration error", ".05"),
    ):
        say(f"EmoBank with a sentence encoder, test {what}", card.figures[f"test {what}"], reference)


def chinese_words() -> None:
    """With a sentence encoder too, whose folder $MUSAI_CHINESE_ENCODER names (small_e5.py makes one): 20 minutes
    more; it goes on where it was stopped."""
    given, sets = review_data.review_sets(), review_data.sets_apart()
    texts, praise = sets.pop("hotels")
    counts, parts = NGRAMS.counts(texts), chinese.folds(praise, FOLDS, 0)
    scores = chinese.held_out(counts, praise, parts, lambda _: None)
    _say_reviews("hotel reviews, 5-fold accuracy", texts, praise, scores)
    idf, weights, offset = chinese.fit(counts, praise)
    by_words = {
        name: (NGRAMS.weighted(NGRAMS.counts(o), idf) @ weights + offset)[:, 0] for name, (o, _) in sets.items()
    }
    for name, (others, good) in sets.items():
        left_out = f"{len(given[name][0]) - len(others)} repeats and reviews of hotels left out"
        majority = f"majority {max(good.mean(), 1 - good.mean()):.3f}"
        say(f"    transfer to {name}, accuracy", ((by_words[name] > 0) == good).mean(), f"{majority}; {left_out}")
    if "MUSAI_CHINESE_ENCODER" not in os.environ:
        print("hotel reviews with a sentence encoder: left out, $MUSAI_CHINESE_ENCODER names no folder")
        return
    folder, settings = pathlib.Path(os.environ["MUSAI_CHINESE_ENCODER"]), config.load([], []).emotion
    plan = sentences.Plan(chinese.EPOCHS, settings.encoder_minutes, seed=0)
    place = scratch("sentences") / sentences.digest(REVIEWS, folder, plan)
    learner = chinese.ReviewSentences.of(
        folder, texts, praise, plan, functools.partial(print, flush=True), lambda n: Checkpoint(f"{place}-{n}.pt")
    )
    by_sentences = learner.held_out(parts)
    say("hotel reviews, 5-fold accuracy: the encoder alone", ((by_sentences > 0) == praise).mean(), "-")
    _say_reviews("hotel reviews, 5-fold accuracy: both", texts, praise, both(scores, by_sentences))
    model = learner.fit_all()
    for name, (others, good) in sets.items():
        rows = np.random.default_rng(0).permutation(len(others))[:TRANSFERRED]
        found = both(by_words[name][rows], model.read([others[row] for row in rows])[0][:, 0])
        say(f"    transfer of both to {name}, accuracy", ((found > 0) == good[rows]).mean(), f"of {len(rows)} drawn")


def _say_reviews(what: str, texts: list[str], praise: np.ndarray, scores: np.ndarray) -> None:
    """Held-out logits of praise, float [texts]."""
    right = (scores > 0) == praise
    say(what, right.mean(), f"majority {praise.mean():.3f}, linear .902; at least .92")
    group = review_data.groups(texts)
    alone = np.bincount(group, minlength=len(group))[group] == 1
    say(f"    of the {alone.sum()} without a near copy among the others", right[alone].mean(), "-")
    stated = 1 / (1 + np.exp(-np.abs(scores)))
    half = np.random.default_rng(0).permutation(len(stated))
    learnt = calibration.fit(stated[half[::2]], right[half[::2]])
    trusted = np.array([learnt(p) for p in stated[half[1::2]]])
    say_calibration(", on the half that it was not fitted on", trusted, right[half[1::2]])


def vgmidi() -> None:
    """The heads learn how much the thirty listeners felt who gave the labels; the labels judge them."""
    folder = SHARED / "music/vgmidi"
    rows = files.table(folder / "vgmidi_labelled.csv", ("midi", "valence", "arousal", "game"))
    with zipfile.ZipFile(folder / "labelled/phrases.zip") as phrases:
        read = [notes.features(read_midi(phrases.read(row["midi"].removeprefix("labelled/")))) for row in rows]
    labels = np.array([[int(row["valence"]), int(row["arousal"])] for row in rows])
    felt = measures.scaled(vgmidi_data.targets(folder, rows))
    for name, names, fit in (
        ("a kernel a group (train_emotion)", heads.kernel_names(), heads.fit_kernel),
        ("ridge, 27 features (shipped)", notes_head.CHOSEN, heads.fit_linear),
    ):
        table = np.array([[piece[one] for one in names] for piece in read if piece])
        figures, errors = [], []
        for seed in SEEDS:
            fold = heads.grouped(rows, seed)
            _, found = heads.cross_validated(table, felt, fold, lambda x, y, fit=fit: fit(x, y).read_all)
            agree = (found > 0) == (labels > 0)
            figures.append([agree.all(axis=1).mean(), agree[:, 1].mean(), agree[:, 0].mean()])
            confidence = measures.held_out_confidence(found, felt, fold)
            errors.append(calibration.expected_calibration_error(*confidence))
        references = ("LR .653, majority .373; at least .69", "LR .831; at least .86", "LR .777; at least .80")
        for what, figure, reference in zip(
            ("quadrant", "arousal", "valence"), np.mean(figures, 0), references, strict=True
        ):
            say(f"VGMIDI, {name}: {what}", figure, reference)
        say("    calibration error", float(np.mean(errors)), "at most .05")


def heard() -> None:
    """r and genre stand in tracks.py; here, whether valence and arousal are as sure as they say."""
    ratings = emotify_data.labels()[1]
    truth = measures.scaled(sound.affect({name: ratings[:, n] for n, name in enumerate(sound.EMOTIFY)}))
    parts = emotify_data.given()
    known, sizes = np.hstack(parts), [part.shape[1] for part in parts]
    fold = np.random.default_rng(0).permutation(len(known)) % EMOTIFY_FOLDS
    _, held_out = heads.cross_validated(known, truth, fold, lambda x, y: kernel.fit(x, y, sizes).read)
    for axis, what in enumerate(("valence", "arousal")):
        say(f"Emotify, r of {what}", float(np.corrcoef(held_out[:, axis], truth[:, axis])[0, 1]), "-")
    say_calibration("", *measures.held_out_confidence(held_out, truth, fold))


def tagger() -> None:
    """The published tagger's 56 tags on Emotify's recordings; nothing is fitted."""
    found, embedder = emotify_data.heard_by(*emotify_data.PUBLISHED["moods and themes"])
    state = load(embedder.state)
    weights = state["dense.weight"]
    values = sound_tags.read(found[:, : weights.shape[1]], weights, state["dense.bias"])
    ratings = emotify_data.labels()[1]
    truth = measures.scaled(sound.affect({name: ratings[:, n] for n, name in enumerate(sound.EMOTIFY)}))
    for number, what in enumerate(("valence", "arousal")):
        say(f"Emotify by 56 tags, r {what}", float(np.corrcoef(values[:, number], truth[:, number])[0, 1]), "-")
        say("    error", float(np.sqrt(np.mean((values[:, number] - truth[:, number]) ** 2))), "no estimate .500")
    stated = measures.Measured(sound_tags.VALENCE_ERROR, sound_tags.AROUSAL_ERROR, Calibration()).stated(values, truth)
    say_calibration("", *stated)


def tagged() -> None:
    """Five listeners tag a recording with what two of them felt; all its other listeners judge what the tags say."""
    recording, votes = emotify_data.votes()
    random = np.random.default_rng(0)
    groups = []
    for number in np.unique(recording):
        own = random.permutation(np.flatnonzero(recording == number))
        groups += [(number, own[at : at + TAGGERS], own) for at in range(0, len(own) - TAGGERS + 1, TAGGERS)]
    ratings = np.array([votes[np.setdiff1d(own, few)].mean(axis=0) for _, few, own in groups])
    truth = measures.scaled(sound.affect({name: ratings[:, n] for n, name in enumerate(sound.EMOTIFY)}))
    reader = Models({})
    given = [[tag for tag, n in zip(TAGS, votes[few].sum(axis=0), strict=True) if n >= AGREED] for _, few, _ in groups]
    read = [reader.tags(tags, None, None) for tags in given]
    known = np.array([place for place, reading in enumerate(read) if reading])
    truth, fold = (
        truth[known],
        (random.permutation(int(recording.max()) + 1) % EMOTIFY_FOLDS)[[groups[place][0] for place in known]],
    )
    said = [reading for reading in read if reading]
    found = np.array([[reading.valence, reading.arousal] for reading in said])
    for axis, what in enumerate(("valence", "arousal")):
        slope, _ = np.polyfit(found[:, axis], truth[:, axis], 1)
        say(f"Emotify by tags of {TAGGERS}, r of {what}", float(np.corrcoef(found[:, axis], truth[:, axis])[0, 1]), "-")
        say("    error", float(np.sqrt(np.mean((found[:, axis] - truth[:, axis]) ** 2))), "no estimate .500")
        say("    slope of the truth over what is read", slope, "1")
    stated, right = np.zeros(len(found)), np.zeros(len(found), bool)
    for number in range(EMOTIFY_FOLDS):  # slopes and errors of the other recordings
        own = fold == number
        slopes = (found[~own] * truth[~own]).sum(axis=0) / (found[~own] ** 2).sum(axis=0)
        errors = np.sqrt(((slopes * found[~own] - truth[~own]) ** 2).mean(axis=0))
        stated[own], right[own] = measures.Measured(*errors, Calibration()).stated(slopes * found[own], truth[own])
    say_calibration(", slopes and errors of other recordings", stated, right)


PARTS = {
    "words": words,
    "encoder": encoded,
    "chinese": chinese_words,
    "notes": vgmidi,
    "sound": heard,
    "tagger": tagger,
    "tags": tagged,
}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
