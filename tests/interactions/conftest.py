"""One ingest of the listening log over files that a test writes."""

import dataclasses
import datetime as dt
import pathlib
from collections.abc import Mapping

import pytest

from musai.interactions.spark import ingest
from tests.ingested import rows_of

NOW = dt.datetime(2022, 1, 1, 12, tzinfo=dt.UTC)
RUN_DATE = dt.date(2021, 12, 31)


@dataclasses.dataclass
class Result:
    rows: dict[tuple[str, str], tuple[float, int, dt.datetime | None]]  # (user, track): plays, events, last moment
    counts: dict[str, int]
    rejected: list[tuple[str, str, str, str | None]]  # source, place, reason, raw

    @property
    def reasons(self) -> dict[str, str]:
        return {place: reason for _, place, reason, _ in self.rejected}


@pytest.fixture
def ingested(spark, settings, tmp_path: pathlib.Path):
    """Write files into the folder `log`, ingest it (or its one file), and check what always holds."""
    number = iter(range(1000))

    def run(
        files: Mapping[str, bytes | str], *overrides: str, now: dt.datetime = NOW, run_date: dt.date = RUN_DATE
    ) -> Result:
        folder = tmp_path / f"log{next(number)}"
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        path = folder / next(iter(files)) if len(files) == 1 else folder
        found = ingest(spark, settings(f"inputs.interactions={path}", *overrides), run_date, now)
        rows = rows_of(found)
        counts = found.counts(sum(row[3] for row in rows))
        rejected = sorted(tuple(row) for row in found.rejected().collect())
        found.release()
        of_the_log = [row for row in rejected if row[0] == "interactions"]
        assert counts["read"] == sum(counts[name] for name in ("used", "rejected", "outside", "erased"))
        assert len(of_the_log) == counts["rejected"] + counts["rejected_files"]
        assert len({row[1] for row in of_the_log}) == len(of_the_log)
        return Result({row[:2]: row[2:] for row in rows}, counts, rejected)

    yield run
    spark.conf.set("spark.sql.session.timeZone", "UTC")
