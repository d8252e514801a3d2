"""`train_emotion`: a head learns from files made here; thresholds by hand."""

import json

import numpy as np
import pandas as pd
import symusic

from musai.emotion.training import heads, measures
from musai.emotion.weights import Stored


def test_a_head_learns_from_midi_files_that_fast_is_aroused(tmp_path):
    rows = []
    for number in range(24):
        tempo, path = (60, 180)[number % 2], tmp_path / f"{number}.mid"
        score = symusic.Score(480)
        score.tempos.append(symusic.Tempo(0, qpm=tempo + number / 4))
        track = symusic.Track("tune")
        for note in range(32):
            track.notes.append(symusic.Note(note * 480, 400, 60 + (note * 5 + number) % 12, 80))
        score.tracks.append(track)
        path.write_bytes(score.dumps_midi())
        rows.append({"midi": path.name, "valence": (-1) ** (number // 2), "arousal": (-1, 1)[number % 2]})
    rows.append({"midi": "missing.mid", "valence": 1, "arousal": 1})
    pd.DataFrame(rows).to_csv(tmp_path / "pieces.csv", index=False)
    said: list[str] = []
    made = heads.train_notes(tmp_path / "pieces.csv", 1, said.append)
    _, card = made.opened()
    assert [line.split(" ")[0] for line in said] == ["missing.mid"]
    assert card.figures["held-out sign of arousal"] == 1
    assert card.arousal_error < 0.2 < card.valence_error
    assert json.loads(Stored(made.tensors, made.card).card)["settings"]["names"]


def test_thresholds_and_f1_by_hand():
    likely = np.array([[0.9], [0.7], [0.4], [0.1]])
    labels = np.array([[True], [False], [True], [False]])
    thresholds = measures.best_thresholds(likely, labels)
    assert 0.1 < thresholds[0] < 0.4  # the first three: F1 = 4 / 5, against 2 / 3 for the first alone
    assert measures.macro_f1(likely >= thresholds, labels) == 4 / 5
