"""For one person at a desk: new tracks, a piece in another style, and what a generated track sounds like."""

from __future__ import annotations

import pathlib

import pyarrow.compute as pc
import pyarrow.dataset as ds
from rich.console import Console

from musai.config import Generation
from musai.errors import InputError
from musai.generation import makers, making, plan, style_transfer
from musai.generation.makers import Files
from musai.generation.provenance import provenance
from musai.generation.wishes import Source, Wish
from musai.music.midi import read_midi, score_of, write_midi
from musai.warehouse import Warehouse

SOUNDS = (".wav", ".ogg", ".flac")


def generate(
    settings: Generation, method: str, style: str, emotion: str, count: int, seed: int, folder: pathlib.Path,
    console: Console,
) -> None:  # fmt: skip
    """Write `count` MIDI files into `folder`; the same seed writes the same bytes. Raises InputError for an unknown
    style, or where every attempt at a track was refused."""
    files = Files()
    if style not in (known := files.styles()[method]):
        raise InputError(f"--style {style}: the model knows {', '.join(known)}")
    names = [f"{method}-{style}-{emotion}-{seed}-{number:03d}" for number in range(count)]
    wishes = [Wish(style, emotion, plan.seed_of(name, seed), settings.bars) for name in names]
    maker = makers.maker(method, files, settings)
    rows, refused = making.tracks(maker, files.law(), wishes, settings.attempts)
    folder.mkdir(parents=True, exist_ok=True)
    for name, row in zip(names, rows, strict=True):
        if row is not None:
            (folder / f"{name}.mid").write_bytes(row["midi"])
            console.print(f"{folder / name}.mid: {making.told(row)}", markup=False)
    if missing := rows.count(None):
        why = {reason: pieces for (_, reason), pieces in refused.items()}
        raise InputError(f"{missing} of {count} tracks: every attempt was refused ({why})")


def transfer(settings: Generation, source: pathlib.Path, target: str, seed: int, out: pathlib.Path) -> None:
    """Write the piece of one MIDI file in another style. Raises InputError where it cannot be transferred."""
    files, piece = Files(), read_midi(_bytes(source))
    own = Source(source.name, "", piece)  # whoever sits at the desk knows its licence
    maker = makers.maker(style_transfer.METHOD, files, settings)
    (draft,) = maker.make([Wish(target, style_transfer.emotion_of(piece), seed, piece.bars, source=own)])
    if draft.piece is None:
        raise InputError(f"{source}: {draft.fault}")
    reasons, found = making.refusals(files.law(), target, draft.piece, own)
    said = provenance(
        method=maker.method,
        model=maker.digest,
        sources=maker.sources,
        seed=seed,
        sampler=maker.sampler,
        asked={"target_style": target},
        source_track=source.name,
        nearest=found.nearest if found else None,
        verdict=", ".join(reasons) or "original",
    )
    out.write_bytes(write_midi(draft.piece, [said]))


def render(published: Warehouse, track: str, out: pathlib.Path) -> None:
    """Write a generated track of the published run, or a MIDI file, as .mid, .wav, .ogg or .flac. Raises InputError
    for an unknown track, a file without notes or another kind of file to write."""
    if out.suffix not in (".mid", *SOUNDS):
        raise InputError(f"{out}: .mid or {', '.join(SOUNDS)} is due")
    file = pathlib.Path(track)
    data = _bytes(file) if file.suffix in (".mid", ".midi") else _published(published, track)
    if out.suffix == ".mid":
        out.write_bytes(data)
        return
    import soundfile

    from musai.music import synthesis

    soundfile.write(out, synthesis.stereo(score_of(data, "second")).T, synthesis.RATE)


def _bytes(file: pathlib.Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from error


def _published(published: Warehouse, generated_id: str) -> bytes:
    table = ds.dataset(published.published_path("generated_tracks"), format="parquet", partitioning=None)
    rows = table.to_table(columns=["midi"], filter=pc.field("generated_id") == generated_id)
    if not rows.num_rows:
        raise InputError(f"no generated track {generated_id!r} in the published run")
    midi: bytes = rows["midi"][0].as_py()
    return midi
