"""Times beside their yardsticks, measured in turns in one run: python tests/benchmarks/speed.py [WHAT ...]

    topn            100 of 50,000 tracks for 20,000 listeners, 128 factors, heard tracks left out (ALS alone), beside
                    the bare product in blocks of 2,048 listeners and of as many as ours, and `implicit`'s recommend;
                    and with the rows written to Parquet as a task of the night does
    mllib           the same for 20,000 x 5,000 x 64, beside MLlib's recommendForAllUsers on the same factors' shape and
                    (where `peers.py` has made its environment) RePlay's ALSWrap, which leaves heard tracks out too; it
                    shuffles gigabytes, and gets 2,048 listeners where less than 60 GB are free for temporary files
    matrix          Parquet -> CSR, 10 million entries, one core, and its peak over the CSR's own bytes
    similarities    cosine neighbours, 50 a track, 5 million pairs
    als             64 factors, 15 sweeps, 5 million pairs, exponent 0 (what `implicit` does too)
    midi            notes of songs: POP909 in $MUSAI_SHARED/data/music, else the demo's short ones (`musai demo-data
                    var/demo`)
    night PLAYS     the whole nightly on a synthetic log against tests/benchmarks/plain.py; a small night before it
                    compiles the loops, which then are in the cache
    growth P Q ...  the nightly on logs of P, Q, ... plays: the slope of log time over log plays, and their memory

Without a name: all but mllib and the last two. Ratios are medians of three pairs.
"""

from __future__ import annotations

import concurrent.futures
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
import threadpoolctl

from musai import config as configuration
from musai.factorization import als
from musai.matrix.reading import read_matrix
from musai.ranking import blocks, rows
from musai.ranking.models import Models
from musai.similarity import neighbours
from musai.tables import TABLES
from musai.warehouse import task_files
from musai.warehouse.task_files import Place
from tests.benchmarks import logs, ranking, sizing

CORES = os.cpu_count() or 1
HERE = pathlib.Path(__file__).parent
REPLAY_BLOCKS, REPLAY_BYTES = 4, 60e9  # blocks where the disk has less than this for RePlay's shuffle of all of them
KINDS = {"string": pa.string(), "int": pa.int32(), "float": pa.float32()}
ROWS = pa.schema([(column.name, KINDS[column.type]) for column in TABLES["recommendations"].columns])
# What plain.py does, and nothing beside: one method, ALS alone, no content, creation or evaluation.
SAME = (
    "similarity.track_methods=[cosine]", "similarity.user_methods=[]", "recommend.blend={als: 1}", "seed=1",
    "recommend.lists=[for_you]", "generation.tracks=0", "evaluation.min_tracks=1000000000",
    "factorization.regularization_exponent=0", "factorization.regularization=0.01", "factorization.alpha=1",
    "factorization.factors=64",
)  # fmt: skip


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def told(what: str, yardstick: str, ours: float, theirs: float, goal: str) -> None:
    print(
        f"{what:34} {ours:9.2f} s  {yardstick:34} {theirs:9.2f} s  ratio {ours / theirs:6.3f}  (goal {goal})",
        flush=True,
    )


def pairs(what: str, yardstick: str, ours: Callable[[], object], theirs: Callable[[], object], goal: str) -> None:
    """Three pairs in turns, after one that warms up and compiles; the pair of the median ratio."""
    ours(), theirs()
    found = sorted(((seconds(ours), seconds(theirs)) for _ in range(3)), key=lambda pair: pair[0] / pair[1])
    told(what, yardstick, *found[1], goal)


