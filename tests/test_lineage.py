"""OpenLineage events of real jobs, as a real collector on loopback gets them."""

from __future__ import annotations

import http.server
import json
import pathlib
import threading
from collections.abc import Iterator

import pytest

from musai.errors import MusaiError
from tests.nights import run, settings_of


@pytest.fixture
def collector() -> Iterator[tuple[str, list[dict]]]:
    """The address of a server, and the (key, event) pairs that were posted to it."""
    events: list[dict] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            events.append({"key": self.headers["Authorization"], "path": self.path, **json.loads(body)})
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", events
        server.shutdown()


def test_a_collector_gets_what_each_job_read_and_wrote(spark, night_folder, tmp_path, collector, monkeypatch) -> None:
    url, events = collector
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "s3cret")
    config = settings_of(night_folder, f"warehouse={tmp_path}/w", f"lineage.url={url}", "lineage.namespace=nights")
    run(config, only=("ingest_tracks",), run_id="r")
    assert [(event["eventType"], event["job"]["name"]) for event in events] == [
        ("START", "musai.ingest_tracks"), ("COMPLETE", "musai.ingest_tracks"),
    ]  # fmt: skip
    start, complete = events
    assert {event["key"] for event in events} == {"Bearer s3cret"}
    assert start["run"]["runId"] == complete["run"]["runId"]
    assert complete["job"]["namespace"] == "nights"
    assert [one["name"] for one in start["inputs"]] == [f"{night_folder}/tracks.csv"]
    assert start["outputs"] == []
    tracks, rejected = complete["outputs"]
    assert (tracks["namespace"], tracks["name"]) == (f"{tmp_path}/w", "tracks")
    assert tracks["outputFacets"]["outputStatistics"]["rowCount"] == 64
    assert tracks["facets"]["schema"]["fields"][0]["name"] == "track_id"
    assert (rejected["name"], rejected["outputFacets"]["outputStatistics"]["rowCount"]) == ("rejected_rows", 0)


def test_a_job_that_fails_says_why_and_a_file_takes_events_too(spark, night_folder, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "events.jsonl"
    config = settings_of(
        night_folder, f"warehouse={tmp_path}/w", f"lineage.url={file}", "ingest.max_rejected_share=0.001"
    )
    with pytest.raises(MusaiError):
        run(config, only=("ingest_interactions",), run_id="r")
    start, fail = map(json.loads, file.read_text().splitlines())
    assert (start["eventType"], fail["eventType"]) == ("START", "FAIL")
    assert "ingest.max_rejected_share" in fail["run"]["facets"]["errorMessage"]["message"]


def test_a_collector_that_is_down_costs_a_warning(spark, night_folder, tmp_path, caplog) -> None:
    config = settings_of(night_folder, f"warehouse={tmp_path}/w", "lineage.url=http://127.0.0.1:9")
    made = run(config, only=("ingest_tracks",), run_id="r")
    assert list(made.outcome.seconds) == ["ingest_tracks"]
    assert "lineage.url: COMPLETE of ingest_tracks was not sent" in caplog.text
