"""All models together, and what they read from one track."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from musai.emotion import lexicon, linear, sound_tags, text
from musai.emotion.chinese import LEXICON, NGRAMS, ChineseReader, words
from musai.emotion.fusion import PRIOR_SPREAD, Reading
from musai.emotion.kernel import KernelHead
from musai.emotion.notes import features
from musai.emotion.notes_head import NotesHead, opened
from musai.emotion.weights import Card, Stored
from musai.errors import MusaiError
from musai.music.notes import Piece

if TYPE_CHECKING:
    from musai.emotion.encoder import SentenceModel

# Of words of tags, as five listeners of a recording of Emotify gave them and all its others felt it: a mean of words is
# too near to neutral, by these factors; standard deviations (`python tests/benchmarks/emotion.py tags`).
TAG_SLOPES, TAG_ERRORS = (1.6, 2.1), (0.45, 0.32)
ENGLISH, CHINESE = "en", "zh"


@dataclasses.dataclass
class Models:
    """Readers of what there is; `cards` by name. Heavy parts (torch) are loaded when words are read."""

    stored: Mapping[str, Stored]

    def __post_init__(self) -> None:
        self.cards = {name: Card.from_json(one.card) for name, one in self.stored.items()}

    @functools.cached_property
    def digest(self) -> str:
        return digest(self.stored)

    def words(self, lyrics: str | None, stated_language: str | None) -> Reading | None:
        """Words of a song; None for instrumental ones and in a language that no model knows."""
        lines = text.clean_lines(lyrics)
        if not lines:
            return None
        language = text.language("\n".join(lines), stated_language)
        if language == ENGLISH and "english_affect" in self.stored:
            values, card = self.english.read(text.pieces(lines)), self.cards["english_affect"]
        elif language == CHINESE and "chinese" in self.stored:
            values, card = self.chinese.read(lines), self.cards["chinese"]
        else:
            return None
        values = values[~np.isnan(values).any(axis=1)]
        return _reading("lyrics", values.mean(axis=0), card) if len(values) else None

    def notes(self, piece: Piece) -> Reading | None:
        """Notes of a piece; None for a few notes."""
        found = features(piece)
        if found is None or "notes" not in self.stored:
            return None
        return _reading("midi", np.array(self.notes_head.read(found)), self.cards["notes"])

    def sound(self, embeddings: Mapping[str, Sequence[float] | np.ndarray]) -> Reading | None:
        """A track's embeddings by model name: by the head that was trained on those of such models, else by the tags
        that the tagger among them hears; None where there is neither."""
        for name, read in (("sound", self._by_head), (sound_tags.NAME, self._by_tags)):
            card = self.cards.get(name)
            if card is not None and set(_setting(name, card, "models")) <= embeddings.keys():
                heard = np.concatenate([np.asarray(embeddings[model]) for model in card.settings["models"]])
                return _reading("audio", read(heard[None])[0], card)
        return None

    def _by_head(self, embeddings: np.ndarray) -> np.ndarray:
        return self.sound_head.read(embeddings)

    def _by_tags(self, embeddings: np.ndarray) -> np.ndarray:
        last = self.tagger["weights"].shape[1]  # its own embedding comes first, whatever other layers are there
        return sound_tags.read(embeddings[:, :last], **self.tagger)

    def tags(self, tags: Sequence[str] | None, title: str | None, genre: str | None) -> Reading | None:
        """Mood words among the tags, the genre and the title, English and Chinese ones; None where there is none."""
        said = [*(tags or ()), genre or "", title or ""]
        read = text.tokens(" ".join(said))
        chinese = [word for one in said if text.is_chinese(one) for word in words(one) if text.CJK.search(word)]
        known = {**lexicon.entries("tags"), **lexicon.entries(LEXICON)} if chinese else lexicon.entries("tags")
        found = lexicon.read([*read, *chinese], known)
        if found is None:
            return None
        valence, arousal = (PRIOR_SPREAD * TAG_SLOPES[0] * found.valence, PRIOR_SPREAD * TAG_SLOPES[1] * found.arousal)
        return Reading("tags", valence, arousal, *TAG_ERRORS)

    @functools.cached_property
    def english(self):  # type: ignore[no-untyped-def]
        """The `EnglishAffect` of the stored weights."""
        import torch

        from musai.emotion.english import EnglishAffect, EnglishEmotions

        torch.set_num_threads(1)  # a task has one core
        tensors, card = self.stored["english_emotions"].opened()
        emotions = EnglishEmotions.of(tensors, card.settings)
        tensors, card = self.stored["english_affect"].opened()
        return EnglishAffect.of(emotions, tensors, _setting("english_affect", card, "shares"))

    @functools.cached_property
    def chinese(self) -> ChineseReader:
        tensors, card = self.stored["chinese"].opened()
        if "weights" not in tensors:
            return ChineseReader()
        weights = tensors["weights"].astype(np.float32)[:, None] * tensors["scale"]
        model = linear.LinearModel(NGRAMS, tensors["idf"].astype(np.float32), weights, tensors["offset"])
        return ChineseReader(model, card.settings["gain"], _sentences(tensors))

    @functools.cached_property
    def notes_head(self) -> NotesHead:
        tensors, card = self.stored["notes"].opened()
        return opened(tensors, card.settings)

    @functools.cached_property
    def tagger(self) -> dict[str, np.ndarray]:
        """The last layer of the tagger of moods and themes: weights [56, E], bias [56]."""
        return self.stored[sound_tags.NAME].opened()[0]

    @functools.cached_property
    def sound_head(self) -> KernelHead:
        tensors, card = self.stored["sound"].opened()
        return KernelHead.of(tensors, card.settings)


def _sentences(tensors: Mapping[str, np.ndarray]) -> SentenceModel | None:
    """The encoder that learnt reviews, where the model holds one."""
    if "sentence_offset" not in tensors:
        return None
    import torch

    from musai.emotion.encoder import REVIEW, SentenceModel

    torch.set_num_threads(1)  # a task has one core
    return SentenceModel.of(tensors, REVIEW)


def _setting(name: str, card: Card, key: str) -> Any:
    if key not in card.settings:
        raise MusaiError(f"{name}: trained by an earlier version of MusAI; `musai run train_emotion` trains it again")
    return card.settings[key]


def digest(stored: Mapping[str, Stored]) -> str:
    """sha256 over all the models by name."""
    lines = "\n".join(f"{name} {stored[name].digest}" for name in sorted(stored))
    return hashlib.sha256(lines.encode()).hexdigest()


def _reading(source: str, values: np.ndarray, card: Card) -> Reading:
    valence, arousal = (float(value) for value in values)
    return Reading(source, valence, arousal, card.valence_error, card.arousal_error, card.calibration)
