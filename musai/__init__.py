"""MusAI: the nightly batch engine of a music service. What is heavy is loaded when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musai.newcomer import recommend
    from musai.reading import read

__all__ = ["__version__", "read", "recommend"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "read":
        from musai.reading import read

        return read
    if name == "recommend":
        from musai.newcomer import recommend

        return recommend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
