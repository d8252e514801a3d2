"""Makes the shipped embedder: python -m musai.demo.make_embedder [STEPS [FILE]]

The network `small` of musai.embedding learns from the demo's tunes, rendered in random arrangements: which instruments
play and how (tags), how fast, high, thick and loud it is (facts), and which excerpts are of one arrangement (NT-Xent;
Chen, Kornblith, Norouzi & Hinton 2020). Sound is made as it is needed, so no example comes twice. The weights and
their card go into musai/embedding/weights/.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musai.demo import scores
from musai.demo.arrangements import FACTS, TAGS, Arrangement, arranged
from musai.demo.catalogue import Tune, installed_tunes, read_manifest
from musai.embedding import rendering, weights
from musai.embedding.audio import SAMPLE_RATE
from musai.embedding.network import Small
from musai.embedding.training import nt_xent
from musai.music import synthesis

log = logging.getLogger(__name__)

SEED, PAIRS, RATE = 7, 16, 3e-3
SHORTEST_NOTES = 16
HELD_OUT = 10  # every tenth tune, by the digest of its name
SECONDS = Small.seconds


@dataclasses.dataclass
class Batch:
    """Two excerpts of each arrangement, the first ones, then the second ones: sound [2 n, samples] and its labels."""

    sound: Tensor
    tags: Tensor
    facts: Tensor


def tunes() -> tuple[list[Tune], list[Tune]]:
    """(to learn from, held out): the tunes of the demo's manifest."""
    every = installed_tunes(read_manifest())
    held = [int(hashlib.sha256(tune.track_id.encode()).hexdigest(), 16) % HELD_OUT == 0 for tune in every]
    train = [tune for tune, out in zip(every, held, strict=True) if not out]
    return train, [tune for tune, out in zip(every, held, strict=True) if out]


def batch(from_scores: Sequence[Any], pairs: int, rng: np.random.Generator) -> Batch:
    sounds, tags, facts = [], [], []
    made = [_audible(from_scores, rng) for _ in range(pairs)]
    for _ in range(2):
        for arrangement in made:
            start = float(rng.uniform(0, max(0.0, arrangement.score.end() - SECONDS)))
            sounds.append(_worn(_excerpt(arrangement, start), rng))
            tags.append(arrangement.tags)
            facts.append(arrangement.facts(start, SECONDS))
    return Batch(*(torch.from_numpy(np.stack(part)) for part in (sounds, tags, facts)))


def _audible(from_scores: Sequence[Any], rng: np.random.Generator) -> Arrangement:
    """One that lasts; the corpus has fragments of a bar."""
    while True:
        tune = from_scores[int(rng.integers(len(from_scores)))]
        if tune.note_num() >= SHORTEST_NOTES:
            return arranged(tune, rng)


def _excerpt(arrangement: Arrangement, start: float) -> np.ndarray:
    part = synthesis.excerpt(arrangement.score, start, start + SECONDS)
    sound = rendering.render(part) if part.note_num() else np.zeros(0, np.float32)
    samples = round(SECONDS * SAMPLE_RATE)
    return np.pad(sound[:samples], (0, max(0, samples - len(sound))))