def topn(users: int = 20_000, tracks: int = 50_000, factors: int = 128) -> None:
    from implicit.cpu.als import AlternatingLeastSquares

    rng = np.random.default_rng(0)
    made, share = ranking.models_of(tracks, rng, factors)
    parts = [ranking.block_of(blocks.MAX_BLOCK, share, rng, factors) for _ in range(users // blocks.MAX_BLOCK)]
    vectors = np.concatenate([part.factors for part in parts if part.factors is not None])
    lists = blocks.Lists(100, ("for_you",), {blocks.ALS: 1.0}, 0)
    assert made.factors is not None
    of_tracks = np.ascontiguousarray(made.factors.T)
    rooms = [np.empty((blocks.MAX_BLOCK, tracks), np.float32) for _ in range(CORES)]

    def mine() -> None:
        on_all_cores(parts, made, lists, rooms)

    def written() -> None:
        """Each thread a file, as each task of the night."""
        with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(CORES) as pool:
            places = {"recommendations": Place(folder, ROWS)}

            def task(n: int) -> None:
                batches = (rows.ranked(one, made, lists, rooms[n]) for one in parts[n::CORES])
                list(task_files.stored((("recommendations", batch) for batch in batches), places, n))

            list(pool.map(task, range(CORES)))

    def product(users: int) -> Callable[[], None]:
        whole = np.empty((users, tracks), np.float32)

        def multiply() -> None:
            for start in range(0, len(vectors), users):
                part = vectors[start : start + users]
                np.matmul(part, of_tracks, out=whole[: len(part)])

        return multiply

    theirs = AlternatingLeastSquares(factors=factors)
    theirs.user_factors, theirs.item_factors = vectors, made.factors
    heard = sp.vstack([csr_of(part, tracks) for part in parts], format="csr")

    def recommended() -> None:
        for start in range(0, len(vectors), 4096):
            users = np.arange(start, min(start + 4096, len(vectors)))
            theirs.recommend(users, heard[users], N=100, filter_already_liked_items=True)

    pairs("top-100", "the bare product, blocks of 2,048", mine, product(2048), "<= 1.25")
    pairs("top-100", f"the same, blocks of {blocks.MAX_BLOCK}", mine, product(blocks.MAX_BLOCK), "<= 1.25")
    pairs("top-100", "implicit's recommend", mine, recommended, "<= 1 / 1.8")
    pairs("top-100, Parquet written", "the bare product, blocks of 2,048", written, product(2048), "<= 1.4")


def mllib(users: int = 20_000, tracks: int = 5_000, factors: int = 64) -> None:
    """Factors of the same shape; MLlib's come of one sweep over the same pairs, for only the lists are timed."""
    rng = np.random.default_rng(0)
    made, share = ranking.models_of(tracks, rng, factors)
    parts = [ranking.block_of(blocks.MAX_BLOCK, share, rng, factors) for _ in range(users // blocks.MAX_BLOCK)]
    lists = blocks.Lists(100, ("for_you",), {blocks.ALS: 1.0}, 0)
    rooms = [np.empty((blocks.MAX_BLOCK, tracks), np.float32) for _ in range(CORES)]

    def mine(some: list[blocks.Block]) -> None:
        on_all_cores(some, made, lists, rooms)

    mine(parts)
    own = pathlib.Path("var/peers/replay/bin/python")
    room_for_all = shutil.disk_usage(tempfile.gettempdir()).free >= REPLAY_BYTES
    shuffled = parts if room_for_all else parts[:REPLAY_BLOCKS]
    for name, python, some in (("mllib", pathlib.Path(sys.executable), parts), ("replay", own, shuffled)):
        if not python.exists():
            print(f"{name}: {python} is not there (tests/benchmarks/peers.py makes it)")
            continue
        ours = min(seconds(lambda some=some: mine(some)) for _ in range(3))
        heard = sp.vstack([csr_of(part, tracks) for part in some], format="coo")
        with tempfile.TemporaryDirectory() as folder:
            pairs_of = {"user_id": pa.array(heard.row, pa.int32()), "item_id": pa.array(heard.col, pa.int32())}
            pq.write_table(pa.table(pairs_of), f"{folder}/pairs.parquet")
            command = [str(python), "-W", "ignore", str(HERE / "spark_lists.py"), name, folder, str(factors)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            goal = {"mllib": "<= 1 / 25", "replay": "<= 1 / 100"}[name]
            what = f"{heard.shape[0]:,} listeners' top-100 of {tracks:,}"
            told(what, f"{name}, {CORES} cores both", ours, float(said.split()[-1]), goal)


def on_all_cores(parts: list[blocks.Block], made: Models, lists: blocks.Lists, rooms: list[np.ndarray]) -> None:
    """As the tasks of a night do, a thread each; `rooms`: of each core."""
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        list(
            pool.map(lambda n: [blocks.recommend(one, made, lists, rooms[n]) for one in parts[n::CORES]], range(CORES))
        )


def csr_of(block: blocks.Block, tracks: int) -> sp.csr_matrix:
    return sp.csr_matrix((block.values, block.heard_indices, block.heard_indptr), (len(block.user_ids), tracks))


def matrix(entries: int = 10_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, side = sizing.write_entries(pathlib.Path(folder), entries)
        with threadpoolctl.threadpool_limits(1):
            found = read_matrix(path, side, side)
            took = min(seconds(lambda: read_matrix(path, side, side)) for _ in range(3))
        own = found.data.nbytes + found.indices.nbytes + found.indptr.nbytes
        peaks = [peak_of(path, side), peak_of("", 0)]
    took_s, memory = f"{took:.2f} s (goal <= 1 s on one core)", f"{(peaks[0] - peaks[1]) / own:.1f}x the CSR"
    print(f"matrix of {found.nnz:,} entries: {took_s}, peak {memory} (goal <= 3x)")


def peak_of(path: str, side: int) -> float:
    """Peak bytes of a process that reads the matrix, or only imports what is needed for it."""
    code = (
        "import sys, pathlib; from musai.matrix.reading import read_matrix\n"
        "if sys.argv[1]: read_matrix(sys.argv[1], int(sys.argv[2]), int(sys.argv[2]))\n"
        "print(pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code, path, str(side)], check=True, capture_output=True, text=True)
    return 1024.0 * int(done.stdout.split()[-1])


def random_matrix(entries: int) -> sp.csr_matrix:
    with tempfile.TemporaryDirectory() as folder:
        path, side = sizing.write_entries(pathlib.Path(folder), entries)
        return read_matrix(path, side, side)


def similarities(entries: int = 5_000_000) -> None:
    from implicit.nearest_neighbours import CosineRecommender

    weights, settings = random_matrix(entries), configuration.load().similarity
    pairs(
        "cosine neighbours", "implicit's CosineRecommender",
        lambda: neighbours.nearest(weights, "cosine", settings, CORES, 50),
        lambda: CosineRecommender(K=50).fit(weights, show_progress=False), "<= 1.1",
    )  # fmt: skip


def factors(entries: int = 5_000_000) -> None:
    from implicit.cpu.als import AlternatingLeastSquares

    weights = random_matrix(entries)
    same = ["device=cpu", "regularization_exponent=0", "factors=64"]
    settings = configuration.load([], [f"factorization.{key}" for key in same])

    def bare() -> None:
        with threadpoolctl.threadpool_limits(1, "blas"):
            AlternatingLeastSquares(factors=64, iterations=15, random_state=1).fit(weights, show_progress=False)

    pairs("ALS", "implicit, bare", lambda: als.train(weights, settings.factorization, 1, CORES), bare, "<= 1.1")


def midi() -> None:
    import pretty_midi

    from musai.music.midi import read_midi

    songs = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared"), "data/music/pop909")
    files = sorted(songs.rglob("*.mid"))[:60] or sorted(pathlib.Path("var/demo/midi").glob("*.mid"))[:60]
    if not files:
        sys.exit("midi reads POP909, or what `musai demo-data var/demo` writes")
    pairs(
        f"{len(files)} MIDI files", "pretty_midi", lambda: [read_midi(file) for file in files],
        lambda: [pretty_midi.PrettyMIDI(str(file)) for file in files], "<= 1 / 80",
    )  # fmt: skip


def nightly(folder: pathlib.Path, plays: int, watched: bool = False) -> tuple[float, dict[str, float]]:
    """Seconds of the command on a log made for it, and of each of its jobs. To have its memory `watched` slows it."""
    logs.write(folder / "logs", plays)
    settings = [f"inputs.interactions={folder / 'logs'}", f"warehouse={folder / 'warehouse'}", *SAME]
    command = [sys.executable, "-m", "musai", "nightly", *settings]
    with (folder / "nightly.txt").open("w") as file:
        watch = [sys.executable, str(HERE / "peak.py")] if watched else []
        took = seconds(lambda: subprocess.run([*watch, *command], check=True, stdout=file, stderr=file))
    said = (folder / "nightly.txt").read_text()
    if watched:
        print(f"  nightly of {plays:,} plays: {said.splitlines()[-1]}", flush=True)
    lines = [json.loads(line) for line in _job_lines(said)]
    return took, {line["job"]: line["seconds"] for line in lines}


def _job_lines(text: str) -> list[str]:
    return [line[line.index("{") :] for line in text.splitlines() if "musai.pipeline {" in line]


def night(plays: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        nightly(pathlib.Path(name), plays=20_000)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ours, jobs = nightly(folder, plays)
        command = [sys.executable, str(HERE / "plain.py"), str(folder / "logs"), str(folder / "plain")]
        theirs = seconds(lambda: subprocess.run(command, check=True))
    for job, took in sorted(jobs.items(), key=lambda one: -one[1]):
        print(f"  {job:26} {took:7.1f} s")
    told(f"night of {plays:,} plays", "a plain script", ours, theirs, "<= 1.2")


def growth(*sizes: int) -> None:
    found = []
    for plays in sizes:
        with tempfile.TemporaryDirectory() as name:
            found.append(nightly(pathlib.Path(name), plays, watched=True)[0])
    slope = statistics.linear_regression([math.log(p) for p in sizes], [math.log(s) for s in found]).slope
    print(f"slope of log time over log plays, {', '.join(f'{p:,}' for p in sizes)}: {slope:.2f} (goal <= 1.1)")


def main(words: list[str]) -> None:
    if words[:1] == ["night"]:
        return night(int(words[1]))
    if words[:1] == ["growth"]:
        return growth(*map(int, words[1:]))
    known = {"topn": topn, "matrix": matrix, "similarities": similarities, "als": factors, "midi": midi}
    known["mllib"] = mllib
    for name in words or list(known)[:-1]:
        if name not in known:
            sys.exit(__doc__)
        known[name]()
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
