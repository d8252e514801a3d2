"""The RNN as a composer: what is asked for -> a piece, and how a composer is trained and kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from musai.embedding.checkpoints import NOWHERE, Checkpoint
from musai.errors import InputError
from musai.generation import choosing, models, originality, phrases, sampling, training
from musai.generation.choosing import Chooser
from musai.generation.lessons import Lesson
from musai.generation.models import ModelFile
from musai.generation.quadrants import EMOTIONS, QUADRANTS, performed
from musai.generation.rnn import NoteRNN, Shape
from musai.generation.sampling import Sampler
from musai.generation.styles import Style, drawn_meter, lessons_of
from musai.generation.wishes import Wish
from musai.music.notes import Piece
from musai.music.tokens import piece_from

METHOD = "rnn"


@dataclasses.dataclass(frozen=True)
class Composer:
    """By style, `forms`: those of training pieces; `choosers`: who takes one of several pieces, empty in a model that
    was trained before there were any."""

    network: NoteRNN
    styles: tuple[Style, ...]
    forms: dict[str, list[list[int]]]
    choosers: dict[str, Chooser]
    digest: str
    card: dict[str, Any]

    @property
    def names(self) -> list[str]:
        return [style.name for style in self.styles]

    def compose(self, wishes: Sequence[Wish], sampler: Sampler | None = None) -> list[Piece]:
        """A piece for each wish; the same wish gives the same piece. Raises InputError for an unknown style."""
        unknown = sorted({wish.style for wish in wishes} - set(self.names))
        if unknown:
            raise InputError(f"no style {', '.join(unknown)}; the model knows {', '.join(self.names)}")
        requests = [self._request(wish) for wish in wishes]
        grammars = [style.grammar for style in self.styles]
        rows = sampling.sample(self.network, requests, grammars, sampler or Sampler())
        return [self._piece(*found) for found in zip(wishes, requests, rows, strict=True)]

    def _request(self, wish: Wish) -> sampling.Request:
        style = self.styles[self.names.index(wish.style)]
        meter = wish.meter or drawn_meter(style.meters_of(wish.emotion), wish.seed)
        if meter not in self.network.shape.meters:
            raise InputError(f"the meter {meter[0]}/{meter[1]} is none that the model has learnt")
        emotion = QUADRANTS.index(wish.emotion)
        number = self.network.shape.meters.index(meter)
        known = self.forms.get(wish.style)
        random = np.random.default_rng([wish.seed, 3])
        place = self.names.index(wish.style)
        request = sampling.Request(place, emotion, number, wish.bars, wish.seed, wish.primer)
        if not known or wish.primer is not None:
            return request
        form = tuple(phrases.drawn_form(known, wish.bars, random))
        return dataclasses.replace(request, bars=len(form), form=form, upbeat=len(form) > wish.bars)

    def _piece(self, wish: Wish, request: sampling.Request, rows: np.ndarray) -> Piece:
        meter = self.network.shape.meters[request.meter]
        return performed(piece_from(rows, self.styles[request.style].parts, meter, 120.0), wish.emotion, wish.seed)


def load(file: ModelFile) -> Composer:
    """Raises InputError where the file holds another kind of model, or that of another version."""
    if file.card.get("kind") != METHOD:
        raise InputError(f"a model of kind {file.card.get('kind')} is no {METHOD}")
    about = file.card["shape"]
    shape = Shape(**{**about, "styles": tuple(about["styles"]), "meters": tuple(map(tuple, about["meters"]))})
    network = NoteRNN(shape)
    try:
        network.load_state_dict(file.weights)
    except RuntimeError as error:
        raise InputError("the model was trained by another version of MusAI: run train_generators again") from error
    styles = tuple(map(Style.from_json, file.card["styles"]))
    choosers = {name: Chooser.from_json(content) for name, content in file.card.get("choosers", {}).items()}
    return Composer(network.eval(), styles, file.card.get("forms", {}), choosers, file.digest, file.card)


def train(
    pieces: Mapping[str, Mapping[str, Piece]],
    held_out: Mapping[str, Mapping[str, Piece]],
    schedule: training.Schedule,
    sources: Mapping[str, Any],
    sizes: Mapping[str, int] | None = None,
    say: Callable[[str], None] = lambda _: None,
    checkpoint: Checkpoint = NOWHERE,
) -> bytes:
    """The model file of a composer, from style -> name -> piece; `sources` (manifest, licences) goes into its card."""
    taught = {name: lessons_of(pieces[name], name) for name in sorted(pieces)}
    styles = [style for _, style, _ in taught.values()]
    meters = tuple(sorted({one.meter for lessons, _, _ in taught.values() for one in lessons}))
    shape = Shape(tuple(taught), meters, **(sizes or {}))
    exam = [
        one
        for style in styles
        if held_out.get(style.name)
        for one in lessons_of(held_out[style.name], style.name, style)[0]
        if one.meter in meters
    ]
    balanced = _balanced([lessons for lessons, _, _ in taught.values()])
    trained = training.train(balanced, exam or balanced[::10], shape, schedule, say, checkpoint)
    card = {
        "kind": METHOD,
        "shape": dataclasses.asdict(shape),
        "styles": [style.to_json() for style in styles],
        "left_out": {name: why for name, (_, _, why) in taught.items()},
        "forms": {name: phrases.forms(lessons) for name, (lessons, _, _) in taught.items()},
        "sources": dict(sources),
        "emotions": EMOTIONS,
        "nats_a_note": [[round(loss, 4) for loss in pair] for pair in trained.losses],
        "schedule": dataclasses.asdict(schedule),
        "versions": models.versions(),
    }
    return models.model_bytes(trained.network, card)


def with_choosers(data: bytes, pieces: Mapping[str, Mapping[str, Piece]], sampler: Sampler) -> bytes:
    """The model file with forms and choosers of its training pieces, style -> name -> piece, for pieces that it samples
    with `sampler`."""
    file = models.read_model(data)
    forms = {name: phrases.forms(lessons_of(pieces[name], name)[0]) for name in sorted(pieces)}
    made = load(dataclasses.replace(file, card={**file.card, "forms": forms}))
    index = originality.index({name: piece for own in pieces.values() for name, piece in own.items()})
    choosers = {
        name: choosing.fitted(pieces[name], index, lambda wishes: made.compose(wishes, sampler), name).to_json()
        for name in sorted(pieces)
    }
    return models.model_bytes(made.network, {**made.card, "choosers": choosers})


def _balanced(lessons: Sequence[Sequence[Lesson]]) -> list[Lesson]:
    """A style of few pieces is repeated, until it has a tenth of the largest one's."""
    most = max(len(group) for group in lessons)
    return [one for group in lessons for one in [*group] * max(1, most // (10 * len(group)))]
