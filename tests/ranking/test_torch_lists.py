"""What a GPU works out, on the processor: the same lists as the compiled loops make."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from musai.errors import InputError
from musai.ranking import blocks, moods, torch_lists
from musai.ranking.blocks import Lists
from musai.ranking.extras import Extras
from musai.ranking.reranking import Reranking
from tests.ranking.test_blocks import BLENDS, lists_of

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
NAMES = ("discover", "for_you", "mood:happy", "mood:sad")


def card_of(models, lists, precision="float32", device="cpu"):
    """A `Card` as `blocks.card_of` makes it, whatever the device."""
    weights = lists.blend.get("als", 0), *blocks._weights(models, lists)
    return torch_lists.Card(models, *weights, torch.device(device), precision)


def with_moods(models, rng):
    """Two moods of some tracks each, heard and unheard ones."""
    found = [np.sort(rng.choice(len(models.track_ids), size, replace=False)).astype(np.int32) for size in (25, 3)]
    parts = {"mood:happy": found[0], "mood:sad": found[1]}
    tracks = [parts.get(name, np.empty(0, np.int32)) for name in moods.NAMES]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in tracks])])
    return dataclasses.replace(models, mood_starts=starts, mood_tracks=np.concatenate(tracks))


@pytest.mark.parametrize("blend", BLENDS, ids=lambda blend: "+".join(blend) or "popularity")
@pytest.mark.parametrize("cap", [0, 1, 2])
@pytest.mark.parametrize("known", [40, 300])
def test_the_lists_are_those_of_the_processor(world, seed, blend, cap, known, monkeypatch):
    """Of 300 tracks most lists are picked from candidates; of 40 many are left to the processor."""
    made = world(seed, users=30, known=known, artists=known // 4)
    models = with_moods(made.models(), np.random.default_rng(seed))
    lists = Lists(10, NAMES, blend, cap)
    due = blocks.recommend(made.block(), models, lists)
    left, again = [], blocks._on_processor

    def counted(part, *rest):
        left.append(len(part.user_ids))
        return again(part, *rest)

    monkeypatch.setattr(blocks, "_on_processor", counted)
    found = blocks.recommend(made.block(), models, lists, card=card_of(models, lists))
    for n in range(len(NAMES)):
        lists_of(found, n)
    np.testing.assert_allclose(found.scores, due.scores, rtol=1e-4, atol=1e-6)
    same = found.items == due.items
    assert same.mean() > 0.98, "two scores may be level but for their last bits, and hardly more"
    np.testing.assert_array_equal(found.because[same], due.because[same])
    assert (found.source[same] == due.source[same]).mean() > 0.99
    for_you = dataclasses.replace(lists, names=("for_you",))
    left.clear()
    blocks.recommend(made.block(), models, for_you, card=card_of(models, for_you))
    assert known < 300 or sum(left) < 15, "the card should serve most"


def test_equal_scores_stand_in_the_order_of_popularity(world):
    """Every neighbour scores the same: what of the level ones is at the cut is the processor's to say."""
    made = world(1, users=20, known=200, fresh=0)
    made.near["cosine"] = (made.near["cosine"] > 0.1) * 0.25
    models = dataclasses.replace(made, values=made.heard * 1.0).models()
    lists = Lists(10, ("for_you",), {"cosine": 1.0}, 0)
    found = blocks.recommend(made.block(), models, lists, card=card_of(models, lists))
    assert lists_of(found) == lists_of(blocks.recommend(made.block(), models, lists))


def test_reranked_lists_and_segments_of_popularity(world, seed):
    made = world(seed, users=20, known=200, fresh=0)
    popular = np.random.default_rng(seed).permutation(np.arange(400, dtype=np.float32)).reshape(2, 200)
    segment = np.arange(200, dtype=np.int32) % 2
    models = dataclasses.replace(made.models(), extras=Extras(popular=popular, segment=segment))
    lists = Lists(10, ("for_you",), {"als": 1.0}, 0, Reranking(0.3, 0.0, 0.1, 40))
    due = blocks.recommend(made.block(), models, lists)
    found = blocks.recommend(made.block(), models, lists, card=card_of(models, lists))
    assert (found.items == due.items).mean() > 0.95
    assert (found.items[0] == due.items[0]).all(), "one who has no weights, served by the popularity of a segment"


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_a_coarser_product_changes_little(world, precision):
    made = world(5, users=40, known=300)
    models, lists = made.models(), Lists(20, ("for_you",), {"als": 1.0}, 0)
    exact = blocks.recommend(made.block(), models, lists)
    found = blocks.recommend(made.block(), models, lists, card=card_of(models, lists, precision))
    shared = [len(set(a) & set(b)) for a, b in zip(lists_of(found), lists_of(exact), strict=True) if a]
    assert np.mean(shared) > 19


def test_a_part_that_is_not_finite_says_nothing(world):
    made = world(6, users=20, known=200, fresh=0)
    made.tracks[3] = np.inf
    models, lists = made.models(), Lists(10, ("for_you",), {"als": 0.5, "cosine": 0.5}, 0)
    with np.errstate(invalid="ignore"):
        due = blocks.recommend(made.block(), models, lists)
    found = blocks.recommend(made.block(), models, lists, card=card_of(models, lists))
    assert (found.items == due.items).mean() > 0.98


@GPU
def test_on_the_card(world):
    made = world(7, users=60, known=3000)
    models = made.models()
    for precision in ("float32", "tf32", "bfloat16"):
        lists = Lists(20, ("discover", "for_you"), BLENDS[0], 2, None, "gpu", precision)
        found, due = (
            blocks.recommend(made.block(), models, lists, card=card) for card in (blocks.card_of(models, lists), None)
        )
        assert (found.items == due.items).mean() > (0.98 if precision == "float32" else 0.8)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_asked_for_and_not_there_is_an_error(world):
    models = world(1).models()
    with pytest.raises(InputError, match=r"recommend\.device: gpu cannot be used here: torch .* without CUDA"):
        blocks.card_of(models, Lists(10, ("for_you",), {"als": 1.0}, 0, None, "gpu"))
    for device in ("auto", "cpu"):
        assert blocks.card_of(models, Lists(10, ("for_you",), {"als": 1.0}, 0, None, device)) is None
