"""The makers of each method, from the models that ship or were trained here."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

from musai.config import Generation
from musai.errors import InputError
from musai.generation import choosing, composer, gan_composer, judge, models, style_transfer
from musai.generation.composer import Composer
from musai.generation.gan_composer import GanComposer
from musai.generation.judge import Judge
from musai.generation.making import Maker
from musai.generation.sampling import Sampler
from musai.generation.wishes import Draft, Wish

METHODS = (composer.METHOD, gan_composer.METHOD, style_transfer.METHOD)


@dataclasses.dataclass(frozen=True)
class Files:
    """The bytes of the models that were trained here; without `rnn`, those that come with the package on each
    executor. A GAN is there where it was trained with the RNN, on the same music, or ships with it."""

    rnn: bytes | None = None
    gan: bytes | None = None
    judge: bytes | None = None

    def composer(self) -> Composer:
        return composer.load(models.read_model(self.rnn) if self.rnn else models.shipped(composer.METHOD))

    def gan_composer(self) -> GanComposer | None:
        if self.gan:
            return gan_composer.load(models.read_model(self.gan))
        if self.rnn or not models.ships(gan_composer.METHOD):
            return None
        return gan_composer.load(models.shipped(gan_composer.METHOD))

    def law(self) -> Judge:
        return judge.read_judge(self.judge) if self.judge else judge.shipped()

    def styles(self) -> dict[str, list[str]]:
        """The styles that each method knows and that there are rules for."""
        rnn, gan, rules = self.composer().names, self.gan_composer(), self.law().rules
        names = {composer.METHOD: rnn, gan_composer.METHOD: gan.names if gan else [], style_transfer.METHOD: rnn}
        return {method: [style for style in styles if style in rules] for method, styles in names.items()}


def maker(method: str, files: Files, settings: Generation) -> Maker:
    if method == gan_composer.METHOD:
        gan = files.gan_composer()
        if gan is None:
            raise InputError("no GAN ships or was trained here: musai run train_generators")
        phrases = settings.phrase_candidates if gan.choosers else gan_composer.CANDIDATES
        how = {"phrase_candidates": phrases, "guidance": gan_composer.GUIDANCE, "chance": gan_composer.CHANCE}
        asked = functools.partial(gan.compose, index=files.law().index, candidates=phrases)
        return Maker(method, gan.digest, gan.card["sources"], how, asked)
    transfers = method == style_transfer.METHOD  # whose emotion is that of the source
    made = files.composer()
    if transfers:
        sampler = Sampler(settings.temperature, settings.nucleus, settings.recall)
        moved = functools.partial(style_transfer.compose, made, sampler=sampler)
        return Maker(method, made.digest, made.card["sources"], dataclasses.asdict(sampler), moved)
    sampler, candidates = sampler_of(settings), settings.candidates if made.choosers else 1
    make: Callable[[Sequence[Wish]], list[Draft]] = functools.partial(_composed, made, sampler=sampler)
    if candidates > 1:
        make = functools.partial(choosing.best, make, made.choosers, files.law().index, candidates)
    how = dataclasses.asdict(sampler) | {"candidates": candidates}
    return Maker(method, made.digest, made.card["sources"], how, make)


def sampler_of(settings: Generation) -> Sampler:
    """For new pieces: temperatures of their own, of which a chooser takes those that suit."""
    return Sampler(settings.temperature, settings.nucleus, settings.recall, settings.guidance, spread=1.0)


def _composed(made: Composer, wishes: Sequence[Wish], sampler: Sampler) -> list[Draft]:
    return [Draft(piece) for piece in made.compose(wishes, sampler)]
