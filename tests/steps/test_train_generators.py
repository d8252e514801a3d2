"""`train_generators`: a small real training on a catalogue's MIDI files, and a night that uses what it made."""

import csv
import json

import numpy as np

from musai.music.midi import read_midi, write_midi
from musai.music.notes import Track, piece_of
from tests import nights


def tune(seed: int) -> bytes:
    """Sixteen bars of walking eighths over two alternating bars' rhythm."""
    random = np.random.default_rng(seed)
    steps = np.cumsum(random.choice([-2, -1, 1, 2], 96)) % 14
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 17, 19, 21, 23])
    rows = [(62 + scale[step], 8 * place, 8, 80, 0) for place, step in enumerate(steps)]
    return write_midi(piece_of(rows, [Track("melody", 73)], (4, 4), 100))


def test_a_trained_model_replaces_the_shipped_one(spark, night_folder, tmp_path):
    (tmp_path / "midi").mkdir()
    with (tmp_path / "tracks.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["track_id", "title", "artist", "genre", "licence", "midi_path"])
        for number in range(14):
            licence = "all rights reserved" if number == 13 else "CC0-1.0"
            rows.writerow([f"t{number:02d}", f"Tune {number}", "A", "Polka", licence, f"midi/{number}.mid"])
            content = tune(number) if number != 12 else b"no MIDI"
            (tmp_path / "midi" / f"{number}.mid").write_bytes(content)
    overrides = [
        f"warehouse={tmp_path / 'warehouse'}", f"inputs.tracks={tmp_path / 'tracks.csv'}",
        "generation.styles={folk: [], chorale: [], polka: [polka]}", "generation.train_minutes=0.2",
        "generation.tracks=16",
    ]  # fmt: skip
    config = nights.settings_of(night_folder, *overrides)
    transfers_of(nights.run(config))
    trained = nights.run(config, only=("train_generators",))
    models = trained.table("models").set_index("name")
    assert set(models.index) == {"generation/rnn", "generation/gan"}
    for text in models["card"]:
        card = json.loads(text)
        assert [style["name"] for style in card["styles"]] == ["polka"]
        assert card["sources"]["files"] == 12
        assert card["sources"]["licences"] == ["CC0-1.0"]
    assert not (tmp_path / "warehouse/_models/generation/.training").exists()
    card = json.loads(models.loc["generation/rnn", "card"])
    assert card["nats_a_note"][-1][0] < card["nats_a_note"][0][0]
    assert list(card["choosers"]) == ["polka"]
    later = nights.run(config)
    tracks = later.table("generated_tracks")
    new = tracks[tracks["created_run_id"] == later.outcome.run.run_id]
    assert set(new["model"]) <= set(models["digest"])


def transfers_of(made: nights.Made) -> None:
    """Of the thirteen sources of a licence that allows it, some in another style, each named as what it is made of."""
    tracks, refused = made.table("generated_tracks").query("method == 'style_transfer'"), made.table("refused_tracks")
    assert len(tracks)
    assert set(tracks["licence"]) == {"CC0-1.0"}
    assert set(tracks["source_track_id"]) <= {f"t{number:02d}" for number in range(12)}
    for row in tracks.itertuples():
        source = read_midi(tune(int(str(row.source_track_id)[1:])))
        found, said = read_midi(row.midi), json.loads(row.provenance)
        assert said["source_track"] == row.source_track_id
        assert row.target_style == row.style in ("folk", "chorale")
        assert len(found.tracks) == (4 if row.style == "chorale" else 1)
        sung, asked = (
            {*zip(one.onset.tolist(), (one.pitch % 12).tolist(), strict=True)} for one in (found.of_track(0), source)
        )
        assert sung == asked if row.style == "chorale" else sung >= asked
    forbidden = refused[refused["reason"].str.contains("transfer_licences")]
    assert forbidden["pieces"].tolist() == [1]
