"""Who may import what, where import-linter's contracts (pyproject.toml) cannot say it.

Every file is read, not run, and an import inside a function or under TYPE_CHECKING counts like any other. What a DAG
loads is followed through us as Python would: module-level imports only, parent packages included.
"""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator
from fnmatch import fnmatch

import pytest

from musai import tables

ROOT = pathlib.Path(__file__).parents[1]

# A package, and the only files that may import it (fnmatch on the path; * crosses folders).
ONLY_IN = {
    "pyspark": [
        "musai/session.py",
        "musai/warehouse.py",
        "musai/warehouse/*.py",
        "musai/pipeline.py",
        "musai/pipeline/*.py",
        "musai/steps/*.py",
        "musai/reading.py",
        "musai/*/spark.py",
        "musai/inputs/splits.py",  # reads what Spark's plan will do
        "musai/ranking/made_for_you.py",  # is SQL
    ],
    "torch": [
        *("musai/embedding/*.py", "musai/emotion/*.py", "musai/generation/*.py", "musai/*/torch_*.py"),
        "musai/devices.py",
        "musai/demo/make_*.py",  # train what ships; no night imports them
    ],
    "airflow": ["dags/*.py"],
    "jobs": [],
    "dags": ["dags/*.py"],
}
NOT_IN_A_DAG = ("pyspark", "py4j", "torch", "numpy", "pandas", "pyarrow", "scipy", "implicit")
FOLDERS = ("musai", "jobs", "dags")


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The full names that a file imports, and the line; `from a import b` gives a.b, for b may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "." * node.level + (node.module or ""), node.lineno
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def imports_on_loading(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Those that happen when the file is loaded: not in functions, not under `if TYPE_CHECKING`."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)
        elif hasattr(node, "body"):
            only_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
            blocks = [
                *([] if only_types else node.body),
                *getattr(node, "orelse", []),
                *getattr(node, "finalbody", []),
                *(line for handler in getattr(node, "handlers", []) for line in handler.body),
            ]
            yield from imports_on_loading(ast.Module(body=blocks, type_ignores=[]))


def violations(root: pathlib.Path) -> list[str]:
    """A line for each import that breaks a rule, in the project at `root`."""
    found = []
    for path in sorted(file for folder in FOLDERS for file in (root / folder).rglob("*.py")):
        name = path.relative_to(root).as_posix()
        for imported, line in imports(ast.parse(path.read_text(encoding="utf-8"), name)):
            top = imported.split(".")[0]
            if not top:
                found.append(f"{name}:{line} imports relatively")
            elif top in ONLY_IN and not any(fnmatch(name, pattern) for pattern in ONLY_IN[top]):
                found.append(f"{name}:{line} imports {top}")
        if name.startswith("dags/"):
            found += [f"{name} loads {' -> '.join(chain)}" for chain in loaded(root, path)]
    return found


def loaded(root: pathlib.Path, dag: pathlib.Path) -> Iterator[list[str]]:
    """The heavy packages that a DAG loads, each with the chain of our modules on the way."""
    waiting: list[tuple[pathlib.Path, list[str]]] = [(dag, [])]
    seen = {dag}
    while waiting:
        path, chain = waiting.pop(0)
        for imported, _ in imports_on_loading(ast.parse(path.read_text(encoding="utf-8"))):
            parts = imported.split(".")
            if parts[0] in NOT_IN_A_DAG:
                yield [*chain, parts[0]]
            for length in range(1, len(parts) + 1):
                file = _file_of(root, parts[:length])
                if file and file not in seen:
                    seen.add(file)
                    waiting.append((file, [*chain, ".".join(parts[:length])]))


def _file_of(root: pathlib.Path, parts: list[str]) -> pathlib.Path | None:
    if parts[0] not in FOLDERS:
        return None
    base = root.joinpath(*parts)
    return next((file for file in (base / "__init__.py", base.with_suffix(".py")) if file.is_file()), None)


def test_this_project() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize("job", tables.order())
def test_no_job_of_a_night_loads_torch_before_it_knows_that_it_needs_it(job: str) -> None:
    chains = loaded(ROOT, ROOT / "musai" / "steps" / f"{job}.py")
    assert [chain for chain in chains if chain[-1] == "torch"] == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"musai/session.py": "from pyspark.sql import SparkSession"}, []),
        ({"musai/similarity/spark.py": "import pyspark"}, []),
        ({"musai/steps/train_als.py": "import pyspark.sql.functions as F"}, []),
        ({"musai/similarity/cosine.py": "import os\nimport pyspark"}, ["musai/similarity/cosine.py:2 imports pyspark"]),
        ({"jobs/a.py": "import pyspark"}, ["jobs/a.py:1 imports pyspark"]),
        ({"musai/spark.py": "import pyspark"}, ["musai/spark.py:1 imports pyspark"]),
        (
            {"musai/similarity/cosine.py": "def f():\n    from pyspark.sql import functions"},
            ["musai/similarity/cosine.py:2 imports pyspark"],
        ),
        ({"musai/emotion/words.py": "import torch", "musai/music/torch_roll.py": "import torch"}, []),
        ({"musai/music/roll.py": "from torch import nn"}, ["musai/music/roll.py:1 imports torch"]),
        ({"dags/nightly.py": "from airflow.sdk import DAG\nfrom dags.common import x", "dags/common.py": "x = 1"}, []),
        ({"musai/tables.py": "import airflow"}, ["musai/tables.py:1 imports airflow"]),
        ({"musai/cli.py": "from jobs import train_als"}, ["musai/cli.py:1 imports jobs"]),
        ({"jobs/a.py": "from dags import nightly"}, ["jobs/a.py:1 imports dags"]),
        ({"dags/nightly.py": "import jobs.a", "jobs/a.py": ""}, ["dags/nightly.py:1 imports jobs"]),
        ({"jobs/a.py": "import jobs.b"}, ["jobs/a.py:1 imports jobs"]),
        ({"musai/cli.py": "from . import tables"}, ["musai/cli.py:1 imports relatively"]),
        (
            {"dags/nightly.py": "import numpy as np"},
            ["dags/nightly.py loads numpy"],
        ),
        (
            {
                "dags/nightly.py": "from musai import tables",
                "musai/__init__.py": "",
                "musai/tables.py": "import musai.config",
                "musai/config.py": "try:\n    import pandas\nexcept ImportError:\n    pass",
            },
            ["dags/nightly.py loads musai.tables -> musai.config -> pandas"],
        ),
        (
            {
                "dags/nightly.py": "from musai.tables import TABLES",
                "musai/__init__.py": "import scipy",
                "musai/tables.py": "",
            },
            ["dags/nightly.py loads musai -> scipy"],
        ),
        (
            {
                "dags/nightly.py": "from musai import tables",
                "musai/tables.py": (
                    "from typing import TYPE_CHECKING\n"
                    "if TYPE_CHECKING:\n    import pandas\n"
                    "def f():\n    import numpy\n"
                ),
            },
            [],
        ),
    ],
)
def test_a_small_project(tmp_path: pathlib.Path, files: dict[str, str], expected: list[str]) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert violations(tmp_path) == expected
