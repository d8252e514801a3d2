"""Stands for whoever is called by MUSAI_ALERT: one JSON line an alert."""

import json
import os
import pathlib
from typing import Any


def write(alert: dict[str, Any]) -> None:
    with pathlib.Path(os.environ["ALERTS"]).open("a", encoding="utf-8") as alerts:
        print(json.dumps(alert), file=alerts)
