"""`build_user_item`: interactions -> users, items, user_item, unweighted."""

from musai.matrix import spark as matrix
from musai.steps import Night

JOB = "build_user_item"
BY_LISTENER = ("users", "user_item", "unweighted")


def run(night: Night) -> None:
    uri = night.run.uri("interactions")
    night.rows_read += night.run.rows("interactions") or 0
    night.progress("counting")
    counted = matrix.count(night.session, uri, night.until)
    night.write(matrix.indexed(counted.items, "track_id", "item_index"), "items", JOB)
    counted.release()
    places = night.run.staging(*BY_LISTENER)
    parts = matrix.build(night.session, counted, night.run.uri("items"), night.config.matrix, places)
    for table in BY_LISTENER:
        night.adopt(parts, table, JOB)
    rows = night.run.rows
    pairs = f"{rows('user_item')} pairs with weight, {rows('unweighted')} without"
    night.note(f"{rows('users')} listeners x {rows('items')} tracks, {pairs}")
