"""Debian's Chromium without a window, spoken to in its DevTools protocol over a pipe: JSON messages that end in NUL."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDED = [
    pytest.mark.system,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium: apt-get install chromium"),
]
DESKTOP, PHONE = (1280, 900), (390, 844)
KEYS = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


class Page:
    """A tab: `said` holds what went to its console or was thrown, `asked` what it wanted to load but its own icons."""

    def __init__(self, commands: Any, answers: Any) -> None:
        self._commands, self._answers, self._number, self._session = commands, answers, 0, ""
        self.said: list[str] = []
        self.asked: list[str] = []
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                found: dict[str, Any] = answer["result"]
                return found

    def _next(self) -> dict[str, Any]:
        content = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "Chromium ended"
            content += byte
        message: dict[str, Any] = json.loads(content)
        method, params = message.get("method", ""), message.get("params", {})
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.said.append(json.dumps(params))
        elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith("data:"):
            self.asked.append(params["request"]["url"])
        return message

    def open(self, url: str, width: int, height: int, scheme: str = "light") -> None:
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self("Page.navigate", url=url)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> Any:
        """The value of an expression; a promise is awaited."""
        answer = self("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            code = KEYS[key]
            self("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def picture(self, file: pathlib.Path) -> None:
        file.write_bytes(base64.b64decode(self("Page.captureScreenshot", captureBeyondViewport=True)["data"]))


@contextlib.contextmanager
def opened(folder: pathlib.Path) -> Iterator[Page]:
    """A browser whose profile lies in `folder`; it ends with the block."""
    assert PROGRAM
    to_browser, from_browser = os.pipe(), os.pipe()
    run_as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [
        PROGRAM,
        "--headless",
        "--disable-gpu",
        "--mute-audio",
        "--autoplay-policy=no-user-gesture-required",
        *run_as_root,
        f"--user-data-dir={folder}",
        "--remote-debugging-pipe",
    ]
    plumbed = f'exec 3<&{to_browser[0]} 4>&{from_browser[1]}; exec "$@"'
    browser = subprocess.Popen(
        ["bash", "-c", plumbed, "bash", *command, *run_as_root], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, pass_fds=(to_browser[0], from_browser[1]),
    )  # fmt: skip
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        with os.fdopen(to_browser[1], "wb") as commands, os.fdopen(from_browser[0], "rb") as answers:
            yield Page(commands, answers)
    finally:
        browser.terminate()
        browser.wait(30)


def axe(folder: pathlib.Path) -> str | None:
    """axe-core as npm has it; None where there is no npm or no registry."""
    try:
        command = ["npm", "install", "--silent", "--no-audit", "--prefix", str(folder), "axe-core@4"]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError):
        return None
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


def serious_faults(tab: Page, checker: str) -> list[list[Any]]:
    """What axe-core calls serious or critical of the page that is open: impact, rule, the first elements."""
    tab.run(f"{checker}; 0")
    faults = "found.violations.map((each) => [each.impact, each.id, each.nodes.slice(0, 3).map((n) => n.html)])"
    found = tab.run(f"axe.run().then((found) => {faults})")
    return [fault for fault in found if fault[0] in ("serious", "critical")]
