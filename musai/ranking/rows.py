"""From ranked blocks to rows of the table `recommendations`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musai.ranking import blocks
from musai.ranking.blocks import Block, Lists
from musai.ranking.models import Models

if TYPE_CHECKING:
    from musai.ranking.torch_lists import Card


def ranked(
    block: Block, opened: Models, lists: Lists, room: np.ndarray | None = None, card: Card | None = None
) -> pa.RecordBatch:
    """The rows of a block, in the order of the table's key: user, list, rank. `room`, `card`: see `recommend`."""
    in_order = dataclasses.replace(lists, names=tuple(sorted(lists.names)))
    found = blocks.recommend(block, opened, in_order, room, card)
    taken = np.nonzero(found.items >= 0)
    user, which, place = (pa.array(axis) for axis in taken)
    because = found.because[taken]
    return pa.record_batch(
        {
            "user_id": block.user_ids.take(user),
            "list": pa.array(in_order.names).take(which),
            "rank": pc.add(place, 1).cast(pa.int32()),
            "track_id": _text(opened, found.items[taken]),
            "score": pa.array(found.scores[taken]),
            "source": pa.array(blocks.source_names(opened)).take(pa.array(found.source[taken])),
            "because_track_id": _text(opened, because, because < 0),
        }
    )


def _text(opened: Models, indices: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    return opened.track_ids.take(pa.array(indices, mask=missing)).cast(pa.string())
