"""One file per job: read tables, one call into the packages, write tables. `Night` is what each is handed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from musai.config import Config
from musai.errors import InputError, MusaiError
from musai.inputs.files import read_ids
from musai.session import few_rows
from musai.warehouse import MANIFEST, Run, Warehouse

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclasses.dataclass
class Night:
    """One run as a job sees it: the session, the configuration, the run's tables, and what is to be said of it."""

    session: SparkSession
    config: Config
    warehouse: Warehouse
    run: Run
    now: dt.datetime
    progress: Callable[[str], None] = lambda _: None
    rows_read: int = 0
    rows_written: int = 0
    rejected: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)
    log_row: Callable[[str], None] = lambda _: None
    log_sealed: bool = False
    base: Run | None = None  # of a weekly job: the published night that it learns from

    def read(self, table: str) -> DataFrame:
        run = self._holder(table)
        self.rows_read += run.rows(table) or 0
        return run.read(self.session, table)

    def has(self, table: str) -> bool:
        return self._holder(table).has(table)

    def _holder(self, table: str) -> Run:
        return self.base if self.base and not self.run.has(table) else self.run

    def latest(self, table: str) -> DataFrame | None:
        """The weekly `table` as it was published last before this run; None where no weekly run has made it yet."""
        pointer = self.warehouse.pointer(self.run.record.date) or self.warehouse.parent(self.run.record.date) or {}
        entry = pointer.get("tables", {}).get(table)
        made = self.warehouse.run(entry["run_id"]) if entry else None
        return made.read(self.session, table) if made else None

    def has_settings(self) -> bool:
        """Whether `tune_recommender` has found settings that the night uses."""
        return self.config.tuning.used and self.latest("model_settings") is not None

    def tuned(self) -> Night:
        """This night with the settings that were published last, where the configuration wants them.

        Raises InputError where the configuration has changed so much that they do not fit it any more.
        """
        found = self.latest("model_settings") if self.config.tuning.used else None
        if found is None:
            return self
        settings = {row["name"]: json.loads(row["value"]) for row in found.collect()}
        return dataclasses.replace(self, config=tuned(self.config, settings))

    def use_learned_blend(self) -> None:
        """Take the blend that `recommend_tracks` has learned for this night (of a weekly job: for the one that it
        learns from), if it has."""
        if self.has("blend_weights"):
            table = self._holder("blend_weights").read(self.session, "blend_weights")
            weights = {row["part"]: row["weight"] for row in table.collect()}
            self.config = tuned(self.config, {"recommend.blend": weights})

    def write(self, frame: DataFrame, table: str, job: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self.progress(f"writing {table}")
        manifest = self.run.write(frame, table, job, extra)
        self.rows_written += manifest["rows"]
        return manifest

    def write_rows(
        self, rows: Sequence[tuple[Any, ...]], table: str, job: str, extra: Mapping[str, Any] | None = None
    ) -> None:
        """As `write`, of few rows: values of the declared columns in their order."""
        self.rows_written += self.run.write_rows(rows, table, job, extra)["rows"]

    def adopt(self, parts: Sequence[Any], table: str, job: str, more: DataFrame | None = None) -> dict[str, Any]:
        """As `write`, of the files that tasks have staged and of further rows; see `Run.adopt`."""
        self.progress(f"writing {table}")
        manifest = self.run.adopt([part.asDict() for part in parts], table, job, more)
        self.rows_written += manifest["rows"]
        return manifest

    def note(self, text: str) -> None:
        """A line for the job's log row and the summary."""
        self.notes.append(text)

    def reasons_of(self, source: str) -> Callable[[], list[tuple[str, int]]]:
        """The three commonest reasons among the rejects of an input, with their rows."""

        def reasons() -> list[tuple[str, int]]:
            rows = self.run.read(self.session, "rejected_rows").where(f"source = '{source}'").groupBy("reason").count()
            return [(row["reason"], row["count"]) for row in rows.orderBy("count", ascending=False).take(3)]

        return reasons

    def seal_log(self, job: str) -> None:
        """Write this job's log row as done and the manifest of `job_log`: the run's folder changes no more."""
        self.log_row("done")
        self.log_sealed = True
        self.run.seal_existing(self.session, "job_log", job)

    def last_metrics(self) -> dict[str, str] | None:
        """run_id, run_date, path of the metrics and `settings_digest` of the newest earlier published run that was
        evaluated."""
        for date in reversed(self.warehouse.dates()):
            pointer = self.warehouse.pointer(date)
            if date >= self.run.record.date or pointer is None:
                continue
            path = f"recommendation_metrics/run_id={pointer['run_id']}"
            content = self.run.storage.read(f"{path}/{MANIFEST}")
            if content:
                manifest = json.loads(content)
                digest = manifest.get("settings_digest", manifest["config_digest"])  # none: by an earlier version
                return {"run_id": pointer["run_id"], "run_date": str(date), "settings_digest": digest, "path": path}
        return None

    def parents(self, table: str) -> DataFrame | None:
        """A table of the parent run (the published one of the greatest earlier date); None where it has none."""
        named = ((self.warehouse.parent(self.run.record.date) or {}).get("tables") or {}).get(table)
        if named is None:
            return None
        return self.session.read.parquet(self.run.storage.spark_uri(named["path"]))

    def write_models(self, rows: Sequence[tuple[str, str, str, str]], job: str) -> None:
        """`models` with a job's new rows (name, digest, path, card); those of other names are carried."""
        frame = few_rows(self.session, rows, "name string, digest string, path string, card string")
        known = self.latest("models")
        if known is not None:
            frame = frame.unionByName(known.join(frame.select("name"), "name", "left_anti"))
        self.write(frame.coalesce(1), "models", job)

    def published_model(self, name: str) -> dict[str, Any] | None:
        """The row of `models` of that name, as the last weekly run published it."""
        frame = self.latest("models")
        row = frame.where(f"name = '{name}'").first() if frame is not None else None
        return row.asDict() if row else None

    def blocked(self) -> list[str]:
        """inputs.blocked_tracks, and what those of them that are aliases stand for."""
        named = read_ids(self.config.inputs.blocked_tracks, "inputs.blocked_tracks")
        if not named or not self.has("aliases"):
            return named
        import pyarrow as pa

        listed = self.session.createDataFrame(pa.table({"bad_id": pa.array(named, pa.string())}))
        good = self.read("aliases").join(listed, "bad_id", "left_semi").select("good_id").collect()
        return sorted({*named, *(row["good_id"] for row in good)})

    def published_weights(self, name: str) -> bytes | None:
        """model.safetensors of that row of `models`; None without such a row. Raises MusaiError where it is gone."""
        row = self.published_model(name)
        if row is None:
            return None
        found = self.run.storage.read(f"{row['path']}/model.safetensors")
        if found is None:
            raise MusaiError(f"{row['path']}: the weights of {name} are gone; train them again")
        return found

    @property
    def until(self) -> dt.datetime:
        """The end of the run date in `ingest.time_zone`: the first instant that the run does not cover."""
        day_after = self.run.record.date + dt.timedelta(days=1)
        return dt.datetime.combine(day_after, dt.time(), self.config.ingest.zone)

    def nested(self, scope: str, config: Config | None = None) -> Night:
        """The same night over tables of its own folder `scope`."""
        return dataclasses.replace(
            self,
            run=self.run.nested(scope, shared=("tracks", "track_emotions")),
            config=config or self.config,
            rows_read=0,
            rows_written=0,
            notes=[],
        )


def tuned(config: Config, settings: Mapping[str, Any]) -> Config:
    """The configuration with what tune_recommender found, but for the keys that were given by hand.

    Raises InputError where the configuration has changed so much that it does not fit any more.
    """
    try:
        return config.tuned(settings)
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        fault = f"tuning.used: what tune_recommender found does not fit ({why}); false leaves it out"
        raise InputError(fault) from error


def step(job: str) -> Callable[[Night], None]:
    """The `run` of a job's own module."""
    run: Callable[[Night], None] = importlib.import_module(f"musai.steps.{job}").run
    return run
