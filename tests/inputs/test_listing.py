"""Which files an input has, and what they are by their names."""

import pathlib

import pytest

from musai.config import FileFormat
from musai.inputs import listing
from musai.inputs.listing import Form


def settings(separator: str | None = None) -> FileFormat:
    return FileFormat(separator=separator, quote='"', header=True, encoding="utf-8")


def write(folder: pathlib.Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_a_folder_is_read_down_to_its_leaves_in_order_without_hidden_files(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "b.csv", "a/z.csv", "a.csv", "_SUCCESS", ".part.crc", "_temporary/x.csv", ".git/y.csv", "ä.csv")
    assert [entry.name for entry in listing.entries(str(tmp_path))] == ["a.csv", "a/z.csv", "b.csv", "ä.csv"]


def test_a_single_file_goes_by_its_own_name_even_hidden_or_a_link(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "_x.csv", "blob")
    (tmp_path / "log.csv").symlink_to(tmp_path / "blob")
    assert [entry.name for entry in listing.entries(str(tmp_path / "_x.csv"))] == ["_x.csv"]
    (entry,) = listing.entries(str(tmp_path / "log.csv"))
    assert (entry.name, entry.path, entry.size) == ("log.csv", str(tmp_path / "log.csv"), 4)


def test_links_are_followed_once_and_dangling_ones_are_listed(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "in/a.csv", "elsewhere/b.csv")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/gone.csv").symlink_to(tmp_path / "nowhere")
    found = {entry.name: entry.size for entry in listing.entries(str(tmp_path / "in"))}
    assert found == {"a.csv": 8, "more/b.csv": 15, "gone.csv": -1}


def test_nothing_there_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        listing.entries(str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError):
        listing.entries(f"file://{tmp_path}/nowhere")


def test_a_uri_lists_the_same_files_and_opens_them(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "a b/100%.csv", "_x/y.csv", "c[1].csv")
    found = listing.entries(f"file://{tmp_path}/")
    assert [entry.name for entry in found] == ["a b/100%.csv", "c[1].csv"]
    assert [listing.opened(entry.path).read().decode() for entry in found] == ["a b/100%.csv", "c[1].csv"]
    assert [entry.size for entry in found] == [entry.size for entry in listing.entries(str(tmp_path))]
    (one,) = listing.entries(f"file://{tmp_path}/c[1].csv")
    assert one.name == "c[1].csv"


@pytest.mark.parametrize(
    ("name", "separator", "form"),
    [
        ("a.csv", None, Form("csv", ",", False)),
        ("a.CSV", None, Form("csv", ",", False)),
        ("a.csv", ";", Form("csv", ";", False)),
        ("a.tsv.gz", None, Form("csv", "\t", True)),
        ("a.dat", "::", Form("csv", "::", False)),
        ("a.txt", "\\t", Form("csv", "\t", False)),
        ("2024.01/a.b.jsonl", None, Form("json", None, False)),
        ("a.ndjson.gz", None, Form("json", None, True)),
        ("a.json", None, Form("json", None, False)),
        ("a.snappy.parquet", None, Form("parquet", None, False)),
    ],
)
def test_forms(name: str, separator: str | None, form: Form) -> None:
    assert listing.form(name, settings(separator)) == form


@pytest.mark.parametrize("name", ["a", "a.md", "a.csv.bz2", "a.gz", "a.parquet.gz", "a.dat", "a.txt.gz"])
def test_names_that_do_not_say(name: str) -> None:
    with pytest.raises(ValueError, match=r"suffix|separator"):
        listing.form(name, settings())
