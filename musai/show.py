"""`musai show`: a person's look at what is published."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Column
from rich.table import Table as Grid

from musai import storage
from musai.columns import FOR_YOU
from musai.config import Config
from musai.emotion.fusion import DISAGREEING
from musai.errors import InputError
from musai.listening.answers import FEWEST_RATERS
from musai.redaction import plain
from musai.report.page import path_of
from musai.warehouse import Warehouse

ROWS = 20  # of a list on the screen


def warehouse(config: Config) -> Warehouse:
    session = None
    if storage.needs_session(config.warehouse.path):
        from musai import session as sessions

        session = sessions.build(config)
    return Warehouse(storage.at(config.warehouse.path, session), config)


def _grid(console: Console, title: str, *columns: str | Column) -> Grid:
    """A table: with a rule under its head on a terminal, aligned text elsewhere."""
    drawn = box.SIMPLE_HEAD if console.is_terminal else None
    return Grid(*columns, title=title, title_justify="left", title_style="bold", header_style="bold", box=drawn)


def _ranked() -> tuple[Column | str, ...]:
    return Column("", justify="right", style="dim"), _whole("track"), Column("score", justify="right", style="green")


def user(published: Warehouse, user_id: str, console: Console) -> None:
    """What a listener heard most, and the lists with their reasons. Raises InputError for an unknown listener."""
    heard = _rows(published, "interactions", pc.field("user_id") == user_id)
    if heard is None or not heard.num_rows:
        raise InputError(f"no listener {user_id!r} in the published run; {_example(published, 'users', 'user_id')}")
    names = _names(published)
    title = f"{_shown(user_id)} heard {heard.num_rows} tracks, most of all"
    grid = _grid(console, title, Column("plays", justify="right", style="green"), _whole("track"))
    for row in heard.sort_by([("plays", "descending"), ("track_id", "ascending")]).slice(0, 10).to_pylist():
        grid.add_row(f"{row['plays']:g}", _shown(names(row["track_id"])))
    console.print(grid)
    _mood_profile(published, heard, console)
    rows = _rows(published, "recommendations", pc.field("user_id") == user_id)
    assert rows is not None
    lists(published, rows, console)


def lists(published: Warehouse, rows: pa.Table, console: Console) -> None:
    """The lists of one listener, for_you first; rows of `recommendations`."""
    names = _names(published)
    for name in sorted(pc.unique(rows["list"]).to_pylist(), key=lambda name: (name != FOR_YOU, name)):
        columns = (*_ranked(), Column("from", style="cyan"), _whole("because", style="dim"))
        grid = _grid(console, f"\n{escape(name)}", *columns)
        one = rows.filter(pc.equal(rows["list"], name)).sort_by("rank")
        for row in one.slice(0, ROWS).to_pylist():
            because = names(row["because_track_id"]) if row["because_track_id"] is not None else ""
            score = f"{row['score']:.3f}"
            grid.add_row(str(row["rank"]), _shown(names(row["track_id"])), score, row["source"], _shown(because))
        console.print(grid)
        if one.num_rows > ROWS:
            console.print(f"... {one.num_rows - ROWS} more")


def track(published: Warehouse, track_id: str, console: Console) -> None:
    """What the catalogue says of a track, and its neighbours; of a generated one, where it comes from.

    Raises InputError for an unknown track.
    """
    if _generated(published, track_id, console):
        return
    names = _names(published)
    item = _rows(published, "items", pc.field("track_id") == track_id)
    entry = _rows(published, "tracks", pc.field("track_id") == track_id)
    if not (item and item.num_rows) and not (entry and entry.num_rows):
        raise InputError(f"no track {track_id!r} in the published run; {_example(published, 'items', 'track_id')}")
    console.print(f"[bold]{_shown(names(track_id))}[/bold]")
    for row in entry.to_pylist() if entry else []:
        for column, value in row.items():
            if value is not None and column != "track_id":
                console.print(plain(f"  {column}: {value}"), markup=False)
    for row in item.to_pylist() if item else []:
        console.print(f"  {row['interactions']} listeners, {row['plays']:g} plays")
    felt = _rows(published, "track_emotions", pc.field("track_id") == track_id)
    for row in felt.to_pylist() if felt else []:
        likely = ", ".join(f"{label} {share:.0%}" for label, share in sorted(row["probabilities"], key=lambda p: -p[1]))
        console.print(
            f"  {row['label']} with confidence {row['confidence']:.2f}, from {', '.join(row['sources'])}: valence "
            f"{row['valence']:+.2f}, arousal {row['arousal']:+.2f} ({likely})"
        )
    _said(published, track_id, console)
    near = _rows(published, "similar_tracks", pc.field("track_id") == track_id)
    if near is None or not near.num_rows:
        console.print("  no neighbours")
        return
    for method in pc.unique(near["method"]).to_pylist():
        grid = _grid(console, f"\nneighbours by {method}", *_ranked())
        one = near.filter(pc.equal(near["method"], method)).sort_by("rank").slice(0, ROWS)
        for row in one.to_pylist():
            grid.add_row(str(row["rank"]), _shown(names(row["similar_track_id"])), f"{row['score']:.4g}")
        console.print(grid)


def _said(published: Warehouse, track_id: str, console: Console) -> None:
    """What each source says of how a track feels, where there are several, and whether they contradict each other."""
    run = published.run((published.pointer() or {}).get("run_id", ""))
    if run is None or not run.has("emotion_inputs"):
        return
    stored = ds.dataset(run.uri("emotion_inputs"), format="parquet", partitioning=None)
    for row in stored.to_table(filter=pc.field("track_id") == track_id).to_pylist():
        if row.get("disagreement") is None:
            continue
        arousal = dict(row["arousal_by_source"])
        parts = [f"{name} {value:+.2f} / {arousal[name]:+.2f}" for name, value in row["valence_by_source"]]
        apart = f"{row['disagreement']:.1f} times as far apart as their errors explain"
        warned = f"[yellow]they disagree, {apart}[/yellow]" if row["disagreement"] >= DISAGREEING else apart
        console.print(f"  by source, valence / arousal: {', '.join(parts)}; {warned}")


def _mood_profile(published: Warehouse, heard: pa.Table, console: Console) -> None:
    """What moods a listener's plays have; nothing where no emotion of any of the tracks is known."""
    felt = _rows(published, "track_emotions", pc.field("track_id").isin(heard["track_id"].to_pylist()))
    if felt is None or not felt.num_rows:
        return
    plays = dict(zip(heard["track_id"].to_pylist(), heard["plays"].to_pylist(), strict=True))
    moods: dict[str, float] = {}
    weights = [max(plays[track_id], 0.0) for track_id in felt["track_id"].to_pylist()]
    for label, weight in zip(felt["label"].to_pylist(), weights, strict=True):
        moods[label] = moods.get(label, 0.0) + weight
    total = sum(weights)
    if total <= 0:
        return
    shares = ", ".join(f"{label} {weight / total:.0%}" for label, weight in sorted(moods.items(), key=lambda m: -m[1]))
    middle = [
        sum(value * weight for value, weight in zip(felt[axis].to_pylist(), weights, strict=True)) / total
        for axis in ("valence", "arousal")
    ]
    known = f"{felt.num_rows} of {heard.num_rows} tracks"
    console.print(f"\nmoods, by plays of {known}: {shares}; valence {middle[0]:+.2f}, arousal {middle[1]:+.2f}")


