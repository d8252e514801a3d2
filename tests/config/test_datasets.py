"""The small files of conf/datasets, each against a few lines in the shape of its data set."""

import datetime as dt
import pathlib

import pytest

from musai import config as configuration
from musai.catalogue import spark as catalogue
from musai.interactions import spark as interactions
from tests.ingested import rows_of

DATASETS = pathlib.Path(__file__).parents[2] / "conf" / "datasets"
AT = dt.datetime.fromisoformat("2001-01-01T22:12:40")  # as Spark gives it back, without a zone

# file of conf/datasets: {input: (file name, bytes)}, (user, track, plays, last event), (track, title, tags)
SHAPES = {
    "lastfm_2k": (
        {
            "interactions": ("user_artists.dat", b"userID\tartistID\tweight\r\n2\t51\t13883\r\n"),
            "tracks": ("artists.dat", b'id\tname\turl\tpictureURL\r\n51\tThe "Q" Men\thttp://x\t\r\n'),
        },
        ("2", "51", 13883.0, None),
        ("51", 'The "Q" Men', None),
    ),
    "lastfm_1k": (
        {
            "interactions": (
                "userid-timestamp-artid-artname-traid-traname.tsv",
                'user_000001\t2001-01-01T22:12:40Z\t\t坂本 "龍一"\t\tComposition (Live)\n'.encode(),
            )
        },
        ("user_000001", '坂本 "龍一"', 1.0, AT),
        None,
    ),
    "movielens_1m": (
        {
            "interactions": ("ratings.dat", b"1::1193::5::978387160\n"),
            "tracks": ("movies.dat", b"1193::Mis\xe9rables, Les (1995)::Drama|Musical\n"),
        },
        ("1", "1193", 5.0, AT),
        ("1193", "Misérables, Les (1995)", ["Drama", "Musical"]),
    ),
    "movielens_csv": (
        {
            "interactions": ("ratings.csv", b"userId,movieId,rating,timestamp\n1,296,3.5,978387160\n"),
            "tracks": ("movies.csv", b'movieId,title,genres\n296,"Am, or ""Not"" (1995)",Comedy|Drama\n'),
        },
        ("1", "296", 3.5, AT),
        ("296", 'Am, or "Not" (1995)', ["Comedy", "Drama"]),
    ),
    "audioscrobbler": (
        {
            "interactions": ("user_artist_data.txt", b"1059637 1027859 238\n"),
            "tracks": ("artist_data.txt", '1252408\t"André" V\n'.encode()),
            "aliases": ("artist_alias.txt", b"1027859\t1252408\n"),
        },
        ("1059637", "1252408", 238.0, None),
        ("1252408", '"André" V', None),
    ),
}


def test_every_file_has_its_shape_here() -> None:
    assert {path.stem for path in DATASETS.glob("*.yaml")} == set(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_the_file_alone_reads_the_data_set(spark, tmp_path: pathlib.Path, name: str) -> None:
    inputs, listened, track = SHAPES[name]
    settings = []
    for key, (file, content) in inputs.items():
        (tmp_path / file).write_bytes(content)
        settings.append(f"inputs.{key}={tmp_path / file}")
    config = configuration.load([str(DATASETS / f"{name}.yaml")], settings)
    found = interactions.ingest(spark, config, dt.date(2021, 1, 1), dt.datetime(2022, 1, 1, tzinfo=dt.UTC))
    assert [(*row[:3], row[4]) for row in rows_of(found)] == [listened]
    assert found.rejected().collect() == []
    found.release()
    known = catalogue.ingest(spark, config)
    if known is None:
        assert track is None
        return
    rows = known.tracks.select("track_id", "title", "tags").collect()
    assert [tuple(row) for row in rows] == [track]
    assert known.rejected().collect() == []
    known.release()
