"""The GAN as a composer: phrases chained to a piece, each one the best of many; how it is trained and kept.

A piece has the form of a training piece (which of its bars are equal, no notes). Phrase by phrase the generator is
shown the bar before and writes candidates, bars that the form repeats are put in, and of those that open and close a
piece as a piece is opened and closed one is picked, bar by bar (`musai.generation.phrase_choosing`). The critic, which
hears the bar before too, says how real it is; without a chooser it picks the phrase itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from musai.embedding.checkpoints import NOWHERE, Checkpoint
from musai.errors import InputError
from musai.generation import gan_training, models, originality, phrase_choosing, phrases
from musai.generation.choosing import Chooser
from musai.generation.gan import NOISE, Critic, Generator, RollShape, one_hot
from musai.generation.gan_training import GanSchedule
from musai.generation.lessons import Lesson
from musai.generation.models import ModelFile
from musai.generation.originality import Index
from musai.generation.phrase_choosing import PhraseChooser, Place
from musai.generation.phrases import BAR_CELLS, PARTS, PHRASE_BARS, cells_of
from musai.generation.quadrants import EMOTIONS, OPPOSITE, QUADRANTS, density, performed
from musai.generation.styles import Style, drawn_meter, lessons_of
from musai.generation.wishes import Draft, Wish
from musai.music.notes import Piece
from musai.music.rolls import SILENT, notes_of_roll

METHOD = "gan"
CANDIDATES = 16  # phrases, at most, of which the critic takes one
CHANCE = 0.5  # at most, of training's noise that decides between the classes of a cell: all of it makes leaps
SMALLEST = 1e-7  # of the draws whose logarithm is taken
TRIED = 128  # pieces that the critic chooses, against whose candidates a chooser is fitted
GUIDANCE = 0.3  # as of `musai.generation.sampling`; more makes leaps

Choose = Callable[[np.ndarray, Place, np.ndarray], np.ndarray]  # as of `PhraseChooser.best`


@dataclasses.dataclass(frozen=True)
class GanComposer:
    """By style, `forms`: those of training pieces; `usual`: the mean and deviation of the critic's score of unseen real
    phrases, None where there were none; `choosers`: of phrases, empty in a model from before there were any."""

    generator: Generator
    critic: Critic
    styles: tuple[Style, ...]
    forms: dict[str, list[list[int]]]
    usual: dict[str, tuple[float, float] | None]
    choosers: dict[str, Chooser]
    digest: str
    card: dict[str, Any]

    @property
    def names(self) -> list[str]:
        return [style.name for style in self.styles]

    def compose(self, wishes: Sequence[Wish], index: Index | None = None, candidates: int = CANDIDATES) -> list[Draft]:
        """A piece for each wish, in whole phrases, each of so many candidates; the same wish gives the same piece. Its
        measure `realism` is the critic's mean score of its phrases, in deviations from that of real ones of the style.

        With the index of the music that was learnt from the choosers choose, else the critic. Raises InputError for an
        unknown style or a meter that was not learnt.
        """
        choose = {} if index is None else {
            name: PhraseChooser(chooser, self.styles[self.names.index(name)], index).best
            for name, chooser in self.choosers.items()
        }  # fmt: skip
        return [self._draft(wish, choose.get(wish.style), candidates) for wish in wishes]

    def _draft(self, wish: Wish, choose: Choose | None, candidates: int) -> Draft:
        if wish.style not in self.names:
            raise InputError(f"no style {wish.style}; the model knows {', '.join(self.names)}")
        style = self.styles[self.names.index(wish.style)]
        known = {meter: share for meter, share in style.meters_of(wish.emotion).items() if meter in self._meters}
        meter = wish.meter or drawn_meter(known or dict.fromkeys(self._meters, 1.0), wish.seed)
        if meter not in self._meters:
            raise InputError(f"the meter {meter[0]}/{meter[1]} is none that the model has learnt")
        bars, score = self._bars(wish, meter, choose, candidates)
        roll = phrases.roll_of_bars(bars, meter)
        piece = performed(notes_of_roll(roll, style.parts, meter, 120.0), wish.emotion, wish.seed)
        usual = self.usual[wish.style]
        return Draft(piece, {"realism": (score - usual[0]) / usual[1]} if usual else {})

    @property
    def _meters(self) -> tuple[tuple[int, int], ...]:
        return self.generator.shape.meters

    def fitted(self, style: Style, pieces: Mapping[str, Piece], index: Index, tried: int) -> Chooser | None:
        """A chooser of phrases of a style, from its training pieces, which stand in the index, and from the candidates
        of so many pieces that the critic chooses; None where either have no pitched notes."""
        middle = float(np.median([density(piece) for piece in pieces.values()]))
        learnt = _barred(lessons_of(pieces, style.name, style)[0], style.voices)
        real = phrase_choosing.real(learnt, pieces, style, middle, index)
        made: list[np.ndarray] = []

        def seen(rolls: np.ndarray, place: Place, picked: np.ndarray) -> np.ndarray:
            whole = place.repeated(rolls)
            whole = whole[place.fitting(whole)]
            made.append(phrase_choosing.described(whole, place, style, middle, index)[0])
            return picked

        for number in range(tried):
            wish = Wish(style.name, QUADRANTS[number % len(QUADRANTS)], number)
            self._draft(wish, seen, CANDIDATES)
        candidates = phrase_choosing.joined(made)
        return phrase_choosing.regressed(real, candidates, style, middle) if len(real) and len(candidates) else None

    @torch.no_grad()
    def _bars(
        self, wish: Wish, meter: tuple[int, int], choose: Choose | None, candidates: int
    ) -> tuple[np.ndarray, float]:
        """(int8 [bars, BAR_CELLS, voices], the critic's mean score of its phrases)."""
        random = np.random.default_rng([wish.seed, 3])
        count = max(wish.bars // PHRASE_BARS, 1)
        form = phrases.drawn_form(self.forms[wish.style], count * PHRASE_BARS, random)
        told = [self.names.index(wish.style), QUADRANTS.index(wish.emotion), self._meters.index(meter)]
        bars = np.full((1, BAR_CELLS, self.generator.shape.voices), SILENT, np.int8)  # a silent one before the first
        scores = []
        for first in range(0, count * PHRASE_BARS, PHRASE_BARS):
            part = PARTS[0] if not first else PARTS[-1] if first == (count - 1) * PHRASE_BARS else PARTS[1]
            place = Place(wish.emotion, meter, part, tuple(form[first : first + PHRASE_BARS]), bars,
                          0 in form[1:], _known(form, first + PHRASE_BARS))  # fmt: skip
            asked = np.array([*told, PARTS.index(part)])
            made = self._candidates(bars[-1], np.tile(asked, (candidates, 1)), random)
            picked = self._most_real(made[:: -(-candidates // CANDIDATES)], place, asked)
            chosen = choose(made, place, picked) if choose else picked
            scores.append(float(self._realism(chosen[None], place, asked)[0]))
            bars = np.concatenate([bars, chosen])
        return bars[1:], float(np.mean(scores))

    def _realism(self, made: np.ndarray, place: Place, asked: np.ndarray) -> np.ndarray:
        return gan_training.realism(self.critic, place.heard(made), np.tile(asked, (len(made), 1)))

    def _most_real(self, made: np.ndarray, place: Place, asked: np.ndarray) -> np.ndarray:
        """The critic's choice of whole phrases (discriminator rejection sampling in spirit, Azadi et al. 2019)."""
        whole = place.repeated(made)
        real = np.where(place.fitting(whole), self._realism(whole, place, asked), -np.inf)
        found: np.ndarray = whole[real.argmax()]
        return found

    def _candidates(self, before: np.ndarray, asked: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """int8 [n, PHRASE_BARS, BAR_CELLS, voices], one for each row of asked [n, 4]: from the likeliest class of each
        cell to one drawn with CHANCE of training's noise, guided away from the opposite emotion."""
        count, (style, _, meter, _) = len(asked), asked[0]
        noise = torch.from_numpy(random.standard_normal((count, NOISE), np.float32))
        shown = one_hot(torch.from_numpy(before))[None].expand(2 * count, -1, -1, -1)
        opposite = asked.copy()
        opposite[:, 1] = np.array(OPPOSITE)[asked[:, 1]]
        told = torch.from_numpy(np.concatenate([asked, opposite]))
        own, other = self.generator(noise.repeat(2, 1), shown, told).chunk(2)
        cells, voices = cells_of(self._meters[meter]), self.styles[style].voices
        logits = (own + GUIDANCE * (own - other)).unflatten(1, (PHRASE_BARS, BAR_CELLS))[:, :, :cells, :voices].numpy()
        gumbel = -np.log(np.maximum(random.standard_exponential(logits.shape, np.float32), SMALLEST))
        share = np.linspace(0, CHANCE, count, dtype=np.float32)[:, None, None, None, None]
        rolls = np.full((count, PHRASE_BARS, BAR_CELLS, before.shape[1]), SILENT, np.int8)
        rolls[:, :, :cells, :voices] = (logits + share * gumbel).argmax(axis=-1)
        return rolls


def load(file: ModelFile) -> GanComposer:
    """Raises InputError where the file holds another kind of model, or that of another version."""
    if file.card.get("kind") != METHOD:
        raise InputError(f"a model of kind {file.card.get('kind')} is no {METHOD}")
    about = file.card["shape"]
    tuples = {name: tuple(map(tuple, about[name])) for name in ("meters", "lowest", "highest")}
    shape = RollShape(**{**about, **tuples, "styles": tuple(about["styles"])})
    generator, critic = Generator(shape), Critic(shape)
    try:
        for name, network in (("generator", generator), ("critic", critic)):
            own = {key.removeprefix(f"{name}."): w for key, w in file.weights.items() if key.startswith(f"{name}.")}
            network.load_state_dict(own)
    except RuntimeError as error:
        raise InputError("the model was trained by another version of MusAI: run train_generators again") from error
    usual = {style: tuple(pair) if pair else None for style, pair in file.card["realism"].items()}
    styles = tuple(map(Style.from_json, file.card["styles"]))
    choosers = {name: Chooser.from_json(content) for name, content in file.card.get("choosers", {}).items()}
    forms = file.card["forms"]
    return GanComposer(generator.eval(), critic.eval(), styles, forms, usual, choosers, file.digest, file.card)


def train(
    pieces: Mapping[str, Mapping[str, Piece]],
    held_out: Mapping[str, Mapping[str, Piece]],
    schedule: GanSchedule,
    sources: Mapping[str, Any],
    width: int = 32,
    say: Callable[[str], None] = lambda _: None,
    checkpoint: Checkpoint = NOWHERE,
) -> bytes | None:
    """The model file of a GAN, from style -> name -> piece; `sources` (manifest, licences) goes into its card.

    None where no style has a phrase.
    """
    taught = {name: lessons_of(pieces[name], name) for name in sorted(pieces)}
    learnt = {name: _barred(lessons, style.voices) for name, (lessons, style, _) in taught.items()}
    names = [name for name in taught if learnt[name]]
    if not names:
        return None
    styles = [taught[name][1] for name in names]
    shape = _shape(styles, [one.meter for name in names for one, _ in learnt[name]], width)
    cut = [_phrases(learnt[name], shape) for name in names]
    rolls, asked = (np.concatenate(parts) for parts in zip(*cut, strict=True))
    trained = gan_training.train(rolls, asked, shape, schedule, say, checkpoint)
    exam = {style.name: _usual(trained.critic, style, held_out.get(style.name), shape) for style in styles}
    card = {
        "kind": METHOD,
        "shape": dataclasses.asdict(shape),
        "styles": [style.to_json() for style in styles],
        "forms": {name: _forms([one for one, _ in learnt[name]]) for name in names},
        "realism": exam,
        "phrases": {name: len(one[0]) for name, one in zip(names, cut, strict=True)},
        "left_out": {name: len(taught[name][0]) - len(learnt[name]) for name in taught},
        "sources": dict(sources),
        "emotions": EMOTIONS,
        "distances": [round(distance, 3) for distance in trained.distances],
        "steps": trained.steps,
        "schedule": dataclasses.asdict(schedule),
        "versions": models.versions(),
    }
    return _file(trained.generator, trained.critic, card)


def with_choosers(data: bytes, pieces: Mapping[str, Mapping[str, Piece]], tried: int = TRIED) -> bytes:
    """The model file with choosers from its training pieces, style -> name -> piece, and from the phrases among which
    its critic chooses for so many pieces."""
    made = load(models.read_model(data))
    index = originality.index({name: piece for own in pieces.values() for name, piece in own.items()})
    found = {style.name: made.fitted(style, pieces[style.name], index, tried) for style in made.styles}
    choosers = {name: chooser.to_json() for name, chooser in found.items() if chooser}
    return _file(made.generator, made.critic, {**made.card, "choosers": choosers})


def _file(generator: Generator, critic: Critic, card: Mapping[str, Any]) -> bytes:
    return models.model_bytes(torch.nn.ModuleDict({"generator": generator, "critic": critic}), card)


def _barred(lessons: Sequence[Lesson], voices: int) -> list[tuple[Lesson, np.ndarray]]:
    """The lessons that have rolls of so many voices and a phrase at least, with their bars."""
    found = []
    for one in lessons:
        with contextlib.suppress(InputError):
            if one.bars >= PHRASE_BARS:
                found.append((one, phrases.bars_of(one, voices)))
    return found


def _known(form: Sequence[int], bar: int) -> int | None:
    """The bar before this one of a piece that it is equal to."""
    return form[bar] if bar < len(form) and form[bar] < bar else None


def _forms(lessons: Sequence[Lesson]) -> list[tuple[int, ...]]:
    """Of whole phrases, in which an upbeat is a bar like any other."""
    return [form[: phrases.FORM_BARS] for form in phrases.forms(lessons)]


def _phrases(learnt: Sequence[tuple[Lesson, np.ndarray]], shape: RollShape) -> tuple[np.ndarray, np.ndarray]:
    """(rolls, asked) of one style's pieces as `gan_training.train` takes them."""
    rolls, owner, _, part = phrases.phrases([bars for _, bars in learnt])
    padded = np.full((*rolls.shape[:2], shape.voices), SILENT, np.int8)
    padded[:, :, : rolls.shape[2]] = rolls
    return padded, phrases.asked_of([learnt[place][0] for place in owner], part, shape.styles, shape.meters)


def _usual(
    critic: Critic, style: Style, unseen: Mapping[str, Piece] | None, shape: RollShape
) -> tuple[float, float] | None:
    """Mean and deviation of the critic's score of a style's unseen phrases; None without any."""
    lessons = lessons_of(unseen, style.name, style)[0] if unseen else []
    learnt = [found for found in _barred(lessons, style.voices) if found[0].meter in shape.meters]
    if not learnt:
        return None
    scores = gan_training.realism(critic, *_phrases(learnt, shape))
    return float(scores.mean()), float(scores.std()) or 1.0


def _shape(styles: Sequence[Style], meters: Sequence[tuple[int, int]], width: int) -> RollShape:
    voices = max(style.voices for style in styles)
    bounds = [
        [(style.lowest[v], style.highest[v]) if v < style.voices else (1, 0) for v in range(voices)] for style in styles
    ]
    lowest, highest = (tuple(tuple(pair[end] for pair in one) for one in bounds) for end in (0, 1))
    return RollShape(tuple(style.name for style in styles), tuple(sorted(set(meters))), lowest, highest, width)
