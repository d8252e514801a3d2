"""What must not reach a log or a terminal: credentials in URIs and settings, and characters that steer a terminal.

Imports nothing of ours."""

from __future__ import annotations

import logging
import re

HIDDEN = "***"
# Up to the @ of a URI; where a secret was put there with its slashes, it is told from host:port by not being a number.
USER_INFO = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?:[^/?#\s\"'@]+|[^/?#\s\"'@:]+:(?!\d+/)[^\s\"'@]+)@", re.IGNORECASE
)
HUSHED = r"(?:secret|password|passwd|token|credential|access[._-]?key|account[._-]?key|sig(?:nature)?)[\w.-]*"
SETTING = re.compile(
    rf"(?P<key>{HUSHED}[\"']?\s*(?:=|:(?=[\s\"']))\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;&)}}\]]+)", re.IGNORECASE
)


STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def is_secret(name: str) -> bool:
    """Whether what a setting of this name holds is to be hidden."""
    return bool(re.search(HUSHED, name, re.IGNORECASE))


def redacted(text: str) -> str:
    """The text with `***` for what a URI says before its @, and for the value of anything called secret, token, ..."""
    return SETTING.sub(rf"\g<key>{HIDDEN}", USER_INFO.sub(rf"\g<scheme>{HIDDEN}@", text))


def plain(text: str) -> str:
    """The text in one line: control characters, and those that turn the direction of writing, as \\xNN or \\uNNNN."""
    return STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class Formatter(logging.Formatter):
    """A log line, its traceback included, without credentials."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))
