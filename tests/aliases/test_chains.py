"""Chains and circles of aliases."""

import random

from musai.aliases.chains import resolved


def test_chains_end_where_no_alias_begins() -> None:
    assert resolved({"a": "b", "b": "c", "x": "c"}) == ({"a": "c", "b": "c", "x": "c"}, set())
    assert resolved({}) == ({}, set())


def test_the_smallest_id_of_a_circle_stands_for_it() -> None:
    edges = {"c": "b", "b": "d", "d": "c", "tail": "d", "longer": "tail", "y": "x", "x": "y"}
    ends = {"b": "b", "c": "b", "d": "b", "tail": "b", "longer": "b", "x": "x", "y": "x"}
    assert resolved(edges) == (ends, {"b", "x"})


def test_the_order_of_the_aliases_does_not_matter() -> None:
    draw = random.Random(3)  # noqa: S311
    for _ in range(200):
        edges = [(str(one), str(draw.randrange(12))) for one in range(12) if draw.random() < 0.8]
        edges = [(bad, good) for bad, good in edges if bad != good]
        expected = resolved(dict(edges))
        draw.shuffle(edges)
        assert resolved(dict(edges)) == expected
        ends, dropped = expected
        left = {bad for bad, _ in edges} - dropped
        assert not left & set(ends.values())


def test_a_long_chain_is_no_trouble() -> None:
    ends, dropped = resolved({str(one): str(one + 1) for one in range(100_000)})
    assert set(ends.values()) == {"100000"}
    assert not dropped
