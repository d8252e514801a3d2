"""README and docs/ as lists of the commands and the code that stand in them."""

from __future__ import annotations

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"(?:<!-- runs: (?P<runs>\w+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)
INLINE = re.compile(r"`((?:musai|make|python|pytest|airflow|spark-submit|pip) [^`]+)`")
STARTS = ("musai", "make", "python", "spark-submit", "javac", "jar", "mkdir", "cat", ".", "spark=")


def blocks(page: pathlib.Path, language: str, runs: str | None = None) -> list[str]:
    """The fenced texts of a language; with `runs`, those that are marked as parts of that example."""
    found = FENCED.finditer(page.read_text(encoding="utf-8"))
    return [one["text"] for one in found if one["language"] == language and runs in (None, one["runs"])]


def marked(page: pathlib.Path) -> set[str]:
    """The shell texts that a test runs as they stand."""
    found = FENCED.finditer(page.read_text(encoding="utf-8"))
    return {one["text"] for one in found if one["language"] == "sh" and one["runs"]}


def commands(page: pathlib.Path) -> list[str]:
    """Each command once: lines of shell texts that no test runs as they stand, and commands within the sentences."""
    found = []
    for text in blocks(page, "sh"):
        if text not in marked(page):
            joined = re.sub(r"<<'(\w+)'\n.*?\n\1\n", "<<\n", text, flags=re.DOTALL).replace("\\\n", " ")
            found += [line.split("  #")[0].strip() for line in joined.splitlines() if line.strip()]
    sentences = FENCED.sub("", page.read_text(encoding="utf-8")).replace("\n", " ")
    found += [re.sub(r"\s+", " ", one) for one in INLINE.findall(sentences)]
    return list(dict.fromkeys(re.sub(r"\s+", " ", one) for one in found))
