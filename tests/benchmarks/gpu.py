"""A GPU's work beside what the card can do, in one run: python tests/benchmarks/gpu.py [WHAT ...]

    card          bytes a second of a copy, operations a second of products in float32, TF32 and bfloat16
    als           64 factors, 15 sweeps, 10 million pairs, beside `implicit`'s own fit on the same card (goal 1.1)
    similarities  cosine neighbours, 50 a track, 10 million pairs, beside the processor's: time, and how many differ
    topn          100 of 50,000 tracks for 20,000 listeners, 128 factors: time over the bound of the card (operations
                  over its rate, or scores written and read once over its bandwidth, whichever is more; goal 3), by
                  listeners in a block; and what TF32 and bfloat16 change in the lists: share of the places
    embedding     the shipped network on 64 excerpts: seconds of sound a second, operations over the card's rate
    generation    a training of the recurrent network at the shipped size, notes a second, beside the processor's

Without a name: all. Times are the least of three after one that warms up. Everything is printed, and written to
tests/benchmarks/gpu.json with the card's name and the command. MUSAI_GPU_BENCHMARK=cpu runs the same on the processor
to see that it runs; nothing is written then.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from musai import config as configuration
from musai.embedding.network import NETWORKS
from musai.factorization import als
from musai.generation import training
from musai.generation.rnn import Shape
from musai.generation.styles import lessons_of
from musai.generation.training import Schedule
from musai.ranking import blocks, torch_lists
from musai.similarity import neighbours, torch_knn
from tests.benchmarks import ranking, speed
from tests.generation.test_composer import song

DEVICE = torch.device(os.environ.get("MUSAI_GPU_BENCHMARK", "cuda"))
REAL = DEVICE.type == "cuda"
SMALL = 1 if REAL else 50  # what sizes are divided by where the processor stands in
PRECISIONS = ("float32", "tf32", "bfloat16")
TOP_N = 100
KEPT = pathlib.Path(__file__).with_suffix(".json")


def least(work: Callable[[], object]) -> float:
    """Seconds, the card's work ended."""
    found = []
    for _ in range(4):
        start = time.perf_counter()
        work()
        if REAL:
            torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
    return min(found[1:])


