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
import json
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
KILLED = -9  # at the end of the minutes
FIT_S = 3600  # of the best on all of train


def lock(peer: str) -> None:
    """Write peer_runners/<peer>.txt anew from <peer>.in."""
    plain = ["--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links"]
    given = ["--python-version", PYTHON, "--python-platform", "x86_64-manylinux_2_28", "--generate-hashes", *plain]
    files = [str(RUNNERS / f"{peer}.in"), "--output-file", str(RUNNERS / f"{peer}.txt")]
    subprocess.run([str(UV), "pip", "compile", "--quiet", *given, *files], check=True, stdout=subprocess.DEVNULL)


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
    """Print the rows of a peer on `split`: tuning, then fit and lists with their figures; a line where one failed."""
    k, data = splits.PUBLISHED[split][0], splits.SHARED / "data/interactions" / split
    folder = splits.KEPT / split / peer
    folder.mkdir(parents=True, exist_ok=True)
    splits.convert(data / "train.txt", folder / "train.csv")
    sources = [RUNNERS / name for name in ("search.py", f"{peer}.py", f"{peer}.txt")]
    same = {
        "settings": [f"k={k}", f"threads={threads}", f"minutes={minutes:g}"],
        "code": hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12],
    }
    tuning = same | {"stage": f"{peer} {version(peer)}, tuning"}
    row = splits.kept(folder, tuning)
    if row is None:
        (folder / search.TRIALS).unlink(missing_ok=True)
        row = tuning | _run(peer, "tune", folder, same["settings"], 60 * minutes)
        trials = search.trials(folder)
        if not trials or row["status"] not in (0, KILLED):
            print(f"  {row['stage']:<36} no figure: {len(trials)} trials, exit {row['status']}", flush=True)
            return
        row |= {"trials": len(trials), "best": max(trials, key=lambda trial: trial["ndcg"])}
        splits.keep(folder, row)
    splits.show(row)
    best = row["best"]
    print(
        f"    {row['trials']} trials; {best['model']} {best['settings']}: {best['ndcg']:.4f} on a part of train",
        flush=True,
    )
    (folder / search.BEST).write_text(json.dumps(best))
    lists = same | {"stage": f"{peer} {version(peer)}, fit and lists"}
    row = splits.kept(folder, lists)
    if row is None:
        row = lists | _run(peer, "fit", folder, same["settings"], FIT_S)
        if row["status"]:
            print(f"  {row['stage']:<36} no figure: exit {row['status']}", flush=True)
            return
        row["recall"], row["ndcg"] = splits.score(folder / search.LISTS, data / "test.txt", k)
        splits.keep(folder, row)
    splits.show(row)


def _run(peer: str, command: str, folder: pathlib.Path, settings: list[str], limit_s: float) -> dict[str, Any]:
    """Seconds, memory and exit status of a command of the peer's runner."""
    words = [command, str(folder / "train.csv"), str(folder), *settings]
    runner = [str(environment(peer)), "-W", "ignore", "-m", f"tests.benchmarks.peer_runners.{peer}", *words]
    seconds, gib, status = peak.measured(runner, subprocess.DEVNULL, every_s=1, limit_s=limit_s)
    return {"seconds": seconds, "gib": gib, "status": status}


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
    settings = [f"tuning.minutes={minutes:g}", f"spark.master=local[{threads},4]"]
    settings += [f"{name}={value}" for name, value in given.items()]
    for split in [word for word in words if word in splits.PUBLISHED] or splits.PUBLISHED:
        print(f"{minutes:g} minutes of tuning, {threads} threads", flush=True)
        if not asked or "ours" in asked:
            splits.accuracy(split, settings, tuned=True)
        else:
            splits.heading(split)
        for peer in [peer for peer in PEERS if not asked or peer in asked]:
            compare(split, peer, minutes, threads)


if __name__ == "__main__":
    main()
