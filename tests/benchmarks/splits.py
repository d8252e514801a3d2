"""Published splits (`user item item ...` a line) as inputs of the nightly, and the score of what it publishes.

    python tests/benchmarks/splits.py convert TRAIN.txt OUT.csv     user_id,track_id rows
    python tests/benchmarks/splits.py accuracy [SPLIT ...] [KEY=VALUE ...]     one nightly a split, scored
    python tests/benchmarks/splits.py tuned [SPLIT ...] [KEY=VALUE ...]        that, then tune_recommender and another

`make bench-accuracy` is the second on every split.

It wants the splits under $MUSAI_SHARED/data/interactions (default ../shared); the scorer there is independent
of MusAI's own metrics.
"""

from __future__ import annotations

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

SHARED = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared"))
PUBLISHED = {  # split: (k, rows of recall / NDCG, from the papers' own tables)
    "lightgcnpp_lastfm": (10, {"LightGCN++": (0.1889, 0.2171), "NCL++": (0.1894, 0.2177), "goal": (0.205, 0.235)}),
    "amazon_cds_m1": (20, {"SimpleX": (0.1763, 0.1145), "UltraGCN": (0.1622, 0.1043), "goal": (0.185, 0.122)}),
    "gowalla_m1": (20, {"SimpleX": (0.1872, 0.1557), "UltraGCN": (0.1862, 0.1580), "goal": (0.197, 0.164)}),
}
UNTUNED = {"lightgcnpp_lastfm": (0.164, 0.190), "amazon_cds_m1": (0.150, 0.102), "gowalla_m1": (0.144, 0.118)}


def convert(train: pathlib.Path, out: pathlib.Path) -> int:
    """Write one row a pair; returns the number of rows."""
    rows = 0
    with train.open(encoding="utf-8") as lines, out.open("w", encoding="utf-8") as file:
        file.write("user_id,track_id\n")
        for line in lines:
            user, *items = line.split() or [""]
            file.writelines(f"{user},{item}\n" for item in items)
            rows += len(items)
    return rows


def accuracy(split: str, settings: list[str], tuned: bool) -> None:
    """Print the figures, seconds and memory of a night on `split`; tuned: and of one after `tune_recommender`."""
    k, published = PUBLISHED[split]
    data = SHARED / "data/interactions" / split
    rows: dict[str, tuple[float, float]] = {"untuned co-occurrence": UNTUNED[split], **published}
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "train.csv"
        convert(data / "train.txt", log)
        warehouse = pathlib.Path(folder) / "warehouse"
        given = [f"warehouse={warehouse}", f"inputs.interactions={log}", *settings]
        print(f"{split} @{k}", flush=True)
        _timed("night", ["nightly", *given])
        rows["MusAI, settings of base.yaml"] = _score(warehouse, data / "test.txt", k)
        if tuned:
            _timed("tuning", ["run", "tune_recommender", *given])
            _timed("night with its settings", ["nightly", *given])
            rows["MusAI, tuned on a part of train"] = _score(warehouse, data / "test.txt", k)
    for name, (recall, ndcg) in rows.items():
        print(f"  {name:<32} recall {recall:.4f}  NDCG {ndcg:.4f}", flush=True)


def _timed(name: str, words: list[str]) -> None:
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "musai", *words], check=True, stdout=subprocess.DEVNULL)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"  {name}: {time.monotonic() - started:.0f} s, largest process so far {peak:.1f} GiB", flush=True)


def _score(warehouse: pathlib.Path, test: pathlib.Path, k: int) -> tuple[float, float]:
    """(recall, NDCG) of the published lists at k."""
    pointer = json.loads((warehouse / "_published.json").read_text())
    lists = warehouse / pointer["tables"]["recommendations"]["path"]
    scorer = [sys.executable, SHARED / "tools/score_recommendations.py", lists, test, "--k", str(k)]
    score = json.loads(subprocess.run(scorer, check=True, capture_output=True, text=True).stdout)
    return score[f"@{k}"]["recall"], score[f"@{k}"]["ndcg"]


def main() -> None:
    command, *words = sys.argv[1:] or ["help"]
    if command == "convert" and len(words) == 2:
        print(convert(pathlib.Path(words[0]), pathlib.Path(words[1])), "rows")
    elif command in ("accuracy", "tuned"):
        settings = [word for word in words if "=" in word]
        for split in [word for word in words if "=" not in word] or PUBLISHED:
            accuracy(split, settings, command == "tuned")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
