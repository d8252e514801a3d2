"""The command at a terminal and in a pipe: colour, tables, and errors that say what to do next."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from musai import show
from musai.cli import main
from musai.storage import at
from musai.warehouse import Warehouse
from tests import nights

COLOUR = re.compile(r"\x1b\[[\d;]*3\dm")


def shown(night, **console: object) -> str:
    text = io.StringIO()
    warehouse = Warehouse(at(night.config.warehouse.path), night.config)
    show.user(warehouse, "u03", Console(file=text, width=120, highlight=False, **console))
    return text.getvalue()


def test_a_terminal_gets_colour_and_rules_and_a_pipe_plain_columns(night, monkeypatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = shown(night, force_terminal=True, color_system="standard")
    assert COLOUR.search(terminal)
    assert "───" in terminal
    plain = shown(night)
    assert "\x1b" not in plain
    assert "───" not in plain
    rows = night.table("recommendations").query("user_id == 'u03' and list == 'for_you'").sort_values("rank")
    for track_id in rows["track_id"]:
        assert f"[{track_id}]" in plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOUR.search(shown(night, force_terminal=True, color_system="standard"))


def test_an_id_that_is_not_there_is_answered_with_one_that_is(night, capsys) -> None:
    settings = f"warehouse={night.config.warehouse.path}"
    assert main(["show", "user", "nobody", settings]) == 2
    assert "such as 'u00'; `musai path users` says where all of them are" in capsys.readouterr().err
    assert main(["show", "track", "nothing", settings]) == 2
    assert "such as 't00'" in capsys.readouterr().err


def test_a_night_that_breaks_off_says_how_to_go_on(spark, night_folder, tmp_path, capsys) -> None:
    settings = [*nights.overrides_of(night_folder), f"warehouse={tmp_path}", "ingest.max_rejected_share=0"]
    assert main(["nightly", "--run-id", "broken", *settings]) == 2
    said = capsys.readouterr().err
    assert "ingest.max_rejected_share" in said
    assert "`musai nightly --from ingest_interactions --run-id broken` goes on, with the same options" in said


@pytest.mark.parametrize("words", [["nightly", "--frm", "x"], ["show", "artist", "x"], ["nothing"]])
def test_a_wrong_word_is_exit_2_with_the_usage(words: list[str], capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert "usage: musai" in capsys.readouterr().err
