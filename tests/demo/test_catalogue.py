"""The demo's manifest against the installed music21: real files, unchanged, none with terms."""

import collections
import dataclasses
import logging

import pytest

from musai.demo.catalogue import ENCODING_UNSTATED, installed_tunes, read_lyrics, read_manifest, score_of, track_rows
from musai.demo.corpus_text import corpus_folder, file_text, rights_statement
from musai.demo.make_manifest import FOLK_COUNTS, playable
from musai.errors import InputError

MANIFEST = read_manifest()
# Folder -> file suffixes from which tunes may come. Not Essen, Palestrina, trecento, Monteverdi, Clara Schumann, .krn.
ALLOWED = {
    "airdsAirs": {"abc"},
    "bach": {"mxl", "xml"},
    "beethoven": {"mxl"},
    "haydn": {"mxl"},
    "mozart": {"mxl"},
    "oneills1850": {"abc"},
    "ryansMammoth": {"abc"},
}


def test_every_tune_is_installed_unchanged(caplog):
    with caplog.at_level(logging.WARNING):
        assert installed_tunes(MANIFEST) == MANIFEST
    assert caplog.records == []


def test_only_allowed_sources_and_no_word_on_rights():
    corpus = corpus_folder()
    assert corpus is not None
    paths = {tune.corpus_path for tune in MANIFEST}
    assert {path.split("/")[0] for path in paths} == set(ALLOWED)
    assert [path for path in paths if path.rsplit(".", 1)[1] not in ALLOWED[path.split("/")[0]]] == []
    assert {path: rights_statement(corpus / path) for path in sorted(paths)} == dict.fromkeys(sorted(paths), "none")
    assert {tune.rights_statement for tune in MANIFEST} == {"none"}
    assert {tune.rights_class for tune in MANIFEST} == {ENCODING_UNSTATED}


def test_counts_and_keys():
    assert 300 <= len(MANIFEST) <= 400
    assert [tune.track_id for tune in MANIFEST] == sorted({tune.track_id for tune in MANIFEST})
    assert len({(tune.corpus_path, tune.tune_number) for tune in MANIFEST}) == len(MANIFEST)
    strata = collections.Counter((tune.album, tune.genre) for tune in MANIFEST)
    assert {stratum: strata[stratum] for stratum in FOLK_COUNTS} == FOLK_COUNTS
    genres = collections.Counter(tune.genre for tune in MANIFEST)
    assert genres["chorale"] == 45
    assert genres["classical"] == 21
    assert len({tune.artist for tune in MANIFEST}) >= 30


def test_titles_are_those_of_the_files():
    corpus = corpus_folder()
    assert corpus is not None
    by_id = {tune.track_id: tune for tune in MANIFEST}
    tune = by_id["oneill-0648"]
    assert (tune.title, tune.artist, tune.genre) == ("The Generous Woman", "Turlough O'Carolan", "air")
    assert "The Generous Woman" in file_text(corpus / tune.corpus_path)
    assert by_id["ryan-pop-goes-the-weasel"].title == "Pop Goes the Weasel"
    assert by_id["bach-bwv244.40"].title == "Werde munter, mein Gemüte (BWV 244.40)"


@pytest.mark.parametrize("track_id", ["oneill-0648", "ryan-pop-goes-the-weasel", "aird-0518", "bach-bwv66.6"])
def test_the_notes_can_be_read(track_id):
    tune = next(tune for tune in MANIFEST if tune.track_id == track_id)
    score = score_of(tune)
    assert score.count("X:") == 1 if isinstance(score, str) else score.is_file()
    assert playable(tune)


def test_a_changed_or_missing_file_is_left_out_and_named(caplog):
    changed = dataclasses.replace(MANIFEST[0], sha256="0" * 64)
    missing = dataclasses.replace(MANIFEST[1], corpus_path="airdsAirs/book9.abc")
    with caplog.at_level(logging.WARNING):
        assert installed_tunes([changed, missing, MANIFEST[2]]) == [MANIFEST[2]]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert f"{changed.corpus_path} differs" in caplog.text
    assert changed.track_id in caplog.text
    assert "airdsAirs/book9.abc is missing" in caplog.text
    assert missing.track_id in caplog.text
    assert MANIFEST[2].track_id not in caplog.text


def test_without_any_tune_there_is_no_demo(tmp_path):
    with pytest.raises(InputError, match="holds none of the files"):
        installed_tunes(MANIFEST, tmp_path)


def test_rows_of_the_tracks_input():
    row = track_rows(
        [tune for tune in MANIFEST if tune.track_id == "oneill-0648"], {"oneill-0648": {"midi_path": "a.mid"}}
    )[0]
    assert row == {
        "track_id": "oneill-0648",
        "title": "The Generous Woman",
        "artist": "Turlough O'Carolan",
        "album": "O'Neill's Music of Ireland",
        "genre": "air",
        "release_date": "1903",
        "language": "en",
        "lyrics": "",
        "tags": "traditional|ireland|major|4/4",
        "midi_path": "a.mid",
        "licence": "public-domain composition, encoding unstated",
        "explicit": "false",
    }


def test_words_are_of_tunes_of_the_manifest_and_say_their_language() -> None:
    lyrics = read_lyrics()
    rows = {row["track_id"]: row for row in track_rows(MANIFEST, collections.defaultdict(dict))}
    assert set(lyrics) <= set(rows)
    for track_id, (language, words) in lyrics.items():
        assert (rows[track_id]["language"], rows[track_id]["lyrics"]) == (language, words)
        assert language == "zh" if any("\u4e00" <= sign <= "\u9fff" for sign in words) else "en"
    assert {language for language, _ in lyrics.values()} == {"en", "zh"}
