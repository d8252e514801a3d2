"""The tables of the recommendation half and of the run itself, in the order in which a night makes them."""

from __future__ import annotations

from musai.tables.declaration import Table, columns

DECLARED = (
    Table(
        "interactions",
        "nightly",
        ("user_id", "track_id"),
        ("ingest_interactions",),
        (
            "build_user_item",
            "generate_tracks",
            "recommend_tracks",
            "evaluate_recommendations",
            "tune_recommender",
            "audit_run",
            "build_report",
        ),
        columns("""
            user_id string | the listener, in the user's own text
            track_id string | the track, after aliases
            plays double | sum of plays x event weight; may be <= 0
            events bigint | rows of the log that were added up
            last_event_at timestamp | the last event with a timestamp; null without any
        """),
        "Who listened to what, over the whole window.",
    ),
    Table(
        "aliases",
        "internal",
        ("bad_id",),
        ("ingest_interactions",),
        ("ingest_tracks", "recommend_tracks", "audit_run"),
        columns("""
            bad_id string | a track id of inputs.aliases
            good_id string | what it stands for, chains followed to their end
        """),
        "The aliases that were used.",
        optional=True,
    ),
    Table(
        "tracks",
        "nightly",
        ("track_id",),
        ("ingest_tracks",),
        (
            "embed_tracks",
            "tag_emotions",
            "predict_factors",
            "train_embedder",
            "generate_tracks",
            "train_generators",
            "recommend_tracks",
            "evaluate_recommendations",
            "evaluate_music",
            "audit_run",
            "build_report",
        ),
        columns("""
            track_id string | the track
            title string | title
            artist string | artist or composer
            album string | album or collection
            genre string | genre
            release_date date | day of release; the first of the month or year where only that is known
            language string | language of the words
            lyrics string | words of the song
            tags array<string> | tags
            audio_path string | sound file
            midi_path string | MIDI file
            licence string | licence
            explicit boolean | true: left out where recommend.explicit is exclude
        """),
        "The catalogue, checked.",
        optional=True,
    ),
    Table(
        "rejected_rows",
        "nightly",
        (),
        ("ingest_interactions", "ingest_tracks", "embed_tracks", "tag_emotions"),
        ("audit_run", "build_report"),
        columns("""
            source string | the input: interactions, tracks, aliases; a file of a track: audio, midi
            place string | file:line, file:row N (Parquet) or the file
            reason string | why it could not be used
            raw string | the row, cut at 1,000 characters, undecodable bytes as \\xNN
        """),
        "Rows and files that could not be used.",
        by_job=True,
    ),
    Table(
        "users",
        "nightly",
        ("user_index",),
        ("build_user_item",),
        (
            "compute_similarities",
            "train_als",
            "recommend_tracks",
            "evaluate_recommendations",
            "audit_run",
            "build_report",
        ),
        columns("""
            user_index int | 0.. in the order of user_id
            user_id string | the listener
            interactions bigint | distinct tracks
            plays double | sum of plays
        """),
        "Everyone in interactions.",
    ),
    Table(
        "items",
        "nightly",
        ("item_index",),
        ("build_user_item",),
        (
            "compute_similarities",
            "train_als",
            "predict_factors",
            "recommend_tracks",
            "evaluate_recommendations",
            "audit_run",
            "train_embedder",
        ),
        columns("""
            item_index int | 0.. in the order of track_id
            track_id string | the track
            interactions bigint | distinct listeners
            plays double | sum of plays
        """),
        "Every track in interactions.",
    ),
    Table(
        "user_item",
        "nightly",
        ("user_index", "item_index"),
        ("build_user_item",),
        ("compute_similarities", "train_als", "recommend_tracks", "audit_run"),
        columns("""
            user_index int | row of the matrix
            item_index int | column of the matrix
            weight float | > 0, after weighting and activity filters
        """),
        "The user-item matrix.",
    ),
    Table(
        "unweighted",
        "internal",
        ("user_index", "item_index"),
        ("build_user_item",),
        ("recommend_tracks",),
        columns("""
            user_index int | row
            item_index int | column
            weight float | what it would be in user_item, of a listener below matrix.min_tracks_per_user; else 0
        """),
        "Pairs that were heard and are not in user_item: no weight above 0, or filtered.",
    ),
    Table(
        "similar_tracks",
        "nightly",
        ("track_id", "method", "rank"),
        ("compute_similarities",),
        ("audit_run",),
        columns("""
            track_id string | the track
            method string | cosine, tfidf, bm25, cooccurrence, rp3beta, mean_centred, neighbourhood_average, linear
            rank int | 1 = most similar
            similar_track_id string | the neighbour, never the track itself
            score float | similarity by the method
        """),
        "Item-based neighbours.",
    ),
    Table(
        "similar_users",
        "nightly",
        ("user_id", "method", "rank"),
        ("compute_similarities",),
        ("audit_run",),
        columns("""
            user_id string | the listener
            method string | as in similar_tracks
            rank int | 1 = most similar
            similar_user_id string | the neighbour, never the listener himself
            score float | similarity by the method
        """),
        "User-based neighbours.",
    ),
    Table(
        "track_neighbours",
        "internal",
        ("method", "item_index", "rank"),
        ("compute_similarities",),
        ("recommend_tracks",),
        columns("""
            method string | as in similar_tracks
            item_index int | the track
            rank int | 1 = most similar
            similar_index int | the neighbour
            score float | similarity
        """),
        "similar_tracks by index.",
    ),
    Table(
        "als_factors",
        "internal",
        ("side", "row_index"),
        ("train_als",),
        ("recommend_tracks",),
        columns("""
            side string | user or track
            row_index int | user_index or item_index
            factors array<float> | the row's vector
        """),
        "user_factors and track_factors by index.",
    ),
    Table(
        "user_factors",
        "nightly",
        ("user_id",),
        ("train_als",),
        ("recommend_tracks", "audit_run"),
        columns("""
            user_id string | the listener
            factors array<float> | factorization.factors numbers; zeros without weights in the matrix
        """),
        "ALS factors of the listeners.",
    ),
    Table(
        "track_factors",
        "nightly",
        ("track_id",),
        ("train_als",),
        ("predict_factors", "audit_run", "evaluate_recommendations", "train_embedder"),
        columns("""
            track_id string | the track
            factors array<float> | factorization.factors numbers; zeros without weights in the matrix
        """),
        "ALS factors of the tracks.",
    ),
    Table(
        "blend_weights",
        "internal",
        ("part",),
        ("recommend_tracks",),
        ("evaluate_recommendations",),
        columns("""
            part string | of recommend.blend
            weight double | learned on plays that were held out of the night's own matrix
        """),
        "The blend of a night that nobody has tuned.",
        optional=True,
    ),
    Table(
        "recommendations",
        "nightly",
        ("user_id", "list", "rank"),
        ("recommend_tracks",),
        ("evaluate_recommendations", "audit_run", "build_report"),
        columns("""
            user_id string | the listener
            list string | for_you, discover, new_releases, mood:calm, mood:happy, mood:sad, mood:energetic, made_for_you
            rank int | 1 = first
            track_id string | the track
            score float | of the blend, comparable within a list only; re-ranking and the artist cap may leave its order
            source string | the largest part: als, low_pass, mood, a method, popularity, catalogue, content, style
            because_track_id string | the heard track most like it by neighbours, else (places 1 to 20) by ALS, or null
        """),
        "Top-N lists.",
        served=True,
    ),
    Table(
        "recommendation_metrics",
        "history",
        ("metric", "k", "list", "listeners"),
        ("evaluate_recommendations",),
        ("audit_run", "build_report"),
        columns("""
            metric string | recall, ndcg, map, coverage, novelty, popularity_share, diversity
            k int | cut of the list
            list string | for_you; discover, on held-out tracks of artists new to the listener
            listeners string | all, light, medium, heavy
            value double | the figure on held-out tracks
            low double | lower end of the interval
            high double | upper end of the interval
            baseline double | the same figure for the popularity list
            users bigint | listeners measured
        """),
        "Quality by night.",
    ),
    Table(
        "model_settings",
        "weekly",
        ("name",),
        ("tune_recommender",),
        ("compute_similarities", "train_als", "recommend_tracks", "evaluate_recommendations"),
        columns("""
            name string | a key of the configuration
            value string | what it is for the nights, as JSON
        """),
        "Settings that won on held-out plays.",
    ),
    Table(
        "tuning_trials",
        "history",
        ("trial",),
        ("tune_recommender",),
        (),
        columns("""
            trial int | 1 = first; of the last two, which others judged, the last one is what the nights are to have
            settings string | keys of the configuration and their values, as JSON
            metric string | ndcg@k of held-out plays
            value double | its mean over listeners
            seconds double | wall time
        """),
        "What was tried.",
    ),
    Table(
        "audit_results",
        "internal",
        ("check",),
        ("audit_run",),
        ("build_report", "publish"),
        columns("""
            check string | what was checked
            passed boolean | whether it holds
            message string | what was found, with its bound
        """),
        "What the audit found.",
    ),
    Table(
        "report_files",
        "internal",
        ("path",),
        ("build_report",),
        ("publish",),
        columns("""
            path string | the page (.html) or a sound beside it, relative to the warehouse
            digest string | sha256 of its bytes
            bytes bigint | how many
        """),
        "The page that shows the run, and its sounds.",
    ),
    Table(
        "job_log",
        "history",
        ("job", "attempt"),
        (),
        ("build_report",),
        columns("""
            job string | the job
            attempt int | 1 = first
            started_at timestamp | UTC
            seconds double | wall time
            rows_read bigint | rows of the tables and inputs it read
            rows_written bigint | rows of the tables it wrote
            rejected bigint | rows it rejected
            status string | done, failed, refused
            message string | what it has to say
        """),
        "What every job did, night by night; written by all of them.",
    ),
)
