"""The list `made_for_you`: generated tracks of the styles that a listener hears, in an order of his own.

A style counts as much as its share of the listener's plays, each track of it more or less by a draw that is the
listener's own; who hears no style of ours gets them all alike. As SQL over views: it grows with listeners x styles x
the length of the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from musai.columns import MADE_FOR_YOU

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FLOOR = 0.02  # share that a style counts which the listener never hears

_LISTS = """
WITH heard AS (
  SELECT i.user_id, s.style, i.track_id, i.plays
  FROM {interactions} i JOIN {tracks} t ON i.track_id = t.track_id JOIN {styles} s ON lower(t.genre) = s.genre
  WHERE i.plays > 0
), tastes AS (
  SELECT user_id, style, max_by(track_id, struct(plays, track_id)) AS because_track_id,
         sum(cast(plays AS decimal(28, 6))) AS amount
  FROM heard GROUP BY user_id, style
), shares AS (
  SELECT u.user_id, o.style, t.because_track_id,
         coalesce(cast(t.amount / sum(t.amount) OVER (PARTITION BY u.user_id) AS double), 0) + {floor} AS share
  FROM {users} u CROSS JOIN (SELECT DISTINCT style FROM {generated}) o
  LEFT JOIN tastes t ON t.user_id = u.user_id AND t.style = o.style
), scored AS (
  SELECT s.user_id, g.generated_id AS track_id, s.because_track_id,
         s.share * (0.5 + pmod(xxhash64(s.user_id, g.generated_id, {seed}), 1000) / 2000) AS score
  FROM shares s JOIN {generated} g ON s.style = g.style
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY score DESC, track_id) AS rank FROM scored
)
SELECT user_id, {name} AS list, cast(rank AS int) AS rank, track_id, cast(score AS float) AS score, 'style' AS source,
       because_track_id
FROM ranked WHERE rank <= {length}
"""


def made_for_you(
    users: DataFrame,
    interactions: DataFrame,
    tracks: DataFrame | None,
    generated: DataFrame,
    styles: Mapping[str, Sequence[str]],
    length: int,
    seed: int,
) -> DataFrame:
    """Rows of `recommendations`. `styles`: style -> genres of the catalogue that are it; `because_track_id` is the
    track of the style that the listener played most."""
    session = generated.sparkSession
    pairs = [(genre.lower(), style) for style, genres in styles.items() for genre in genres]
    nothing = session.createDataFrame([], "track_id string, genre string")
    return session.sql(
        _LISTS,
        users=users,
        interactions=interactions,
        tracks=nothing if tracks is None else tracks.select("track_id", "genre"),
        generated=generated.select("generated_id", "style"),
        styles=session.createDataFrame(pairs, "genre string, style string"),
        floor=FLOOR,
        seed=seed,
        name=MADE_FOR_YOU,
        length=length,
    )
