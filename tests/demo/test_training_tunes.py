"""What the shipped models learnt from: clean files only, none of the benchmark's chorales, a split that holds."""

import os
from pathlib import Path

import pytest

from musai.config import conf_path
from musai.demo import training_tunes
from musai.demo.corpus_text import NO_STATEMENT, corpus_folder, file_digest, rights_statement
from musai.demo.make_training_manifest import benchmark_lines, interval_grams, shares_lines
from musai.demo.parsed_scores import piece_of_score
from musai.demo.training_tunes import TrainingFile, read_training_files, split_of, training_pieces
from musai.generation import judge, models
from musai.music.notes import Track, piece_of

FILES = read_training_files()
LEFT_OUT = ("palestrina", "essenFolksong", ".krn", "trecento", "schumann")


def test_every_file_is_as_the_manifest_says_and_says_nothing_on_rights():
    corpus = corpus_folder()
    assert corpus
    for file in FILES[::29] + [file for file in FILES if file.style == "chorale"]:
        path = corpus / file.corpus_path
        assert file_digest(path) == file.sha256
        assert rights_statement(path) == file.rights_statement == NO_STATEMENT
    assert not [file for file in FILES if any(word in file.corpus_path for word in LEFT_OUT)]


def test_every_card_names_the_manifest_and_its_licences():
    kinds = [kind for kind in models.SHIPPED if models.ships(kind)]
    assert "rnn" in kinds
    for sources in [*(models.shipped(kind).card["sources"] for kind in kinds), judge.shipped().sources]:
        assert sources["manifest_digest"] == training_tunes.manifest_digest()
        assert sources["licences"] == sorted({file.rights_class for file in FILES})
    assert set(judge.shipped().rules) == {"folk", "chorale"}
    assert (
        sum(conf_path(name).stat().st_size for name in [*(models.SHIPPED[kind] for kind in kinds), judge.SHIPPED])
        < 10e6
    )


def test_a_changed_or_missing_file_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    tune = "X:1\nT:x\nM:4/4\nL:1/4\nK:C\n" + "CDEF|" * 8 + "\n\nX:2\nT:y\nM:4/4\nL:1/4\nK:C\nCDEF|\n"
    (tmp_path / "good.abc").write_text(tune)
    (tmp_path / "changed.abc").write_text(tune)
    names = ("good.abc", "changed.abc", "missing.abc")
    digests = (file_digest(tmp_path / "good.abc"), "0" * 64, "0" * 64)
    files = [TrainingFile(name, "folk", digest, "none", "x") for name, digest in zip(names, digests, strict=True)]
    assert list(training_pieces(files, tmp_path)["folk"]) == ["good.abc#1"]  # the other tune has one bar
    assert "changed.abc" in caplog.text
    assert "missing.abc" in caplog.text


def test_the_split_is_fixed_by_the_name():
    splits = [split_of(f"a/{number}.abc#1") for number in range(4000)]
    assert 0.08 < splits.count("test") / 4000 < 0.12
    assert 0.04 < splits.count("valid") / 4000 < 0.06
    assert split_of("a/1.abc#1") == splits[1]


def test_a_chorale_with_the_outer_voices_of_another_is_told():
    def choir(soprano, bass):
        rows = [(pitch, 12 * place, 12, 80, track) for track, line in enumerate((soprano, bass))
                for place, pitch in enumerate(line)]  # fmt: skip
        return piece_of(rows, [Track("soprano"), Track("bass")])

    soprano, bass = [60 + (7 * place) % 12 for place in range(30)], [40 + (5 * place) % 11 for place in range(30)]
    known = [(interval_grams(soprano), interval_grams(bass))]
    assert shares_lines(choir([pitch + 2 for pitch in soprano], [pitch + 2 for pitch in bass]), known)
    assert not shares_lines(choir(soprano, soprano), known)


@pytest.mark.realdata
def test_no_chorale_of_the_manifest_is_in_the_benchmarks_valid_or_test_split():
    corpus, shared = corpus_folder(), Path(os.environ.get("MUSAI_SHARED", "../shared"))
    benchmark = benchmark_lines(shared / "data/music/jsb_chorales/jsb-chorales-16th.json")
    assert corpus
    assert len(benchmark) == 153
    shared_with = [
        file.corpus_path
        for file in FILES
        if file.style == "chorale" and shares_lines(piece_of_score(corpus / file.corpus_path), benchmark)
    ]
    assert shared_with == []
