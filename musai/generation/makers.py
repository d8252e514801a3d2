"""The makers of each method, from the models that ship or were trained here."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

from musai.config import Generation
from musai.errors import InputError
from musai.generation import composer, gan_composer, judge, models, style_transfer
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
        how = {"candidates": gan_composer.CANDIDATES, "guidance": gan_composer.GUIDANCE}
        return Maker(method, gan.digest, gan.card["sources"], how, gan.compose)
    transfers = method == style_transfer.METHOD  # whose emotion is that of the source
    guidance = 0.0 if transfers else settings.guidance
    made, sampler = files.composer(), Sampler(settings.temperature, settings.nucleus, settings.recall, guidance)
    make = style_transfer.compose if transfers else _composed
    asked = functools.partial(make, made, sampler=sampler)
    return Maker(method, made.digest, made.card["sources"], dataclasses.asdict(sampler), asked)


def _composed(made: Composer, wishes: Sequence[Wish], sampler: Sampler) -> list[Draft]:
    return [Draft(piece) for piece in made.compose(wishes, sampler)]
