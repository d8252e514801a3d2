"""`ingest_tracks` on the tiny night."""


def test_the_catalogue_is_there_whole(night):
    tracks = night.table("tracks")
    assert len(tracks) == 64
    assert tracks.set_index("track_id").loc["t07", ["title", "artist", "explicit"]].tolist() == [
        "Title 7",
        "Artist 1",
        True,
    ]
    assert tracks["lyrics"].isna().all()
