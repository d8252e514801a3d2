"""What can go wrong, by the exit status it ends with. Imports nothing of ours."""

from collections.abc import Iterable, Sequence


class MusaiError(Exception):
    """A job failed: exit status 1. The text is one line for the person who reads the log."""

    exit_status = 1


class InputError(MusaiError):
    """The command, the configuration or an input cannot be used: exit status 2.

    `faults` holds one line each, with the key or the file and line; they are all the faults that were found, not
    the first.
    """

    exit_status = 2

    def __init__(self, faults: str | Iterable[str]) -> None:
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        super().__init__("\n".join(self.faults))


class AuditRefused(MusaiError):
    """The audit refused to publish; what was published before stays: exit status 3."""

    exit_status = 3


class Superseded(MusaiError):
    """Another run of the same date was published, or is being published, meanwhile; the text says which."""


def listed(lines: Sequence[str], most: int = 5) -> str:
    """The first of some lines as part of a message, and how many more there are."""
    return ", ".join(lines[:most]) + (f" and {len(lines) - most} more" if len(lines) > most else "")
