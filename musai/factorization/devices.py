"""CPU or GPU: what `factorization.device` comes to on this machine, and why.

`implicit`'s GPU extension carries no search path for the CUDA libraries that it is linked to, and without them it
turns itself off without a word. So the libraries of the wheels (`pip install 'musai[gpu]'`) are loaded first, with
their symbols global, and each thing that can be missing is looked at in turn: who asked for the GPU is told which.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.util
import logging
import pathlib
import warnings
from typing import Literal

from musai.errors import InputError

log = logging.getLogger(__name__)

Device = Literal["cpu", "gpu"]

# (library, wheel, import package, folder in it), each before those that need it.
LIBRARIES = (
    ("libcudart.so.13", "nvidia-cuda-runtime", "nvidia", "cu13/lib"),
    ("libcublasLt.so.13", "nvidia-cublas", "nvidia", "cu13/lib"),
    ("libcublas.so.13", "nvidia-cublas", "nvidia", "cu13/lib"),
    ("libcurand.so.10", "nvidia-curand", "nvidia", "cu13/lib"),
    ("librapids_logger.so", "rapids-logger", "rapids_logger", "lib64"),
    ("librmm.so", "librmm-cu13>=26.2,<26.6", "librmm", "lib64"),
)


def choose(device: Literal["auto", "cpu", "gpu"]) -> Device:
    """The device that `factorization.device` means here; `auto` says in the log which it took.

    Raises InputError for `gpu` without a usable one, with what is missing.
    """
    if device == "cpu":
        return "cpu"
    reason = usable_gpu()
    if device == "gpu" and reason:
        raise InputError(f"factorization.device: gpu cannot be used here: {reason}")
    if device == "auto":
        log.info("factorization.device=auto: %s", f"cpu ({reason})" if reason else "gpu")
    return "cpu" if reason else "gpu"


@functools.cache
def usable_gpu() -> str | None:
    """None where `implicit` can train on a GPU in this process, else the reason in one line.

    The answer holds for the life of the process: a library once loaded stays.
    """
    for library, wheel, package, folder in LIBRARIES:
        fault = _preload(library, package, folder)
        if fault:
            return f"{library} {fault} (pip install '{wheel}', or 'musai[gpu]' for the whole set)"
    try:
        importlib.import_module("rmm")
        cuda = importlib.import_module("implicit.gpu._cuda")
        count = cuda.get_device_count()
    except ImportError as error:
        return f"implicit's GPU extension does not load: {_line(error)}"
    except RuntimeError as error:
        return f"CUDA finds no device: {_line(error)}"
    if count < 1:
        return "CUDA finds no device"
    return _switch_on()


def _preload(library: str, package: str, folder: str) -> str | None:
    """Load a library from its wheel, else from where the loader looks; None, or what went wrong."""
    wheel = _wheel_file(package, f"{folder}/{library}")
    try:
        ctypes.CDLL(str(wheel) if wheel else library, mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        return f"does not load: {_line(error)}" if wheel else "is missing"
    return None


def _wheel_file(package: str, name: str) -> pathlib.Path | None:
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else ()
    return next((file for folder in folders if (file := pathlib.Path(folder) / name).is_file()), None)


def _switch_on() -> str | None:
    """Let `implicit` look again: where it was imported before the libraries were there, it took note of none."""
    import implicit.gpu

    if not implicit.gpu.HAS_CUDA:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            importlib.reload(implicit.gpu)
        if not implicit.gpu.HAS_CUDA:
            return "; ".join(_line(warning.message) for warning in caught) or "implicit.gpu.HAS_CUDA is false"
    return None


def _line(error: object) -> str:
    return " ".join(str(error).split())