def _worn(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As a recording might have it: another level, another balance of the frequencies, some noise."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    octaves = np.log2(np.maximum(hz, 30) / 800)
    decibels = rng.normal(0, 2) * octaves - 30 * (hz > rng.uniform(3500, 9000))
    worn = np.fft.irfft(spectrum * 10 ** (decibels / 20), len(sound))
    level = 10 ** (rng.uniform(-30, -8) / 20) / max(float(np.sqrt(np.mean(worn**2))), 1e-4)
    noise = rng.standard_normal(len(sound)) * 10 ** (rng.uniform(-80, -38) / 20)
    return np.clip(worn * level + noise, -1, 1).astype(np.float32)


class Learner(nn.Module):
    """The network with the heads that only training needs."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Small(tags=len(TAGS))
        size = self.network.dense1.out_features
        self.facts, self.likeness = nn.Linear(size, len(FACTS)), nn.Linear(size, 64)

    def losses(self, given: Batch) -> dict[str, Tensor]:
        embedding, logits = self.network(given.sound)
        arrangement = torch.arange(len(embedding) // 2).repeat(2)
        return {
            "tags": F.binary_cross_entropy_with_logits(logits, given.tags),
            "facts": F.mse_loss(self.facts(embedding), given.facts),
            "likeness": nt_xent(self.likeness(embedding), arrangement),
        }


def train(from_scores: Sequence[Any], steps: int) -> Learner:
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    learner = Learner().train()
    optimizer = torch.optim.AdamW(learner.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    started = time.monotonic()
    for step in range(1, steps + 1):
        losses = learner.losses(batch(from_scores, PAIRS, rng))
        loss = 5 * losses["tags"] + losses["facts"] + 0.5 * losses["likeness"]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 5 == 0 or step == steps:
            text = ", ".join(f"{name} {value.item():.3f}" for name, value in losses.items())
            log.info("step %d of %d, %.0f s: %s", step, steps, time.monotonic() - started, text)
    return learner


@torch.inference_mode()
def figures(learner: Learner, from_scores: Sequence[Any], batches: int = 4) -> dict[str, float]:
    """On arrangements of tunes that were held out."""
    rng, learner = np.random.default_rng(SEED + 1), learner.eval()
    right, tags, errors, facts, near = [], [], [], [], []
    for _ in range(batches):
        given = batch(from_scores, PAIRS, rng)
        embedding, logits = learner.network(given.sound)
        right.append((logits[:, :5].argmax(1) == given.tags[:, :5].argmax(1)).float().mean())
        tags.append(((logits > 0) == (given.tags > 0.5)).float().mean())
        errors.append((learner.facts(embedding) - given.facts).square().mean(0))
        facts.append(given.facts)
        unit = F.normalize(embedding, dim=1)
        first, second = unit[:PAIRS], unit[PAIRS:]
        near.append(((first @ second.T).argmax(1) == torch.arange(PAIRS)).float().mean())
    explained = 1 - torch.stack(errors).mean(0) / torch.cat(facts).var(0)
    return {
        "style accuracy (1 of 5)": _mean(right),
        "instrument and style tags, accuracy": _mean(tags),
        f"nearest of {PAIRS} is the other excerpt": _mean(near),
        **{f"R2 of {name}": round(float(value), 3) for name, value in zip(FACTS, explained, strict=True)},
    }


def _mean(values: list[Tensor]) -> float:
    return round(float(torch.stack(values).mean()), 3)


def card(train_tunes: Sequence[Tune], steps: int, sha256: str, found: dict[str, float]) -> dict[str, Any]:
    albums = sorted({tune.album if tune.genre != "classical" else tune.artist for tune in train_tunes})
    return {
        "name": "small",
        "sha256": sha256,
        "network": "musai.embedding.network.Small",
        "input": "16 kHz mono, 4 s",
        "tags": list(TAGS),
        "data": f"{len(train_tunes)} tunes of music21's corpus in random arrangements, rendered with TimGM6mb.sf2",
        "collections": albums,
        "data_licence": "public-domain compositions from files that say nothing on rights",
        "licence": "Apache-2.0",
        "command": f"python -m musai.demo.make_embedder {steps}",
        "seed": SEED,
        "examples": steps * PAIRS * 2,
        "held_out_tunes": found,
    }


def main(arguments: list[str]) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    torch.set_num_threads(1)  # the same bits whatever the machine's cores
    steps = int(arguments[0]) if arguments else 1000
    target = Path(arguments[1]) if len(arguments) > 1 else weights.located("small", None, None)
    learn_from, held_out = tunes()
    log.info("%d tunes, %d held out", len(learn_from), len(held_out))
    learner = train([scores.score(tune) for tune in learn_from], steps)
    sha256 = weights.save(learner.network, target)
    found = figures(learner, [scores.score(tune) for tune in held_out])
    written = card(learn_from, steps, sha256, found)
    target.with_suffix(".json").write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    log.info("%s: %s", target, json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
