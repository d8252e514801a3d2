"""Who asks for the GPU gets it or is told what is missing; nobody else has to care."""

from __future__ import annotations

import importlib
import logging
import pathlib
from collections.abc import Iterator

import pytest

from musai.errors import InputError
from musai.factorization import devices


@pytest.fixture(autouse=True)
def _look_again() -> Iterator[None]:
    """The answer is kept for the life of a process; a test may change what it rests on."""
    usable_gpu = devices.usable_gpu
    usable_gpu.cache_clear()
    yield
    usable_gpu.cache_clear()


def test_gpu_on_this_machine() -> None:
    reason = devices.usable_gpu()
    if reason is None:
        assert devices.choose("gpu") == "gpu"
        return
    assert "\n" not in reason
    with pytest.raises(InputError) as caught:
        devices.choose("gpu")
    assert caught.value.faults == [f"factorization.device: gpu cannot be used here: {reason}"]
    assert caught.value.exit_status == 2


def test_the_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "LIBRARIES", (("libnothing.so.13", "nvidia-nothing", "nvidia", "cu13/lib"),))
    with pytest.raises(InputError, match=r"libnothing\.so\.13 is missing \(pip install 'nvidia-nothing'"):
        devices.choose("gpu")


def test_a_library_that_does_not_load(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel for another machine, say; the folder is found beside the package as in a wheel."""
    library = tmp_path / "somewheel" / "lib64" / "libbroken.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"not a library")
    (tmp_path / "somewheel" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(devices, "LIBRARIES", (("libbroken.so", "some-wheel", "somewheel", "lib64"),))
    reason = devices.usable_gpu()
    assert reason is not None
    assert reason.startswith("libbroken.so does not load: ")
    assert str(library) in reason


def test_implicit_without_its_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every library there the next thing to fail is an import, and its text is the reason."""
    monkeypatch.setattr(devices, "LIBRARIES", ())
    monkeypatch.setattr(importlib, "import_module", broken_import)
    assert devices.usable_gpu() == "implicit's GPU extension does not load: undefined symbol _ZTIN3rmm9bad_allocE"


def broken_import(name: str) -> None:
    raise ImportError("undefined symbol\n _ZTIN3rmm9bad_allocE")


def test_cpu_looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "usable_gpu", lambda: pytest.fail("looked"))
    assert devices.choose("cpu") == "cpu"


@pytest.mark.parametrize(
    ("reason", "device", "line"),
    [
        (None, "gpu", "factorization.device=auto: gpu"),
        ("no card", "cpu", "factorization.device=auto: cpu (no card)"),
    ],
)
def test_auto_says_which_it_took(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, reason: str | None, device: str, line: str
) -> None:
    monkeypatch.setattr(devices, "usable_gpu", lambda: reason)
    with caplog.at_level(logging.INFO):
        assert devices.choose("auto") == device
    assert line in caplog.messages
