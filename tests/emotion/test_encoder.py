"""The sentence encoder against torch's own transformer layers, on a tiny one made here."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from musai.embedding.checkpoints import NOWHERE, Checkpoint
from musai.emotion import encoder
from musai.emotion.encoder import SentenceModel
from musai.emotion.english import EMOTIONS, TOLD, EnglishEmotions
from musai.emotion.models import Models
from musai.emotion.training import affect, chinese, english, files, sentences
from musai.emotion.weights import shipped
from musai.errors import InputError

SIZE, HEADS, INNER, LAYERS = 12, 3, 20, 4
WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "happy", "joyful", "glad", "sad", "awful", "bad", "day", "song", "is", "a",
    "the", "so",
]  # fmt: skip
CONFIG = {
    "hidden_size": SIZE, "num_attention_heads": HEADS, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
    "vocab_size": len(WORDS), "max_position_embeddings": 64, "type_vocab_size": 2,
}  # fmt: skip


def write_encoder(place: pathlib.Path) -> None:
    """As encoders are published: with a pooler, which is not read."""
    torch.manual_seed(0)
    made = encoder.Encoder(CONFIG)
    for name, parameter in made.named_parameters():
        torch.nn.init.normal_(parameter, mean=float(name.endswith("LayerNorm.weight")), std=0.4)
    save_file({**made.state_dict(), "pooler.dense.bias": torch.zeros(SIZE)}, place / "model.safetensors")
    (place / "config.json").write_text(json.dumps(CONFIG))
    tokens = Tokenizer(models.WordLevel({word: row for row, word in enumerate(WORDS)}, "[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    tokens.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokens.enable_padding(length=9)  # as published ones have it; it would change the means
    tokens.save(str(place / "tokenizer.json"))


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    write_encoder(tmp_path)
    return tmp_path


def test_the_layers_are_torchs(folder: pathlib.Path) -> None:
    ours = encoder.opened(folder).encoder
    ids = torch.tensor([[2, 4, 10, 3]])
    x = ours.embeddings(ids)
    means = []
    layer: Any  # torch types what a module holds as tensor or module
    for layer in ours.encoder["layer"].children():
        theirs: Any = torch.nn.TransformerEncoderLayer(SIZE, HEADS, INNER, 0, "gelu", 1e-12, batch_first=True).eval()
        attention, own = theirs.self_attn, layer.attention
        query, key, value = (own.self[name] for name in ("query", "key", "value"))
        attention.in_proj_weight.data = torch.cat([query.weight, key.weight, value.weight])
        attention.in_proj_bias.data = torch.cat([query.bias, key.bias, value.bias])
        theirs.self_attn.out_proj, theirs.norm1 = own.output.dense, own.output.LayerNorm
        theirs.linear1, theirs.linear2, theirs.norm2 = (
            layer.intermediate["dense"], layer.output.dense, layer.output.LayerNorm
        )  # fmt: skip
        x = theirs(x)
        means.append(x.mean(1))
    found = ours(ids, torch.ones(1, 4, dtype=torch.bool))
    torch.testing.assert_close(found, torch.cat(means[-encoder.HEARD :], dim=1), rtol=1e-4, atol=1e-5)


def test_a_text_is_read_the_same_whatever_it_is_read_with(folder: pathlib.Path) -> None:
    reader = encoder.opened(folder)
    texts = ["so sad", "", "the day is a happy song so glad", "awful"]
    together = reader.read(texts)
    assert together.shape == (4, encoder.HEARD * SIZE)
    np.testing.assert_allclose(together, np.concatenate([reader.read([text]) for text in texts]), atol=1e-5)
    assert np.abs(together[0] - together[3]).max() > 0.01


def test_of_a_long_text_the_first_and_the_last_tokens_are_read(folder: pathlib.Path) -> None:
    happy, sad, so = (WORDS.index(word) for word in ("happy", "sad", "so"))
    long = " ".join(["happy"] * 200)
    assert encoder.opened(folder).ids([long + " sad"]) == [[2, *[happy] * 62, 3]]
    review = encoder.opened(folder, cut=encoder.Cut(3, 2))
    assert review.ids([long + " sad", "sad so sad"]) == [[2, happy, happy, sad, 3], [2, sad, so, sad, 3]]


def test_texts_pass_the_layers_that_stay_once(folder: pathlib.Path) -> None:
    reader, texts = encoder.opened(folder), ["so sad", "", "the day is a happy song so glad", "awful"]
    rng = np.random.default_rng(0)
    model = SentenceModel(reader, rng.normal(size=(reader.width, 2)).astype(np.float32), np.float32([1, -1]))
    passed = sentences.Passed.of(reader, texts)
    assert [tuple(one.shape) for one in passed.states] == [(tokens, SIZE) for tokens in (4, 2, 10, 3)]
    plain = model.read(texts)[0]
    np.testing.assert_allclose(passed.scores(model), plain, atol=0.05 * np.abs(plain).max())  # in bfloat16
    chosen, there = passed.rows(np.array([2, 0])).batch([1, 0])
    np.testing.assert_array_equal(chosen[0][:4].float(), passed.states[0].float())
    assert there.sum(1).tolist() == [4, 10]


def test_it_travels_in_a_model(folder: pathlib.Path) -> None:
    reader = encoder.opened(folder)
    again = encoder.Sentences.of(reader.packed())
    assert again is not None
    np.testing.assert_allclose(again.read(["so sad a day"]), reader.read(["so sad a day"]), atol=0.01)
    assert encoder.Sentences.of({"weights": np.zeros(3)}) is None


def test_what_is_no_encoder_is_refused(folder: pathlib.Path) -> None:
    (folder / "config.json").write_text(json.dumps(CONFIG | {"hidden_size": SIZE + HEADS}))
    with pytest.raises(InputError, match="holds no BERT"):
        encoder.opened(folder)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="holds no BERT"):
        encoder.opened(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"emotion\.training\.sentence_encoder: .* has no tokenizer\.json"):
        encoder.opened(folder)


GLAD, SAD = ("happy", "joyful", "glad"), ("sad", "awful", "bad")


def goemotions(folder: pathlib.Path) -> pathlib.Path:
    """Files of short texts that say joy or sadness."""
    rng, place = np.random.default_rng(1), folder / "goemotions"
    place.mkdir()
    for part, rows in (("train", 256), ("dev", 64), ("test", 64)):
        lines = []
        for row in range(rows):
            emotion, words = (("joy", GLAD), ("sadness", SAD))[row % 2]
            text = " ".join([*rng.choice(["the", "day", "song", "is", "so"], rng.integers(5)), rng.choice(words)])
            lines.append(f"{text}\t{EMOTIONS.index(emotion)}\t{row}\n")
        (place / f"{part}.tsv").write_text("".join(lines))
    return place


def test_it_learns_the_emotions_and_travels_with_them(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "RATE", 3e-3)  # the texts are few
    monkeypatch.setattr(sentences, "HEAD_RATE", 2e-2)
    said: list[str] = []
    data, plain = goemotions(folder), shipped()["english_emotions"]
    made = english.add_encoder(plain, data, folder, sentences.Plan(12, 60, seed=1), said.append)
    tensors, card = made.opened()
    assert [line.split(",")[1] for line in said] == [f" epoch {number} of 12" for number in range(1, 13)]
    assert card.data[-1]["file"] == "model.safetensors"
    assert card.settings["sentence_share"] > 0.5
    (folder / "model.safetensors").unlink()
    reader = EnglishEmotions.of(tensors, card.settings)
    assert reader.sentences is not None
    texts, both = ["the song is so joyful", "bad"], [EMOTIONS.index("joy"), EMOTIONS.index("sadness")]
    (glad, not_sad), (not_glad, sad) = reader.sentences.read(texts)[0][:, both]
    assert min(glad, sad) > 1 > -1 > max(not_sad, not_glad)
    without = dataclasses.replace(reader, sentences=None).read(texts)[0][0, both[0]]
    mean = reader.sentence_share * glad + (1 - reader.sentence_share) * without
    assert reader.read(texts)[0][0, both[0]] == pytest.approx(mean, abs=1e-3)
    features = affect.AffectFeatures(reader).of(["the day"])
    assert features.shape == (1, TOLD + 576 + encoder.HEARD * SIZE)
    assert "encoder/config.json" not in plain.opened()[0]


def test_an_interrupted_training_ends_as_one_that_was_not(folder: pathlib.Path) -> None:
    data = goemotions(folder)
    train, dev = (files.goemotions(data / f"{part}.tsv", 28) for part in ("train", "dev"))

    class Interrupted(Checkpoint):
        def keep(self, content: bytes) -> None:
            super().keep(content)
            raise KeyboardInterrupt

    plan, place = sentences.Plan(2, 60, seed=3), f"{folder}/at.pt"
    passed = sentences.Passed.of(encoder.opened(folder), train.texts)

    def learnt(plan: sentences.Plan, checkpoint: Checkpoint = NOWHERE) -> SentenceModel:
        return sentences.learn(encoder.opened(folder), passed, train.labels, dev, plan, checkpoint=checkpoint)

    whole = learnt(plan)
    for _ in range(3):  # after the first, second and third step
        with pytest.raises(KeyboardInterrupt):
            learnt(plan, Interrupted(place, every_s=0))
    resumed = learnt(plan, Checkpoint(place))
    np.testing.assert_array_equal(whole.read(dev.texts)[0], resumed.read(dev.texts)[0])
    start = learnt(sentences.Plan(2, 1e-9, seed=3))
    assert np.abs(start.read(dev.texts)[0] - whole.read(dev.texts)[0]).max() > 0.1


def test_valence_is_learnt_with_it_and_read_from_the_model_alone(folder: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(150):
        good = bool(rng.integers(2))
        word = str(rng.choice(GLAD if good else SAD))
        text = " ".join(["the day is", "so" if number % 2 else "a", word])
        arousal = 3 + rng.normal(0, 0.3)
        rows.append(
            {"split": ("train", "train", "dev", "test")[number % 4], "V": 4 if good else 2, "A": arousal, "text": text}
        )
    pd.DataFrame(rows).to_csv(folder / "bank.csv", index=False)
    emotions = shipped()["english_emotions"]
    made = affect.train_affect(folder / "bank.csv", emotions, folder, seed=1)
    tensors, card = made.opened()
    assert card.figures["test r, valence"] > 0.95
    assert card.data[-1]["file"] == "model.safetensors"
    assert tensors["weights"].shape == (TOLD + 576 + encoder.HEARD * SIZE + TOLD * (TOLD + 1) // 2, 2)
    (folder / "model.safetensors").unlink()
    words = Models({"english_emotions": emotions, "english_affect": made}).words
    glad, sad = (words(f"the day is so {word} / a {word} song", "en") for word in ("glad", "sad"))
    assert glad is not None
    assert sad is not None
    assert glad.valence > 0 > sad.valence


def test_praise_is_learnt_with_it_and_read_from_the_model_alone(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentences, "RATE", 3e-3)  # the reviews are few
    monkeypatch.setattr(sentences, "HEAD_RATE", 2e-2)
    monkeypatch.setattr(sentences, "BATCH", 8)
    rng, rows = np.random.default_rng(0), []
    for number in range(80):
        word, other = rng.choice(GLAD if number % 2 else SAD), rng.choice(["day", "song", "is"])
        rows.append({"label": number % 2, "review": f"the {other} {word}"})
    pd.DataFrame(rows).to_csv(folder / "reviews.csv", index=False)
    places = [Checkpoint(f"{folder}/{number}.pt") for number in range(chinese.FOLDS + 1)]
    plan = sentences.Plan(8, 60, seed=1)
    made, again = (
        chinese.train_reviews(folder / "reviews.csv", 1, lambda _: None, folder, plan, places.__getitem__)
        for _ in range(2)
    )
    assert made == again
    card = made.opened()[1]
    assert card.figures["5-fold accuracy"] > 0.95
    assert [one["file"] for one in card.data] == ["reviews.csv", "model.safetensors"]
    (folder / "model.safetensors").unlink()
    reader, texts = Models({"chinese": made}).chinese, ["the song glad", "the song awful"]
    assert reader.sentences is not None
    assert reader.reviews is not None
    by_sentences, by_words = reader.sentences.read(texts)[0][:, 0], reader.reviews.scores(texts)[:, 0]
    assert by_sentences[0] > 0.5 > -0.5 > by_sentences[1]
    np.testing.assert_allclose(
        reader.read(texts)[:, 0], np.clip(reader.gain * (by_sentences + by_words) / 2, -1, 1), atol=1e-6
    )