def _whole(header: str, style: str = "") -> Column:
    """A column of names and ids, which go on in the next line where the screen is too narrow."""
    return Column(header, overflow="fold", style=style)


def _shown(text: str) -> str:
    """Text of others, for rich and for a terminal."""
    return escape(plain(text))


def _generated(published: Warehouse, track_id: str, console: Console) -> bool:
    """Print what is known of a generated track; False where there is none of this id."""
    found = _rows(published, "generated_tracks", pc.field("generated_id") == track_id)
    if found is None or not found.num_rows:
        return False
    (row,) = found.to_pylist()
    console.print(f"[bold]{escape(track_id)}[/bold]")
    for column, value in row.items():
        if value is not None and column not in ("generated_id", "midi", "embedding", "provenance", "metrics"):
            console.print(f"  {column}: {value}", markup=False)
    console.print("  metrics: " + ", ".join(f"{name} {value:.3g}" for name, value in row["metrics"]), markup=False)
    for name, value in json.loads(row["provenance"]).items():
        console.print(f"  provenance, {name}: {value}", markup=False)
    return True


def judgement(results: dict[str, Any], console: Console) -> None:
    """What the raters of a listening test said: how often they chose created music over real music."""
    left_out = ", ".join(f"{results[name]} {name}" for name in ("incomplete", "inattentive") if results[name])
    console.print(f"test {results['test']}: {results['raters']} raters counted; left out: {left_out or 'nobody'}")
    if results["agreement"] is not None:
        console.print(f"their agreement, Krippendorff's alpha: {results['agreement']:.2f} (1 whole, 0 by chance)")
    grid = _grid(console, "\nchosen over real music (50%: nobody can tell them apart, or both are as good)",
        "made by", "style", Column("answers", justify="right"), Column("share", justify="right", style="green"),
        Column("95% interval", justify="right"),
    )  # fmt: skip
    for row in results["chosen_over_real"]:
        interval = f"{row['low']:.0%} to {row['high']:.0%}"
        grid.add_row(row["method"], row["style"], str(row["answers"]), f"{row['share']:.0%}", interval)
    console.print(grid)
    if results["verdict"]:
        console.print("the next night's evaluate_music writes these figures into generation_metrics")
    else:
        console.print(f"no verdict: it takes {FEWEST_RATERS} raters; count again with the answers of more of them")


