"""The tables of emotion."""

from __future__ import annotations

from musai.tables.declaration import Table, columns

DECLARED = (
    Table(
        "track_emotions",
        "nightly",
        ("track_id",),
        ("tag_emotions",),
        (
            "predict_factors",
            "generate_tracks",
            "recommend_tracks",
            "evaluate_recommendations",
            "audit_run",
            "build_report",
        ),
        columns("""
            track_id string | the track
            valence double | -1..1; 1 = two standard deviations above neutral
            arousal double | -1..1, likewise
            label string | happy (V+A+), calm (V+A-), sad (V-A-), tense (V-A+), neutral (both within .15 of 0)
            probabilities map<string,double> | of each label; they add up to 1
            sources array<string> | which spoke: lyrics, audio, midi, tags
            confidence double | how often such a label is right; several sources are assumed independent
        """),
        "How tracks feel; a track of which no source says anything has no row.",
        optional=True,
    ),
    Table(
        "emotion_inputs",
        "internal",
        ("track_id",),
        ("tag_emotions",),
        ("tag_emotions",),
        columns("""
            track_id string | the track
            content_hash string | of all that was read of it and of the models; also of tracks without a row
            reason string | why its MIDI could not be read
            place string | the MIDI file
            valence_by_source map<string,double> | what each source alone says
            arousal_by_source map<string,double> | likewise
            disagreement double | distance of the sources over what their errors explain (Birge ratio); null of one
        """),
        "What each row of track_emotions was made from: a track with the same hash is carried from the parent run.",
        optional=True,
    ),
)
