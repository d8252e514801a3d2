"""README against the code: it names every job, table and target that there is, and no key that there is not."""

from __future__ import annotations

import pathlib
import re

from musai import tables
from musai.config import load

ROOT = pathlib.Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
WORDS = set(re.findall(r"[a-z_]+", TEXT))


def test_every_job_and_every_published_table_is_named() -> None:
    weekly = re.search(r"`?train_\*`?", TEXT) is not None
    jobs = [job for job in (*tables.order(), *tables.weekly()) if not (weekly and job.startswith("train_"))]
    published = [name for name, table in tables.TABLES.items() if table.kind in ("nightly", "history")]
    assert [name for name in (*jobs, *published) if name not in WORDS] == []


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z-]+)", TEXT, re.MULTILINE))
    assert {name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()
    assert {"nightly", "test", "airflow", "bundle"} <= named


def test_every_key_that_is_named_exists() -> None:
    config = load()
    sections = set(type(config).model_fields)
    wrong = []
    for key in re.findall(r"`([a-z]+\.[a-z_]+)", TEXT):
        section, name = key.split(".")
        if section in sections - {"spark"} and not hasattr(getattr(config, section), name):  # spark.* are Spark's own
            wrong.append(key)
    assert wrong == []
