"""`build_report` on the tiny night: a page in the run's own folder, which the pointer and `musai report` name."""

from __future__ import annotations

import hashlib
import json
import pathlib
import re

import pytest
import soundfile

from musai.cli import main
from musai.errors import InputError
from musai.music import clips, loudness
from musai.report.page import path_of
from musai.show import report
from musai.warehouse import Warehouse


def data_of(text: str) -> dict[str, list]:
    found: dict[str, list] = json.loads(text.split('id="data">')[1].split("</script>", maxsplit=1)[0])
    return found


def test_the_pointer_names_the_page_that_was_written(night):
    warehouse = pathlib.Path(night.config.warehouse.path)
    pointer = json.loads((warehouse / "_published.json").read_text())
    assert pointer["report"] == path_of(night.outcome.run.run_id)
    rows = {row.path: row for row in night.table("report_files").itertuples()}
    assert pointer["report"] in rows
    for path, row in rows.items():
        content = (warehouse / path).read_bytes()
        assert (row.digest, row.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert sum(row.bytes for row in rows.values()) < 5e6


def test_every_created_track_can_be_heard(night):
    page = pathlib.Path(night.config.warehouse.path) / path_of(night.outcome.run.run_id)
    files = re.findall(r'<audio [^>]*src="([^"]+)"', page.read_text(encoding="utf-8"))
    assert len(files) == len(night.table("generated_tracks"))
    assert sorted(f"sound/{file.name}" for file in (page.parent / "sound").iterdir()) == sorted(files)
    for file in files:
        sound, rate = soundfile.read(page.parent / file)
        assert len(sound) > 5 * rate
        assert loudness.integrated(sound, rate) == pytest.approx(clips.TARGET, abs=1)


def test_the_page_shows_the_lists_that_were_published(night):
    page = pathlib.Path(night.config.warehouse.path) / path_of(night.outcome.run.run_id)
    data = data_of(page.read_text(encoding="utf-8"))
    lists, tracks = night.table("recommendations"), night.table("tracks").set_index("track_id")
    assert {listener["id"] for listener in data["listeners"]} == set(lists["user_id"])
    for listener in data["listeners"][:5]:
        for_you = lists[(lists["user_id"] == listener["id"]) & (lists["list"] == "for_you")].sort_values("rank")
        [name, places] = listener["lists"][0]
        assert name == "For you"
        assert [data["tracks"][place[0]][0] for place in places] == for_you["track_id"].tolist()
        assert [data["tracks"][place[0]][1] for place in places] == tracks.loc[for_you["track_id"], "title"].tolist()
        because = [None if place[2] is None else data["tracks"][place[2]][0] for place in places]
        assert because == for_you["because_track_id"].where(for_you["because_track_id"].notna(), None).tolist()


def test_the_page_says_what_came_in_and_how_long_it_took(night):
    text = (pathlib.Path(night.config.warehouse.path) / path_of(night.outcome.run.run_id)).read_text(encoding="utf-8")
    assert "interactions: 646 rows read" in text
    assert "plays is NaN" in text
    for job in night.outcome.seconds:
        assert (f"<code>{job}</code>" in text) == (job not in ("build_report", "publish"))
    measured = night.table("recommendation_metrics").set_index(["metric", "k", "list", "listeners"])
    recall = measured.loc[("recall", 5, "for_you", "all")]
    assert f"{recall['value']:.1%}" in text


def test_musai_report_prints_its_path(night, capsys):
    settings = [f"warehouse={night.config.warehouse.path}"]
    page = str(pathlib.Path(night.config.warehouse.path) / path_of(night.outcome.run.run_id))
    assert main(["report", *settings]) == 0
    assert capsys.readouterr().out.strip() == page
    assert main(["report", "--run-id", night.outcome.run.run_id, *settings]) == 0
    assert capsys.readouterr().out.strip() == page
    assert main(["report", "--run-id", "another", *settings]) == 2
    assert "run another has no page; build_report makes it" in capsys.readouterr().err


def test_before_the_first_night_there_is_no_page(settings, tmp_path):
    from musai.storage import LocalStorage

    with pytest.raises(InputError, match="nothing is published yet"):
        report(Warehouse(LocalStorage(str(tmp_path)), settings()))
