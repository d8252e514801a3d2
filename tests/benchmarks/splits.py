"""Published splits (`user item item ...` a line) as inputs of the nightly, and the score of what it publishes.

    python tests/benchmarks/splits.py convert TRAIN.txt OUT.csv     user_id,track_id rows
    python tests/benchmarks/splits.py accuracy [SPLIT ...] [KEY=VALUE ...]     one nightly a split, scored
    python tests/benchmarks/splits.py tuned [SPLIT ...] [KEY=VALUE ...]        that, then tune_recommender and another

`make bench-accuracy` is the last on every split. Each row is kept in var/accuracy/<split>, with a warehouse for each
version of the code and KEY=VALUEs, so that a sitting that was broken off goes on where it was; others begin anew. The
seconds of a tuning that was broken off are those of all its sittings. Only train.txt is an input.

It wants the splits under $MUSAI_SHARED/data/interactions (default ../shared); the scorer there is independent
of MusAI's own metrics.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

from musai.provenance import code_version
from tests.benchmarks import peak

SHARED = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared"))
PUBLISHED = {  # split: (k, rows of recall / NDCG, from the papers' own tables)
    "lightgcnpp_lastfm": (10, {"LightGCN++": (0.1889, 0.2171), "NCL++": (0.1894, 0.2177), "goal": (0.205, 0.235)}),
    "amazon_cds_m1": (20, {"SimpleX": (0.1763, 0.1145), "UltraGCN": (0.1622, 0.1043), "goal": (0.185, 0.122)}),
    "gowalla_m1": (20, {"SimpleX": (0.1872, 0.1557), "UltraGCN": (0.1862, 0.1580), "goal": (0.197, 0.164)}),
}
UNTUNED = {"lightgcnpp_lastfm": (0.164, 0.190), "amazon_cds_m1": (0.150, 0.102), "gowalla_m1": (0.144, 0.118)}

KEPT = pathlib.Path("var/accuracy")
NOT_EVALUATED = (
    "evaluation.min_tracks=1000000000"  # the held-out evaluation fits all once more; the scorer measures here
)
STAGES = [
    ("MusAI, settings of base.yaml", ["nightly", NOT_EVALUATED]),
    ("tuning on a part of train", ["run", "tune_recommender", NOT_EVALUATED]),
    ("MusAI, tuned on a part of train", ["nightly", NOT_EVALUATED]),
]


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
    k = PUBLISHED[split][0]
    data, folder = SHARED / "data/interactions" / split, KEPT / split
    folder.mkdir(parents=True, exist_ok=True)
    convert(data / "train.txt", folder / "train.csv")
    warehouse = warehouse_of(folder, settings)
    given = [f"warehouse={warehouse}", f"inputs.interactions={folder / 'train.csv'}", *settings]
    heading(split)
    for stage, words in STAGES if tuned else STAGES[:1]:
        same = {"stage": stage, "settings": settings, "code": code_version()}
        show(kept(folder, same) or _done(same, [*words, *given], folder, warehouse, data / "test.txt", k))


def warehouse_of(folder: pathlib.Path, settings: list[str]) -> pathlib.Path:
    """A night of one configuration must not go on with what another one has tuned."""
    key = hashlib.sha256(json.dumps([settings, code_version()]).encode()).hexdigest()[:12]
    return folder / f"warehouse-{key}"


def heading(split: str) -> None:
    k, published = PUBLISHED[split]
    print(f"{split} @{k}", flush=True)
    for name, (recall, ndcg) in {"untuned co-occurrence": UNTUNED[split], **published}.items():
        print(f"  {name:<36} recall {recall:.4f}  NDCG {ndcg:.4f}", flush=True)


def show(row: dict[str, Any]) -> None:
    figures = "recall {recall:.4f}  NDCG {ndcg:.4f}".format_map(row) if "recall" in row else " " * 28
    print(f"  {row['stage']:<36} {figures}  {row['seconds']:.0f} s, peak {row['gib']:.2f} GiB", flush=True)


def kept(folder: pathlib.Path, same: dict[str, Any]) -> dict[str, Any] | None:
    """The row of an earlier sitting that is alike in this."""
    file = folder / "rows.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return next((row for row in rows if row.items() >= same.items()), None)


def keep(folder: pathlib.Path, row: dict[str, Any]) -> dict[str, Any]:
    with (folder / "rows.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    return row


def _done(
    same: dict[str, Any], words: list[str], folder: pathlib.Path, warehouse: pathlib.Path, test: pathlib.Path, k: int
) -> dict[str, Any]:
    """Run a stage and keep its row."""
    stage = same["stage"]
    if stage == STAGES[0][0]:
        shutil.rmtree(warehouse, ignore_errors=True)
    before = _tried_s(warehouse) if words[0] == "run" else 0.0
    seconds, gib, status = peak.measured([sys.executable, "-m", "musai", *words], subprocess.DEVNULL, every_s=1)
    if status:
        sys.exit(f"{stage}: musai {' '.join(words)} ended with exit {status}")
    row = {**same, "seconds": before + seconds, "gib": gib}
    if words[0] == "nightly":
        pointer = json.loads((warehouse / "_published.json").read_text())
        row["recall"], row["ndcg"] = score(warehouse / pointer["tables"]["recommendations"]["path"], test, k)
    return keep(folder, row)


def _tried_s(warehouse: pathlib.Path) -> float:
    """Seconds of the trials that earlier sittings have left in the journal."""
    return sum(json.loads(file.read_text())["seconds"] for file in warehouse.glob("_nights/*/trials/*/*.json"))


def score(lists: pathlib.Path, test: pathlib.Path, k: int) -> tuple[float, float]:
    """(recall, NDCG) of a recommendations table at k."""
    scorer = [sys.executable, SHARED / "tools/score_recommendations.py", lists, test, "--k", str(k)]
    said = json.loads(subprocess.run(scorer, check=True, capture_output=True, text=True).stdout)
    return said[f"@{k}"]["recall"], said[f"@{k}"]["ndcg"]


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
