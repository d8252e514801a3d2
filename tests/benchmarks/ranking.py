"""What scoring costs, part by part, on one core: python tests/benchmarks/ranking.py [USERS] [TRACKS]

Milliseconds of processor time a user: the bare float32 product (the yardstick), each kernel by itself, and all of
`blocks.recommend`. Listeners of about 50 tracks, 64 factors, 300 neighbours, lists of 100.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import threadpoolctl

from musai.ranking import blocks, kernels, top
from musai.ranking.blocks import Block, Lists
from musai.ranking.models import Models

FACTORS, NEIGHBOURS, TOP_N, HEARD, ARTISTS = 64, 300, 100, 40, 5000


def models_of(tracks: int, rng: np.random.Generator, factors: int = FACTORS) -> tuple[Models, np.ndarray]:
    """Random models over tracks of Zipf's popularity, and the cumulated popularity."""
    share = np.cumsum(rng.permutation(1 / np.arange(1, tracks + 1) ** 0.8))
    near = np.sort(np.searchsorted(share, rng.random((tracks, NEIGHBOURS)) * share[-1]), axis=1)
    popularity = np.diff(share, prepend=0)
    artist = rng.integers(-1, ARTISTS, tracks).astype(np.int32)
    made = Models(
        track_ids=pa.array([f"t{j}" for j in range(tracks)], pa.large_string()),
        known=tracks,
        methods=("cooccurrence",),
        place=np.argsort(np.argsort(-popularity)).astype(np.int32),
        popularity=np.ceil(1e6 * popularity / share[-1] + 1).astype(np.float32),
        artist=artist,
        by_artist=np.searchsorted(np.sort(artist), np.arange(-1, ARTISTS + 1)),
        of_artist=np.argsort(artist, kind="stable").astype(np.int32),
        blocked=np.empty(0, np.int32),
        fresh=np.empty(0, np.int32),
        near_indptr=np.arange(0, tracks * NEIGHBOURS + 1, NEIGHBOURS)[None],
        near_indices=near.ravel().astype(np.int32),
        near_scores=rng.random(near.size).astype(np.float32),
        factors=rng.normal(size=(tracks, factors)).astype(np.float32),
    )
    for name, array in vars(made).items():
        if isinstance(array, np.ndarray):
            array.setflags(write=False)  # as the mapped ones
            assert array.flags.c_contiguous, name
    return made, share


def block_of(users: int, share: np.ndarray, rng: np.random.Generator, factors: int = FACTORS) -> Block:
    sizes = rng.lognormal(np.log(HEARD), 0.7, users).astype(int) + 1
    heard = [np.unique(np.searchsorted(share, rng.random(size) * share[-1])) for size in sizes]
    return Block(
        user_ids=pa.array([f"u{u}" for u in range(users)]),
        heard_indptr=np.cumsum([0, *(len(row) for row in heard)]),
        heard_indices=np.concatenate(heard).astype(np.int32),
        values=np.ones(sum(len(row) for row in heard), np.float32),
        factors=rng.normal(size=(users, factors)).astype(np.float32),
    )


def milliseconds(users: int, work: Callable[[], object]) -> float:
    """Of processor time a user; the least of three."""
    spent = []
    for _ in range(3):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return 1e3 * min(spent) / users


def kernel_costs(block: Block, made: Models, product: np.ndarray) -> dict[str, float]:
    """Each kernel over all users of the block, a call a user."""
    near = kernels.Near(made.near_indptr, made.near_indices, made.near_scores, np.ones(1, np.float32), np.ones(1, bool))
    row, slot = np.zeros(made.known, np.float32), np.zeros(made.known, np.int32)
    items, scores, because = np.empty(TOP_N, np.int32), np.empty(TOP_N, np.float32), np.empty(TOP_N, np.int32)
    scales, totals = np.ones(2, np.float32), np.zeros_like(product)
    users = range(len(block.user_ids))
    mine = [block.heard_indices[slice(*block.heard_indptr[u : u + 2])] for u in users]
    values = [block.values[: len(tracks)] for tracks in mine]

    def each(work: Callable[[int], object]) -> float:
        return milliseconds(len(users), lambda: [work(u) for u in users])

    found = {
        "neighbour_scores": each(lambda u: kernels.neighbour_scores(mine[u], values[u], near, 0, row)),
        "add_scaled (twice)": 2 * each(lambda u: kernels.add_scaled(totals[u], product[u], np.float32(0.5))),
    }
    for u in users:
        kernels.neighbour_scores(mine[u], values[u], near, 0, row)
        kernels.add_scaled(totals[u], row, np.float32(0.5))
    found["best_items"] = each(lambda u: top.best_items(totals[u], made.place, items, scores))
    found["explain"] = each(
        lambda u: kernels._explain(mine[u], values[u], near, made.factors, scales, items, because, slot, TOP_N)
    )
    return found


def whole_cost(parts: list[Block], made: Models, lists: Lists, room: np.ndarray) -> float:
    blocks.recommend(parts[0], made, lists, room)  # compiles
    users = sum(len(part.user_ids) for part in parts)
    return milliseconds(users, lambda: [blocks.recommend(part, made, lists, room) for part in parts])


def main(users: int = 20_000, tracks: int = 50_000) -> None:
    rng = np.random.default_rng(0)
    made, share = models_of(tracks, rng)
    parts = [block_of(min(blocks.MAX_BLOCK, users), share, rng) for _ in range(max(1, users // blocks.MAX_BLOCK))]
    users = sum(len(part.user_ids) for part in parts)
    room = np.zeros((blocks.MAX_BLOCK, tracks), np.float32)
    assert made.factors is not None
    of_tracks = made.factors.T
    vectors = [part.factors for part in parts if part.factors is not None]
    blend = {"cooccurrence": 0.5, blocks.ALS: 0.5}
    with threadpoolctl.threadpool_limits(1):
        figures = {"bare product": milliseconds(users, lambda: [of_users @ of_tracks for of_users in vectors])}
        figures["bare product, in the same memory"] = milliseconds(
            users, lambda: [np.matmul(of_users, of_tracks, out=room[: len(of_users)]) for of_users in vectors]
        )
        figures |= kernel_costs(parts[0], made, room[: len(parts[-1].user_ids)].copy())
        for names in (("for_you",), ("discover", "for_you")):
            figures["recommend, " + " and ".join(names)] = whole_cost(parts, made, Lists(TOP_N, names, blend, 0), room)
    print(f"{users} users x {tracks} tracks, {sum(len(p.values) for p in parts) / users:.0f} heard; ms a user:")
    for name, figure in figures.items():
        print(f"  {name:34} {figure:.3f}")


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:]))