def report(published: Warehouse, run_id: str | None = None) -> str:
    """Where the page of the published run, or of any other, lies. Raises InputError where there is none."""
    if run_id is None:
        pointer = published.pointer()
        if pointer is None:
            raise InputError(f"{published.storage.root}: nothing is published yet; `musai nightly` does it")
        run_id, path = pointer["run_id"], pointer["report"]
    else:
        path = path_of(run_id)
    if path is None or published.storage.read(path) is None:
        raise InputError(f"run {run_id} has no page; build_report makes it")
    return published.storage.uri(path)


def _rows(published: Warehouse, table: str, where: pc.Expression) -> pa.Table | None:
    pointer = published.pointer()
    if pointer is None:
        raise InputError(f"{published.storage.root}: nothing is published yet; `musai nightly` does it")
    if table not in pointer["tables"]:
        return None
    return ds.dataset(published.published_path(table), format="parquet", partitioning=None).to_table(filter=where)


def _example(published: Warehouse, table: str, column: str) -> str:
    """What an id looks like, for somebody who typed one that is not there."""
    rows = ds.dataset(published.published_path(table), format="parquet", partitioning=None).head(1, columns=[column])
    ids = ", ".join(map(repr, rows[column].to_pylist()))
    return f"ids are the input's own text, such as {ids}; `musai path {table}` says where all of them are"


def _names(published: Warehouse) -> Callable[[str], str]:
    """From a track_id to `title - artist [id]`, or to the id alone where the catalogue has no other name for it."""
    known: dict[str, str] = {}
    table = _rows(published, "tracks", pc.scalar(True))
    if table is not None:
        for row in table.select(["track_id", "title", "artist"]).to_pylist():
            name = " - ".join(filter(None, (row["title"], row["artist"])))
            if name not in ("", row["track_id"]):
                known[row["track_id"]] = name
    return lambda track_id: f"{known[track_id]} [{track_id}]" if track_id in known else track_id
