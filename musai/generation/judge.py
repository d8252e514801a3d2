"""What a new track is held against: the index of all training music, and each style's bounds, thresholds and profile.

One safetensors file beside the model. The n-grams are hashes: no tune can be read out of them.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from musai.config import conf_path
from musai.errors import InputError
from musai.evaluation import music_metrics
from musai.evaluation.music_metrics import Profile
from musai.generation import originality, sanity
from musai.generation.language import ORDER, Language
from musai.generation.originality import Index
from musai.generation.sanity import Bounds
from musai.music.notes import Piece

KIND = "judge"
SHIPPED = "models/judge.safetensors"
BARS = 16  # of the excerpts from which bounds are taken
FEWEST = 16  # held-out pieces, for a profile of their own


@dataclasses.dataclass(frozen=True)
class Rules:
    """Of one style. `real` and `other_half`: the profiles of two halves of the held-out pieces."""

    bounds: Bounds
    limits: dict[str, float]
    real: Profile
    other_half: Profile


@dataclasses.dataclass(frozen=True)
class Judge:
    """`sources`: what its card says of the training music (manifest, licences)."""

    index: Index
    rules: dict[str, Rules]
    sources: dict[str, Any] = dataclasses.field(default_factory=dict)


def judge(
    training: Mapping[str, Mapping[str, Piece]],
    held_out: Mapping[str, Mapping[str, Piece]],
    sources: Mapping[str, Any],
) -> Judge:
    """From style -> name -> piece. The profile of a style of few held-out pieces is that of its training pieces.

    Held-out pieces that are variants of training pieces say nothing of what new music may borrow: they are left out.
    """
    index = originality.index({name: piece for pieces in training.values() for name, piece in pieces.items()})
    rules = {}
    for style in sorted(training):
        unseen = held_out.get(style) or {}
        found = {name: originality.look_up(piece, index) for name, piece in unseen.items()}
        fresh = {
            name: one
            for name, one in found.items()
            if originality.verdict(one, len(unseen[name]), originality.STRICTEST) == originality.ORIGINAL
        }
        excerpts = music_metrics.excerpts(unseen if len(unseen) >= FEWEST else training[style], BARS)
        rules[style] = Rules(
            sanity.bounds(music_metrics.excerpts(training[style], BARS), BARS),
            originality.thresholds(fresh.values()),
            music_metrics.profile(excerpts[::2]),
            music_metrics.profile(excerpts[1::2]),
        )
    return Judge(index, rules, dict(sources))


def to_bytes(made: Judge) -> bytes:
    """The same judge gives the same bytes."""
    order = np.lexsort((made.index.place, made.index.piece))
    arrays = {
        "hashes": made.index.hashes[order],
        "counts": np.bincount(made.index.piece, minlength=len(made.index.names)).astype(np.int32),
        "places": made.index.place[order].astype(np.uint16),
    }
    language = made.index.language
    for length, (runs, times) in enumerate(zip(language.runs, language.times, strict=True), 1):
        arrays |= {f"runs/{length}": runs, f"times/{length}": times}
    for style, rules in made.rules.items():
        for half in ("real", "other_half"):
            for field in dataclasses.fields(Profile):
                values = getattr(getattr(rules, half), field.name)
                arrays[f"{style}/{half}/{field.name}"] = values.astype(np.float32)
    about = {style: {"bounds": one.bounds.to_json(), "limits": one.limits} for style, one in made.rules.items()}
    card = {
        "kind": KIND,
        "holds": "hashes of melodic n-grams and figures of the training and held-out pieces, none of their notes",
        "names": "\n".join(made.index.names),
        "rules": about,
        "sources": made.sources,
    }
    return save(arrays, metadata={"card": json.dumps(card, sort_keys=True)})


def read_judge(source: bytes | pathlib.Path) -> Judge:
    """Raises InputError where it is no judge of ours."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    try:
        length = int.from_bytes(data[:8], "little")
        card: dict[str, Any] = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["card"])
        arrays = load(data)
        stops = arrays["counts"].cumsum()
        names = card["names"].split("\n")
        spans = zip(names, stops - arrays["counts"], stops, strict=True)
        hashes = {name: (arrays["hashes"][a:b], arrays["places"][a:b].astype(np.int32)) for name, a, b in spans}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{source if isinstance(source, pathlib.Path) else 'judge'}: not a judge of MusAI") from error
    lengths = range(1, ORDER + 2)
    if any(f"runs/{one}" not in arrays for one in lengths):
        raise InputError("the judge was made by another version of MusAI: run train_generators again")
    language = Language(*(tuple(arrays[f"{what}/{one}"] for one in lengths) for what in ("runs", "times")))
    rules = {
        style: Rules(
            Bounds.from_json(one["bounds"]),
            one["limits"],
            *(
                Profile(*(arrays[f"{style}/{half}/{field.name}"] for field in dataclasses.fields(Profile)))
                for half in ("real", "other_half")
            ),
        )
        for style, one in card["rules"].items()
    }
    return Judge(originality.index_of_hashes(hashes, language), rules, card.get("sources", {}))


def shipped() -> Judge:
    return read_judge(conf_path(SHIPPED))
