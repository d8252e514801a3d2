"""Track aliases that lead to other aliases: where each of them ends."""

from __future__ import annotations

from collections.abc import Mapping


def resolved(edges: Mapping[str, str]) -> tuple[dict[str, str], set[str]]:
    """The first id that is no key on the way from each key; and the keys whose edge was dropped to break a circle.

    The smallest id of a circle stands for the others of it, whatever the order of the edges.
    """
    ends: dict[str, str] = {}
    dropped: set[str] = set()
    for start in edges:
        path, steps, one = list[str](), dict[str, int](), start
        while one in edges and one not in ends and one not in steps:
            steps[one] = len(path)
            path.append(one)
            one = edges[one]
        if one in steps:  # a circle that no earlier start has met
            one = min(path[steps[one] :])
            dropped.add(one)
        end = ends.get(one, one)
        ends.update(dict.fromkeys(path, end))
    return ends, dropped
