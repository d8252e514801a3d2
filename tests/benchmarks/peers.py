"""The peers on the published splits, each in its own environment, tuned with one budget: `make bench-peers`.

    python tests/benchmarks/peers.py [SPLIT ...] [PEER ...] [minutes=15] [threads=N] [KEY=VALUE ...]

Peers: ours, implicit, rectools, replay, irspack; `ours` is `splits.py tuned` with tuning.minutes and the KEY=VALUE.
A peer searches its models and settings on a part of train for the minutes (peer_runners/search.py), is killed with the
trial that is under way then, and fits the best on all of train. Each row is kept in var/accuracy/<split>/<peer>, so
that a sitting that was broken off goes on where it was; other code of a runner or another lock begins that peer anew.

The environments are made in var/peers/<peer> from peer_runners/<peer>.txt, which pins every package by hash for
Python 3.11 on Linux (`python tests/benchmarks/peers.py lock` writes them from <peer>.in). They are for this comparison
alone: nothing in them ships. RePlay wants Java 17. The splits and the scorer are those of splits.py.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import Any

from tests.benchmarks import peak, splits
from tests.benchmarks.peer_runners import search

PEERS = {"implicit": "implicit", "rectools": "rectools", "replay": "replay-rec", "irspack": "irspack"}  # their packages
RUNNERS = pathlib.Path(__file__).parent / "peer_runners"
ENVIRONMENTS = pathlib.Path("var/peers")
UV = pathlib.Path(sys.executable).parent / "uv"
PYTHON = "3.11"


def lock(peer: str) -> None:
    """Write peer_runners/<peer>.txt anew from <peer>.in."""
    plain = ["--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links"]
    given = ["--python-version", PYTHON, "--python-platform", "x86_64-manylinux_2_28", "--generate-hashes", *plain]
    command = [
        UV,
        "pip",
        "compile",
        "--quiet",
        *given,
        RUNNERS / f"{peer}.in",
        "--output-file",
        RUNNERS / f"{peer}.txt",
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def environment(peer: str) -> pathlib.Path:
    """The Python of the peer's environment, which is made where it is not that of the lock."""
    pinned, folder = RUNNERS / f"{peer}.txt", ENVIRONMENTS / peer
    python, made_from = folder / "bin/python", folder / "made_from.txt"
    if not made_from.exists() or made_from.read_text() != pinned.read_text():
        print(f"Making {folder} from {pinned.name}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([UV, "venv", "--quiet", "--python", PYTHON, folder], check=True)
        given = ["--python", python, "--require-hashes", "--requirement", pinned]
        install = [UV, "pip", "install", "--quiet", "--compile-bytecode", *given]  # compiling is not tuning
        subprocess.run(install, check=True)
        shutil.copy(pinned, made_from)
    return python


def version(peer: str) -> str:
    found = re.search(rf"^{PEERS[peer]}==(\S+)", (RUNNERS / f"{peer}.txt").read_text(), re.MULTILINE)
    assert found, peer
    return found[1]


def compare(split: str, peer: str, minutes: float, threads: int) -> None:
    """Print the rows of a peer on `split`: tuning, then fit and lists with their figures."""
    k, data, folder = (
        splits.PUBLISHED[split][0],
        splits.SHARED / "data/interactions" / split,
        splits.KEPT / split / peer,
    )
    folder.mkdir(parents=True, exist_ok=True)
    splits.convert(data / "train.txt", folder / "train.csv")
    sources = [RUNNERS / name for name in ("search.py", f"{peer}.py", f"{peer}.txt")]
    code = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    settings = [f"k={k}", f"threads={threads}", f"minutes={minutes:g}"]
    name = f"{peer} {version(peer)}"
    for command, stage in (("tune", f"{name}, tuning"), ("fit", f"{name}, fit and lists")):
        same = {"stage": stage, "settings": settings, "code": code}
        row = splits.kept(folder, same)
        if row is None:
            limit_s = 60 * minutes if command == "tune" else 3600.0
            row = _run(same, peer, command, folder, limit_s)
            if row is None:
                return
            if command == "fit":
                row["recall"], row["ndcg"] = splits.score(folder / "lists.parquet", data / "test.txt", k)
            splits.keep(folder, row)
        splits.show(row)
        if command == "tune":
            print("    {trials} trials, the best {model} {best}: NDCG {valid:.4f} on a part of train".format_map(row))


def _run(same: dict[str, Any], peer: str, command: str, folder: pathlib.Path, limit_s: float) -> dict[str, Any] | None:
    """The row of a stage; None, with a line that says why, where it failed."""
    words = [command, str(folder / "train.csv"), str(folder), *same["settings"]]
    runner = [str(environment(peer)), "-W", "ignore", "-m", f"tests.benchmarks.peer_runners.{peer}", *words]
    seconds, gib, status = peak.measured(runner, subprocess.DEVNULL, every_s=1, limit_s=limit_s)
    over = status == -9 and seconds > limit_s
    tried = search.trials(folder)
    if not tried or (status and not (over and command == "tune")):
        print(f"  {same['stage']:<36} no figure: {'out of time' if over else f'exit {status}'}", flush=True)
        return None
    row = {**same, "seconds": seconds, "gib": gib}
    if command == "tune":
        best = max(tried, key=lambda trial: trial["ndcg"])
        row |= {"trials": len(tried), "model": best["model"], "best": best["settings"], "valid": best["ndcg"]}
    return row


def main() -> None:
    words = [word for word in sys.argv[1:] if "=" not in word]
    given = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    minutes, threads = float(given.pop("minutes", 15)), int(given.pop("threads", os.cpu_count() or 1))
    asked = [word for word in words if word in ("ours", *PEERS)]
    if words == ["lock"]:
        for peer in PEERS:
            lock(peer)
        return
    if unknown := {*words} - {*asked} - {*splits.PUBLISHED}:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}\n\n{__doc__}")
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    for split in [word for word in words if word in splits.PUBLISHED] or splits.PUBLISHED:
        print(f"{split} @{splits.PUBLISHED[split][0]}, {minutes:g} minutes of tuning, {threads} threads", flush=True)
        for peer in [peer for peer in asked or PEERS if peer in PEERS]:
            compare(split, peer, minutes, threads)
        if not asked or "ours" in asked:
            settings = [f"{name}={value}" for name, value in given.items()]
            splits.accuracy(split, [f"tuning.minutes={minutes:g}", f"spark.master=local[{threads},4]", *settings], True)


if __name__ == "__main__":
    main()
