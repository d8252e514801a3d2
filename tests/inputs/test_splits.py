"""Lines counted in the bytes of splits. That they are those of Spark's own reader, test_spark.py shows."""

from __future__ import annotations

import io
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musai.inputs import splits


@pytest.mark.parametrize("chunk", [1, 3, 2**22])
@given(
    pieces=st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"a", b"bcd"]), max_size=12),
    cuts=st.sets(st.integers(1, 30)),
)
def test_each_line_is_of_the_split_with_the_byte_before_it(chunk: int, pieces: list[bytes], cuts: set[int]) -> None:
    content = b"".join(pieces)
    begins = [0, *(found.end() for found in re.finditer(rb"\r\n|\r|\n", content))]
    begins = [at for at in begins if at < len(content)]
    edges = [0, *sorted(cut for cut in cuts if cut < len(content)), len(content)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splits, "CHUNK", chunk)
        for start, end in itertools.pairwise(edges):
            stream = io.BytesIO(content)
            stream.seek(start)
            own = [at for at in begins if start < at <= end or at == start == 0]
            assert splits.lines_in(stream, start, end) == len(own)
        assert splits.lines_in(io.BytesIO(content), 0, None) == len(begins)
