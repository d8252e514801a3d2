"""Where torch works: what the configuration asks for, and what there is."""

from __future__ import annotations

import pytest

from musai.devices import choose
from musai.errors import InputError


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert choose("auto", "embedding.device").type == "cpu"
    with pytest.raises(InputError, match=r"embedding\.device: gpu cannot be used here: torch "):
        choose("gpu", "embedding.device")


def test_a_gpu_that_is_there_is_taken_unless_the_processor_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert [choose(asked, "embedding.device").type for asked in ("auto", "gpu", "cpu")] == ["cuda", "cuda", "cpu"]
