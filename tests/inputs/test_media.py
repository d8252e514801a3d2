"""Paths of the catalogue stay within the roots."""

from __future__ import annotations

import pathlib

import pytest

from musai.inputs.media import located, roots_of


@pytest.fixture
def roots(tmp_path: pathlib.Path) -> tuple[str, str]:
    for name in ("one/sub", "two", "three"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "one/out").symlink_to(tmp_path / "three")
    (tmp_path / "one/in").symlink_to(tmp_path / "two")
    return str(tmp_path / "one"), str(tmp_path / "two")


@pytest.mark.parametrize(
    ("path", "due"),
    [
        ("a.mid", "one/a.mid"), ("sub/../a.mid", "one/a.mid"), ("in/a.mid", "two/a.mid"), ("../two/a", "two/a"),
        ("a b\n;'%2e%2e", "one/a b\n;'%2e%2e"), ("out/a.mid", None), ("../three/a.mid", None), ("", None), (".", None),
        ("../one-more/a", None), ("/etc/passwd", None), ("x" * 10_000, "one/" + "x" * 10_000), ("a\0b", None),
        ("s3a://bucket/a", None), ("file:///etc/passwd", None),
    ],
)  # fmt: skip
def test_relative_paths_links_and_hostile_ones(roots, tmp_path: pathlib.Path, path: str, due: str | None) -> None:
    assert located(path, roots) == (None if due is None else f"{tmp_path}/{due}")
    assert located(path, ()) is None


def test_an_absolute_path_within_a_root(roots) -> None:
    assert located(f"{roots[1]}/a.mid", roots) == f"{roots[1]}/a.mid"


def test_uris_are_taken_as_they_stand() -> None:
    roots = ("s3a://bucket/music/", "/local")
    assert located("a/b.wav", roots) == "s3a://bucket/music/a/b.wav"
    assert located("s3a://bucket/music/b.wav", roots) == "s3a://bucket/music/b.wav"
    for path in ("../b.wav", "s3a://bucket/music/../../b", "s3a://bucket/musical/b", "s3a://other/music/b"):
        assert located(path, roots) is None


def test_without_roots_it_is_the_catalogues_own_folder(settings, tmp_path: pathlib.Path) -> None:
    assert roots_of(settings(f"inputs.tracks={tmp_path}/tracks.csv").inputs) == (str(tmp_path),)
    assert roots_of(settings(f"inputs.tracks={tmp_path}").inputs) == (str(tmp_path),)
    assert roots_of(settings("inputs.tracks=tracks.csv").inputs) == (str(pathlib.Path.cwd()),)
    assert roots_of(settings(f"inputs.tracks={tmp_path}", "inputs.media_roots=[/a, /b]").inputs) == ("/a", "/b")
    assert roots_of(settings().inputs) == ()
