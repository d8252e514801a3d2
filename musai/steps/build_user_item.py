"""`build_user_item`: interactions -> users, items, user_item."""

from musai.matrix import spark as matrix
from musai.steps import Night

JOB = "build_user_item"


def run(night: Night) -> None:
    interactions = night.read("interactions")
    for table, id_column, index in (("users", "user_id", "user_index"), ("items", "track_id", "item_index")):
        frame = matrix.indexed(interactions, id_column, index)
        night.write(frame, table, JOB)
    users, items = night.run.read(night.session, "users"), night.run.read(night.session, "items")
    weights, others = matrix.pairs(interactions, users, items, night.config.matrix, night.until)
    weighted = night.write(weights, "user_item", JOB)["rows"]
    unweighted = (night.run.rows("interactions") or 0) - weighted
    night.write(others if unweighted else others.limit(0), "unweighted", JOB)
    size = f"{night.run.rows('users')} listeners x {night.run.rows('items')} tracks"
    night.note(f"{size}, {weighted} pairs with weight, {unweighted} without")