def card() -> dict[str, float]:
    """Of a copy of 1 GB (read and written), and of products of 8,192 x 8,192 numbers."""
    side = 8192 // (1 if REAL else 16)
    numbers = torch.ones((1 << 28) // SMALL, device=DEVICE)
    to = torch.empty_like(numbers)
    found = {"bytes a second": 8 * len(numbers) / least(lambda: to.copy_(numbers))}
    for precision in PRECISIONS:
        left = torch.ones((side, side), device=DEVICE)
        left = left.bfloat16() if precision == "bfloat16" else left
        torch.backends.cuda.matmul.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        found[f"operations a second, {precision}"] = 2 * side**3 / least(lambda left=left: left @ left)
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    return found


def factors() -> dict[str, float]:
    weights = speed.random_matrix(10_000_000 // SMALL)
    keys = [f"device={'gpu' if REAL else 'cpu'}", "regularization_exponent=0", "factors=64"]
    settings = configuration.load([], [f"factorization.{key}" for key in keys]).factorization

    def bare() -> None:
        if REAL:
            from implicit.gpu.als import AlternatingLeastSquares
        else:
            from implicit.cpu.als import AlternatingLeastSquares
        AlternatingLeastSquares(factors=64, iterations=15, random_state=1).fit(weights, show_progress=False)

    ours, theirs = least(lambda: als.train(weights, settings, 1, speed.CORES)), least(bare)
    return {"seconds": ours, "implicit's seconds": theirs, "ratio (goal 1.1)": ours / theirs}


def similarities() -> dict[str, float]:
    weights, section = speed.random_matrix(10_000_000 // SMALL), configuration.load().similarity
    by_card, by_processor = (section.model_copy(update={"device": device}) for device in ("gpu", "cpu"))
    if not REAL:
        neighbours._all_pairs = lambda product, width, *_: torch_knn.all_pairs(product, width, DEVICE)
    found = [neighbours.nearest(weights, "cosine", one, speed.CORES, 50) for one in (by_card, by_processor)]
    ours = least(lambda: neighbours.nearest(weights, "cosine", by_card, speed.CORES, 50))
    start = time.perf_counter()
    neighbours.nearest(weights, "cosine", by_processor, speed.CORES, 50)
    theirs = time.perf_counter() - start
    other = float((found[0].indices != found[1].indices).mean())
    return {"seconds": ours, "the processor's": theirs, "ratio": ours / theirs, "neighbours that differ": other}


def topn(of_card: dict[str, float], users: int = 20_000, tracks: int = 50_000, width: int = 128) -> dict[str, float]:
    rng = np.random.default_rng(0)
    users, tracks = users // SMALL, tracks // SMALL
    made, share = ranking.models_of(tracks, rng, width)
    lists, found, items = blocks.Lists(TOP_N, ("for_you",), {blocks.ALS: 1.0}, 0), {}, {}
    weights = blocks._weights(made, lists)
    for precision in PRECISIONS:
        model = torch_lists.Card(made, 1.0, *weights, DEVICE, precision)
        for size in (512, 4096):
            parts = [ranking.block_of(min(size, users), share, rng, width) for _ in range(max(1, users // size))]
            heard = [blocks._heard(part) for part in parts]
            nothing = np.full(len(made.methods), -1), np.empty((0, 0, tracks), np.float32)

            def scored(model=model, parts=parts, heard=heard, nothing=nothing) -> None:
                for part, of_part in zip(parts, heard, strict=True):
                    popular = made.popularity[None], np.zeros(len(part.user_ids), np.int64), np.zeros(tracks, bool)
                    model.candidates(of_part, part.factors, *nothing, *popular, lists.names, TOP_N, False)

            done = sum(len(part.user_ids) for part in parts)
            took, rate = least(scored), of_card[f"operations a second, {precision}"]
            bound = max(2 * done * tracks * width / rate, 8 * done * tracks / of_card["bytes a second"])
            found[f"{precision}, blocks of {size}: seconds"] = took
            found[f"{precision}, blocks of {size}: over the bound (goal 3)"] = took / bound
        part = ranking.block_of(min(512, users), share, np.random.default_rng(1), width)
        items[precision] = blocks.recommend(part, made, lists, card=model).items
    items["the processor"] = blocks.recommend(part, made, lists).items
    for name in PRECISIONS:
        found[f"{name}: share of places as the processor's"] = float((items[name] == items["the processor"]).mean())
    return found


def embedding(of_card: dict[str, float]) -> dict[str, float]:
    network = NETWORKS["small"]().to(DEVICE).eval()
    section = configuration.load().embedding
    from musai.embedding.tracks import embedder_of

    plan = embedder_of(section, ()).plan
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # as the rate that it is held against
    sound = torch.randn(64, plan.samples, device=DEVICE)
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            network(sound)
        took = least(lambda: network(sound))
    rate = of_card["operations a second, float32"]
    return {
        "seconds of sound a second": 64 * plan.seconds / took,
        "operations over the card's rate": counter.get_total_flops() / took / rate,
    }


def generation() -> dict[str, float]:
    lessons, style, _ = lessons_of({f"song {number}": song(number) for number in range(200)}, "song")
    shape, found = Shape((style.name,), ((4, 4),)), {}
    for device in ("gpu", "cpu") if REAL else ("cpu",):
        trained = training.train(lessons[:180], lessons[180:], shape, Schedule(2, 10.0, device=device))
        found[f"seconds of two epochs, {device}"] = trained.seconds
    return found


def main(words: list[str]) -> None:
    if REAL and not torch.cuda.is_available():
        sys.exit("torch finds no CUDA device here; MUSAI_GPU_BENCHMARK=cpu only sees that the code runs")
    name = torch.cuda.get_device_name() if REAL else "the processor"
    of_card = card()
    known: dict[str, Callable[[], dict[str, float]]] = {
        "card": lambda: of_card,
        "als": factors,
        "similarities": similarities,
        "topn": lambda: topn(of_card),
        "embedding": lambda: embedding(of_card),
        "generation": generation,
    }
    if not set(words) <= set(known):
        sys.exit(__doc__)
    kept: dict[str, Any] = {"card": name, "torch": torch.__version__, "command": "python tests/benchmarks/gpu.py"}
    for what in words or known:
        kept[what if what != "card" else "rates"] = found = known[what]()
        for line, figure in found.items():
            print(f"{what:14} {line:52} {figure:12.4g}", flush=True)
    if REAL and not words:
        KEPT.write_text(json.dumps(kept, indent=2) + "\n")
        print(f"written to {KEPT}")


if __name__ == "__main__":
    main(sys.argv[1:])
