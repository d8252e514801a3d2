"""`generate_tracks` on the tiny night: what was asked for, sound and original, with its provenance in the file."""

import json

from musai.generation import makers, models
from musai.generation.wishes import Wish
from musai.music.midi import read_midi, texts_of, write_midi


def test_styles_and_emotions_are_even_and_every_piece_is_counted(night):
    tracks, refused = night.table("generated_tracks"), night.table("refused_tracks")
    assert tracks.groupby(["style", "emotion"]).size().max() <= 1
    assert set(tracks["style"]) <= {"folk", "chorale"}
    assert set(tracks["method"]) == set(composing())
    looked = refused[refused["reason"] == "sampled"]["pieces"].sum()
    assert len(tracks) >= 4
    assert looked >= 8
    assert set(tracks["created_run_id"]) == {night.outcome.run.run_id}
    assert not set(tracks["generated_id"]) & set(night.table("tracks")["track_id"])


def test_the_file_says_where_it_comes_from(night):
    for row in night.table("generated_tracks").itertuples():
        (said,) = texts_of(row.midi)
        assert said == row.provenance
        facts = json.loads(said)
        assert facts["model"] == row.model == models.shipped(row.method).digest
        assert facts["licences"] == ["public-domain composition, encoding unstated"]
        assert facts["verdict"] == row.originality["verdict"] == "original"
        assert len(read_midi(row.midi)) == row.notes


def composing():
    """The methods that ship and need no source."""
    return [method for method, styles in makers.Files().styles().items() if styles and method != "style_transfer"]


def test_the_seed_of_the_provenance_gives_the_same_bytes_again(night):
    for method in composing():
        row = night.table("generated_tracks").query(f"method == '{method}'").iloc[0]
        maker = makers.maker(method, makers.Files(), night.config.generation)
        said = json.loads(row["provenance"])
        assert said["sampler"] == maker.sampler
        (draft,) = maker.make([Wish(**said["asked"])])
        assert write_midi(draft.piece, [row["provenance"]]) == row["midi"]


def test_the_critics_score_is_among_the_metrics_of_a_gan_alone(night):
    for row in night.table("generated_tracks").itertuples():
        assert ("realism" in dict(row.metrics)) == (row.method == "gan")


def test_everyone_has_tracks_made_for_him(night):
    lists = night.table("recommendations").query("list == 'made_for_you'")
    made = set(night.table("generated_tracks")["generated_id"])
    assert set(lists["user_id"]) == set(night.table("users")["user_id"])
    for _, rows in lists.groupby("user_id"):
        assert set(rows["track_id"]) == made
        assert sorted(rows["rank"]) == list(range(1, len(made) + 1))
    assert not made & set(night.table("recommendations").query("list == 'for_you'")["track_id"])
