"""Lists of a block against the dense reference, and the rules that hold for every list."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from musai import config as configuration
from musai.factorization.fold_in import FoldIn, prepared
from musai.ranking import blocks, kernels
from musai.ranking.blocks import Lists
from musai.ranking.extras import Extras

BLENDS = [
    {"als": 0.5, "cooccurrence": 0.5},
    {"cosine": 0.3, "als": 0.2, "cooccurrence": 0.5},
    {"cosine": 1.0},
    {"als": 2.0},
    {},
]


def lists_of(ranked, name: int = 0) -> list[list[int]]:
    """The items of each user, after the checks that hold for every list."""
    assert [array.dtype for array in ranked] == [np.int32, np.float32, np.uint8, np.int32]
    found = []
    for row, scores in zip(ranked.items[:, name], ranked.scores[:, name], strict=True):
        size = int((row >= 0).sum())
        assert (row[:size] >= 0).all(), "a gap"
        assert len(set(row[:size])) == size, "a track twice"
        assert np.isfinite(scores).all()
        found.append(row[:size].tolist())
    return found


@pytest.mark.parametrize("blend", BLENDS, ids=lambda blend: "+".join(blend) or "popularity")
@pytest.mark.parametrize("cap", [0, 1, 2])
def test_as_the_dense_reference(world, seed, blend, cap):
    made = world(seed)
    while made.nearest_tie(blend) < 1e-6:
        seed += 1
        made = world(seed)
    lists = Lists(10, ("discover", "for_you"), blend, cap)
    models = made.models()
    ranked = blocks.recommend(made.block(), models, lists)
    names = blocks.source_names(models)
    for number, name in enumerate(lists.names):
        for u, items in enumerate(lists_of(ranked, number)):
            assert items == made.expected(u, lists, name), (seed, u, name)
            total, shares = made.total(u, blend), made.shares(u, blend)
            for r, j in enumerate(items):
                score, source = ranked.scores[u, number, r], names[ranked.source[u, number, r]]
                if j >= made.known:
                    assert (score, source, ranked.because[u, number, r]) == (0, "catalogue", -1)
                    continue
                assert score == pytest.approx(total[j], rel=1e-4, abs=1e-6)
                spoken = {part: share[j] for part, share in shares.items() if share[j]}
                assert source == max(spoken, key=spoken.__getitem__, default="popularity")
                assert ranked.because[u, number, r] == reason(made, u, j, blend)


def reason(made, u, j, blend) -> int:
    """The heard track with the largest summand over the neighbour parts, else the nearest by ALS; -1 without one."""
    summands = {}
    for name in made.shares(u, blend):
        if name != "als":
            counts = (made.values[u] > 0) * 1.0 if name == "cooccurrence" else made.values[u]
            length = np.sqrt(((counts @ made.near[name]) ** 2).sum())
            for i in np.flatnonzero(counts * made.near[name][:, j]).tolist():
                summands[name, i] = blend[name] * counts[i] * made.near[name][i, j] / length
    if summands or "als" not in made.shares(u, blend):
        return max(summands, key=summands.__getitem__)[1] if summands else -1
    most = made.values[u] * np.linalg.norm(made.tracks, axis=1)
    chosen = np.argsort(-most, kind="stable")[: kernels.EXPLAINING]
    near = made.values[u, chosen] * (made.tracks[chosen] @ made.tracks[j])
    return int(chosen[near.argmax()]) if near.max() > 0 else -1


def test_who_has_everything_gets_what_nobody_has_heard_or_nothing(world, seed):
    made = dataclasses.replace(world(seed), blocked=np.zeros(45, bool))
    ranked = blocks.recommend(made.block(), made.models(), Lists(10, ("for_you",), BLENDS[0], 0))
    assert lists_of(ranked)[1] == [40, 41, 42, 43, 44]
    assert lists_of(ranked)[2] == [39, 40, 41, 42, 43, 44]
    made = dataclasses.replace(made, blocked=np.arange(45) >= 40)
    ranked = blocks.recommend(made.block(), made.models(), Lists(10, ("for_you",), BLENDS[0], 0))
    assert lists_of(ranked)[1] == []
    assert lists_of(ranked)[2] == [39]


def test_lists_longer_than_all_tracks_cost_no_memory(world, seed):
    made = world(seed)
    lists = [Lists(top_n, ("for_you",), {"als": 1.0}, 0) for top_n in (10**5, len(made.artist))]
    found, due = (blocks.recommend(made.block(), made.models(), one) for one in lists)
    assert found.items.shape == due.items.shape
    assert lists_of(found) == lists_of(due)


def test_who_has_no_weight_gets_the_popular(world, seed):
    made = world(seed)
    models = made.models()
    ranked = blocks.recommend(made.block(), models, Lists(8, ("for_you",), BLENDS[0], 0))
    due = sorted((j for j in made.offered(0) if j < made.known), key=lambda j: (-made.listeners[j], j))[:8]
    assert lists_of(ranked)[0] == due
    assert ranked.scores[0, 0].tolist() == made.listeners[due].tolist()
    assert {blocks.source_names(models)[code] for code in ranked.source[0, 0]} == {"popularity"}
    assert (ranked.because[0] == -1).all()


def test_whose_tracks_nobody_else_has_gets_the_popular(world, seed):
    """ALS would list what rounding left; a newcomer with a track that one listener has is another matter."""
    made = world(seed)
    made.heard[:, 7] = False
    made.heard[5] = made.values[5] = 0
    made.heard[5, 7], made.values[5, 7] = True, 1
    models = made.models()
    ranked = blocks.recommend(made.block(), models, Lists(8, ("for_you",), {"als": 1.0}, 0))
    due = sorted((j for j in made.offered(5) if j < made.known), key=lambda j: (-made.listeners[j], j))[:8]
    assert lists_of(ranked)[5] == due
    assert {blocks.source_names(models)[code] for code in ranked.source[5, 0]} == {"popularity"}
    tracks = made.tracks.astype(np.float32)
    fold = FoldIn(tracks, prepared(tracks), 1.0, 1.0, configuration.load().factorization)
    newcomers = dataclasses.replace(made.block(), factors=None)
    of_newcomers = dataclasses.replace(models, extras=Extras(fold_in=fold))
    ranked = blocks.recommend(newcomers, of_newcomers, Lists(8, ("for_you",), {"als": 1.0}, 0))
    assert {blocks.source_names(models)[code] for code in ranked.source[5, 0]} == {"als"}


def test_equal_scores_stand_in_the_order_of_popularity(world):
    """Every neighbour scores the same, so that only the place is left; what no neighbour names follows likewise."""
    made = world(1, fresh=0)
    made.near["cosine"] = (made.near["cosine"] > 0.1) * 0.25
    made = dataclasses.replace(made, values=made.heard * 1.0, blocked=np.zeros(40, bool))
    lists = Lists(40, ("for_you",), {"cosine": 1.0}, 0)
    models = made.models()
    ranked = blocks.recommend(made.block(), models, lists)
    for u, items in enumerate(lists_of(ranked)):
        counts = (made.values[u] @ made.near["cosine"]) * 4
        assert items == [j for j in np.lexsort((made.place, -counts)) if j in made.offered(u)]
        sources = [blocks.source_names(models)[code] for code in ranked.source[u, 0, : len(items)]]
        assert sources == ["cosine" if counts[j] else "popularity" for j in items]


@pytest.mark.parametrize(
    ("cap", "due"), [(1, [0, 5, 100, 101, 102, 103, 104, 105]), (3, [0, 1, 2, 5, 100, 101, 102, 103])]
)
def test_one_artist_holds_the_best_hundred(world, cap, due):
    """All but track 5, whose artist nobody knows. So many more tracks are looked at, in several rounds, than listed.

    Nobody has heard anything: the order is the index.
    """
    made = world(0, users=4, known=150, fresh=3)
    artist = np.array([0] * 100 + list(range(1, 54)))
    artist[5] = -1
    made = dataclasses.replace(
        made,
        heard=np.zeros((4, 150), bool),
        values=np.zeros((4, 150)),
        artist=artist,
        blocked=np.zeros(153, bool),
    )
    ranked = blocks.recommend(made.block(), made.models(), Lists(8, ("for_you",), {}, cap))
    assert lists_of(ranked) == [due] * 4
    made = dataclasses.replace(made, artist=np.array([0] * 100 + [1] * 53))
    ranked = blocks.recommend(made.block(), made.models(), Lists(8, ("for_you",), {}, cap))
    assert lists_of(ranked) == [([*range(cap), *range(100, 100 + cap), *range(cap, 8)])[:8]] * 4


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_part_that_is_no_number_says_nothing(world, seed, broken):
    """The models are checked where they are made; should one slip through, lists stay full and the rest speaks."""
    made = world(seed)
    made.tracks[3, 0] = broken
    without = {"cooccurrence": 0.5}
    with np.errstate(invalid="ignore"):
        found, due = (
            blocks.recommend(made.block(), made.models(), Lists(10, ("for_you",), blend, 0))
            for blend in ({"als": 0.5} | without, without)
        )
    assert lists_of(found) == lists_of(due)
    assert (found.scores == due.scores).all()


def test_one_user_by_himself_or_among_others(world, seed):
    """Neighbour scores do not depend on who shares the block, not by a bit."""
    made = world(seed)
    lists = Lists(10, ("for_you",), {"cooccurrence": 0.4, "cosine": 0.6}, 2)
    together = blocks.recommend(made.block(), made.models(), lists)
    place, popularity = made.models().place, made.models().popularity  # these stay those of all
    for u in range(len(made.heard)):
        alone = dataclasses.replace(
            made, heard=made.heard[u : u + 1], values=made.values[u : u + 1], users=made.users[u : u + 1]
        )
        models = dataclasses.replace(alone.models(), place=place, popularity=popularity)
        found = blocks.recommend(alone.block(), models, lists)
        for one, all_of_them in zip(found, together, strict=True):
            assert (one[0] == all_of_them[u]).all()


@st.composite
def small_worlds(draw):
    return {
        "seed": draw(st.integers(0, 2**32 - 1)),
        "users": draw(st.integers(4, 6)),
        "known": draw(st.integers(2, 14)),
        "fresh": draw(st.integers(0, 4)),
        "artists": draw(st.integers(1, 5)),
    }


@hypothesis_settings(deadline=None, max_examples=200)
@given(
    world_of=small_worlds(),
    top_n=st.integers(1, 20),
    cap=st.integers(0, 3),
    blend=st.sampled_from(BLENDS),
    names=st.sampled_from([("for_you",), ("discover",), ("discover", "for_you"), ("for_you", "discover")]),
)
def test_lists_are_as_full_as_they_can_be(world, world_of, top_n, cap, blend, names):
    made = world(**world_of)
    ranked = blocks.recommend(made.block(), made.models(), Lists(top_n, names, blend, cap))
    for number, name in enumerate(names):
        for u, items in enumerate(lists_of(ranked, number)):
            offered = made.offered(u, name == "discover")
            assert set(items) <= set(offered)
            assert len(items) == min(top_n, len(offered))
            if made.nearest_tie(blend) > 1e-6:
                assert items == made.expected(u, Lists(top_n, names, blend, cap), name)


def test_memory_decides_on_the_size_of_a_block():
    assert blocks.block_size(50_000, 2, 256) == blocks.MAX_BLOCK
    assert blocks.block_size(1_000_000, 2, 256) == 256 * 2**20 // 4_000_000 - 6
    assert blocks.block_size(1_000_000, 2, 256, predicted=2) == (256 * 2**20 // 4_000_000 - 6) // 3
    assert blocks.block_size(10**9, 2, 256) == blocks.MIN_BLOCK
    assert blocks.block_size(0, 0, 1) == blocks.MAX_BLOCK
