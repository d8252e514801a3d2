"""For one person at a desk: new tracks, a piece in another style, and what a generated track sounds like."""

from __future__ import annotations

import functools
import pathlib

import pyarrow.compute as pc
import pyarrow.dataset as ds
from rich.console import Console

from musai.config import Generation
from musai.errors import InputError
from musai.generation import composer, judge, making, models, plan, style_transfer
from musai.generation.composer import Wish
from musai.generation.making import Maker
from musai.generation.provenance import provenance
from musai.generation.sampling import Sampler
from musai.music.midi import read_midi, write_midi
from musai.warehouse import Warehouse


def generate(
    settings: Generation, style: str, emotion: str, count: int, seed: int, folder: pathlib.Path, console: Console
) -> None:
    """Write `count` MIDI files into `folder`; the same seed writes the same bytes. Raises InputError for an unknown
    style, or where every attempt at a track was refused."""
    made = composer.load(models.shipped(composer.METHOD))
    if style not in made.names:
        raise InputError(f"--style {style}: the model knows {', '.join(made.names)}")
    sampler = Sampler(settings.temperature, settings.nucleus)
    how = {"temperature": sampler.temperature, "nucleus": sampler.nucleus}
    maker = Maker(
        composer.METHOD, made.digest, made.card["sources"], how, functools.partial(made.compose, sampler=sampler)
    )
    names = [f"{composer.METHOD}-{style}-{emotion}-{seed}-{number:03d}" for number in range(count)]
    wishes = [Wish(style, emotion, plan.seed_of(name, seed), settings.bars) for name in names]
    rows, refused = making.tracks(maker, judge.shipped(), wishes, settings.attempts)
    folder.mkdir(parents=True, exist_ok=True)
    for name, row in zip(names, rows, strict=True):
        if row is not None:
            (folder / f"{name}.mid").write_bytes(row["midi"])
            console.print(f"{folder / name}.mid: {making.told(row)}", markup=False)
    if missing := rows.count(None):
        raise InputError(f"{missing} of {count} tracks: every attempt was refused ({dict(refused)})")


def transfer(settings: Generation, source: pathlib.Path, target: str, seed: int, out: pathlib.Path) -> None:
    """Write the piece of one MIDI file in another style. Raises InputError as `style_transfer.transfer`."""
    made = composer.load(models.shipped(composer.METHOD))
    sampler = Sampler(settings.temperature, settings.nucleus)
    try:
        heard = read_midi(source)
    except OSError as error:
        raise InputError(f"{source}: {error.strerror or error}") from error
    piece = style_transfer.transfer(made, heard, target, seed, sampler)
    reasons, found = making.refusals(judge.shipped(), target, piece)
    said = provenance(
        method=style_transfer.METHOD,
        model=made.digest,
        sources=made.card["sources"],
        seed=seed,
        sampler={"temperature": sampler.temperature, "nucleus": sampler.nucleus},
        asked={"target_style": target},
        source_track=source.name,
        nearest=found.nearest if found else None,
        verdict=", ".join(reasons) or "original",
    )
    out.write_bytes(write_midi(piece, [said]))


def render(published: Warehouse, generated_id: str, out: pathlib.Path) -> None:
    """Write a generated track as .mid. Raises InputError for an unknown track or another kind of file."""
    if out.suffix != ".mid":
        raise InputError(f"{out}: only .mid can be written so far")
    table = ds.dataset(published.published_path("generated_tracks"), format="parquet", partitioning=None)
    rows = table.to_table(columns=["midi"], filter=pc.field("generated_id") == generated_id)
    if not rows.num_rows:
        raise InputError(f"no generated track {generated_id!r} in the published run")
    out.write_bytes(rows["midi"][0].as_py())
