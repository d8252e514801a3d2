"""The tables of new music: the models, the tracks, what was refused, and how like real music they are."""

from __future__ import annotations

from musai.tables.declaration import Table, columns

ORIGINALITY = "struct<longest_run:int,copied_share:double,nearest_track_id:string,verdict:string>"

DECLARED = (
    Table(
        "generated_tracks",
        "nightly",
        ("generated_id",),
        ("generate_tracks",),
        ("recommend_tracks", "evaluate_music", "audit_run", "build_report"),
        columns(f"""
            generated_id string | the track; never an id of the catalogue
            created_run_id string | the run that made it
            method string | rnn, gan or style_transfer
            style string | style it was asked for
            target_style string | of style_transfer: the style it was moved to
            source_track_id string | of style_transfer: the catalogue's track it was made of
            emotion string | quadrant it was asked for: happy, calm, sad or tense
            seed bigint | of its first attempt
            model string | sha256 of the model file
            midi binary | MIDI file, with its provenance in a marker
            duration_s double | seconds
            notes int | notes
            metrics map<string,double> | as in generation_metrics; of gan also realism, in deviations from real phrases
            originality {ORIGINALITY} | against all training music; notes, share of the notes
            embedding array<float> | how it sounds, as in track_embeddings; null without an embedder
            valence double | -1..1, as it is heard; null where nothing judged it
            arousal double | -1..1, likewise
            licence string | licence of the track
            provenance string | JSON: model, manifest, licences, seed, sampler, source, nearest piece, verdict
        """),
        "Music made by models; earlier nights' tracks are carried.",
        optional=True,
    ),
    Table(
        "refused_tracks",
        "internal",
        ("method", "style", "reason"),
        ("generate_tracks",),
        ("evaluate_music",),
        columns("""
            method string | as in generated_tracks
            style string | likewise; all: of no style, as sources that may not be transferred
            reason string | what was wrong, or `sampled`: all that were looked at
            pieces bigint | pieces; one may have several faults
        """),
        "What never became a track, by reason.",
        optional=True,
    ),
    Table(
        "generation_metrics",
        "nightly",
        ("method", "style", "metric"),
        ("evaluate_music",),
        (
            "audit_run",
            "build_report",
        ),
        columns("""
            method string | as in generated_tracks
            style string | likewise; all for a total
            metric string | overlapping areas, transitions, structure, frechet_distance; shares refused, heard, at home
            generated double | tonight's tracks against held-out real pieces of the style
            real double | other held-out real pieces of the style against the same
            other_style double | real pieces of the nearest other style against the same
        """),
        "How like real music tonight's tracks are.",
        optional=True,
    ),
)
