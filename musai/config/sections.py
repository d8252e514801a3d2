"""The models of the configuration's sections: which keys there are and what each may hold."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    field_validator,
    model_validator,
)


def _number(value: Any) -> Any:
    """YAML reads yes, no, on and off as true and false, which Python would take for 1 and 0."""
    if value is True or value is False:
        raise ValueError("a number is due")
    return value


def _column(value: Any) -> str | int:
    if (isinstance(value, str) and value) or (type(value) is int and value >= 1):
        return value
    raise ValueError("a column's name (quoted where YAML reads it as something else) or its position from 1 is due")


def _scalar(value: Any) -> str | int | float | bool:
    if isinstance(value, str | int | float | bool):
        return value
    raise ValueError("a text, a number, true or false is due")


Real = Annotated[float, BeforeValidator(_number)]
NotNegative = Annotated[float, BeforeValidator(_number), Field(ge=0)]
AboveZero = Annotated[float, BeforeValidator(_number), Field(gt=0)]
Share = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)]
InnerShare = Annotated[float, BeforeValidator(_number), Field(gt=0, lt=1)]
Positive = Annotated[int, BeforeValidator(_number), Field(ge=1)]
Count = Annotated[int, BeforeValidator(_number), Field(ge=0)]
TheirColumn = Annotated[str | int, PlainValidator(_column)]
Setting = Annotated[str | int | float | bool, PlainValidator(_scalar)]
Method = Literal["cosine", "tfidf", "bm25", "cooccurrence", "rp3beta", "mean_centred", "neighbourhood_average"]

TrackMethod = Literal[Method, "linear"]

WEIGHTS = (1e-6, 1e6)  # that a part of the blend may have: scores are float32, where 1e-50 is 0 and 1e300 infinite

# Sections and keys that change where or how fast a night runs, never what it computes.
NOT_OF_THE_RESULT = ("warehouse", "audit", "report", "spark", "lineage", "log")


class Section(BaseModel):
    """A section of the configuration; an unknown key is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Warehouse(Section):
    path: Annotated[str, Field(min_length=1)]
    keep_runs: Positive
    keep_history_days: Positive
    publish_lease_s: AboveZero

    @field_validator("path")
    @classmethod
    def _no_pattern(cls, path: str) -> str:
        if found := sorted(set(path) & set("*?[]{}\\")):
            raise ValueError(f"Spark reads {' '.join(found)} in a path as a pattern; name another folder")
        return path


class FileFormat(Section):
    separator: str | None
    quote: Annotated[str, Field(max_length=1)]
    header: bool
    encoding: str


class Inputs(Section):
    interactions: str | None
    interactions_columns: dict[Literal["user_id", "track_id", "plays", "event", "timestamp"], TheirColumn]
    interactions_format: FileFormat
    tracks: str | None
    tracks_columns: dict[
        Literal[
            "track_id", "title", "artist", "album", "genre", "release_date", "language", "lyrics", "tags",
            "audio_path", "midi_path", "licence", "explicit",
        ],
        TheirColumn,
    ]  # fmt: skip
    tracks_format: FileFormat
    tags_separator: Annotated[str, Field(min_length=1)]
    media_roots: Annotated[list[str], Field(min_length=1)] | None
    aliases: str | None
    aliases_columns: dict[Literal["bad_id", "good_id"], TheirColumn]
    aliases_format: FileFormat
    erased_users: str | None
    blocked_tracks: str | None
    multiline: bool


class Ingest(Section):
    time_zone: str
    window_days: Positive | None
    earliest_date: dt.date
    event_weights: dict[str, Real]
    max_rejected_share: Share
    incremental: bool

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"no time zone {name!r}; write it as in the IANA list, Europe/Berlin say")
        return name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Matrix(Section):
    weighting: Literal["none", "log", "bm25"]
    log_scale: AboveZero
    bm25_k1: NotNegative
    bm25_b: Share
    recency_half_life_days: AboveZero | None
    min_tracks_per_user: Count
    min_users_per_track: Count


class Similarity(Section):
    backend: Literal["auto", "implicit", "spark"]
    local_max_interactions: Positive
    device: Literal["auto", "cpu", "gpu"]
    track_methods: list[TrackMethod]
    user_methods: list[Method]
    neighbours: Positive
    scoring_neighbours: Positive
    user_exponent: Real
    track_exponent: Real
    similar_exponent: Real
    bm25_k1: NotNegative
    bm25_b: Share
    rp3_alpha: NotNegative
    rp3_beta: Real
    linear_candidates: Positive
    linear_regularization: AboveZero
    linear_denoising: NotNegative
    linear_user_exponent: Real
    linear_memory_mb: Positive
    linear_exact_tracks: Count
    low_pass_factors: Positive
    user_knn_neighbours: Positive
    user_knn_user_exponent: Real
    user_knn_track_exponent: Real
    user_knn_similar_exponent: Real
    user_knn_power: AboveZero
    user_knn_pairs: Positive
    contrastive_device: Literal["auto", "cpu", "gpu"]
    contrastive_threads: Positive
    contrastive_factors: Positive
    contrastive_layers: Count
    contrastive_epochs: Positive
    contrastive_minutes: AboveZero
    contrastive_temperature: AboveZero
    max_tracks_per_user: Positive
    block_users: Positive

    @field_validator("track_methods", "user_methods")
    @classmethod
    def _once(cls, methods: list[TrackMethod]) -> list[TrackMethod]:
        if len(set(methods)) < len(methods):
            raise ValueError("a method is named twice")
        return methods

    @model_validator(mode="after")
    def _spark_has_no_gpu(self) -> Similarity:
        if self.backend == "spark" and self.device == "gpu":
            raise ValueError("device: gpu needs backend: implicit; Spark's form works on the processors of its nodes")
        return self


class Factorization(Section):
    backend: Literal["implicit", "spark"]
    device: Literal["auto", "cpu", "gpu"]
    factors: Positive
    iterations: Positive
    warm_iterations: Positive | None
    regularization: NotNegative
    regularization_exponent: NotNegative
    alpha: AboveZero

    @model_validator(mode="after")
    def _mllib_begins_anew(self) -> Factorization:
        if self.backend == "spark" and self.warm_iterations:
            raise ValueError("warm_iterations: MLlib always begins anew; backend: implicit does not")
        return self


GenerationMethod = Literal["rnn", "gan", "style_transfer"]


class Generation(Section):
    tracks: Count
    methods: dict[GenerationMethod, NotNegative]
    styles: dict[str, list[str]]
    emotions: Annotated[list[Literal["happy", "calm", "sad", "tense"]], Field(min_length=1)]
    bars: Annotated[int, BeforeValidator(_number), Field(ge=4, le=64)]
    temperature: AboveZero
    nucleus: Annotated[float, BeforeValidator(_number), Field(gt=0, le=1)]
    recall: NotNegative
    guidance: NotNegative
    candidates: Positive
    phrase_candidates: Positive
    attempts: Positive
    keep_tracks: Count
    list_length: Positive
    device: Literal["auto", "cpu", "gpu"]
    train_minutes: AboveZero
    licences: list[str]
    transfer_to: list[str]
    transfer_licences: list[str]


NetworkName = Literal["small", "musicnn", "fcn", "crnn", "moodtheme"]
Layers = Literal["last", "all"]
Sha256 = Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]


class FurtherNetwork(Section):
    """An entry of `embedding.also`."""

    network: NetworkName
    weights: str | None = None
    sha256: Sha256 | None = None
    layers: Layers = "last"


class Embedding(Section):
    network: NetworkName
    weights: str | None
    sha256: Sha256 | None
    layers: Layers
    also: list[FurtherNetwork]
    excerpts: Positive
    longest_h: AboveZero
    batch_excerpts: Positive
    device: Literal["auto", "cpu", "gpu"]
    train_epochs: Positive
    train_minutes: AboveZero
    train_processes: Positive
    contrastive: NotNegative


TrainingFile = Literal[
    "english_emotions",
    "english_affect",
    "word_vectors",
    "sentence_encoder",
    "chinese_reviews",
    "chinese_encoder",
    "notes",
    "sound",
]


class Emotion(Section):
    min_confidence: Share
    training: dict[TrainingFile, str]
    encoder_epochs: Positive
    encoder_minutes: AboveZero


Mood = Literal["mood:calm", "mood:happy", "mood:sad", "mood:energetic"]
ListName = Literal["for_you", "discover", "new_releases", Mood, "made_for_you"]


class Recommend(Section):
    top_n: Positive
    blend: dict[Literal["als", "popularity", "low_pass", "user_knn", "contrastive", "mood", TrackMethod], NotNegative]
    learn_blend_max_pairs: Count
    lists: list[ListName]
    max_tracks_per_artist: Positive | None
    explicit: Literal["allow", "exclude"]
    diversity: Share
    calibration: Share
    calibrate_by: Literal["genre", "mood"]
    popularity_exponent: NotNegative
    candidates: Positive
    popularity_by: Literal["genre", "language"] | None
    block_memory_mb: Positive
    device: Literal["auto", "cpu", "gpu"]
    gpu_precision: Literal["float32", "tf32", "bfloat16"]

    @property
    def reranked(self) -> bool:
        """Whether lists are chosen from their candidates rather than by score alone."""
        return bool(self.diversity or self.calibration or self.popularity_exponent)

    def plain(self) -> Recommend:
        """The same with nothing that goes beyond the blend's own order."""
        off = {"diversity": 0.0, "calibration": 0.0, "popularity_exponent": 0.0, "popularity_by": None}
        return self.model_copy(update=off)

    @model_validator(mode="after")
    def _the_score_counts(self) -> Recommend:
        if self.diversity + self.calibration >= 1:
            raise ValueError("diversity and calibration together leave the score no weight; less than 1 is due")
        return self

    @field_validator("lists")
    @classmethod
    def _for_you(cls, lists: list[str]) -> list[str]:
        if "for_you" not in lists:
            raise ValueError("the list for_you is always made")
        if len(set(lists)) < len(lists):
            raise ValueError("a list is named twice")
        return lists

    @field_validator("blend")
    @classmethod
    def _some_weight(cls, blend: dict[str, float]) -> dict[str, float]:
        if not any(blend.values()):
            raise ValueError("at least one part needs a weight above 0")
        low, high = WEIGHTS
        if wrong := sorted(part for part, weight in blend.items() if weight and not low <= weight <= high):
            raise ValueError(f"the weight of {', '.join(wrong)} is neither 0 nor from {low:g} to {high:g}")
        return blend


class Tuning(Section):
    used: bool
    minutes: NotNegative
    trials: Positive
    users: Positive
    k: Positive


class Evaluation(Section):
    every_n_nights: Positive
    holdout_share: InnerShare
    min_tracks: Annotated[int, BeforeValidator(_number), Field(ge=2)]
    ks: Annotated[list[Positive], Field(min_length=1)]
    max_users: Positive
    confidence: InnerShare
    resamples: Positive

    @field_validator("ks")
    @classmethod
    def _once(cls, ks: list[int]) -> list[int]:
        if len(set(ks)) < len(ks):
            raise ValueError("a cut is named twice")
        return ks


class Audit(Section):
    min_users_covered: Share
    min_list_overlap: Share
    max_quality_drop: Share
    quality_metric: Literal["recall", "ndcg", "map"]
    max_users_drop: Share


class Report(Section):
    listeners: Annotated[int, BeforeValidator(_number), Field(ge=1, le=200)]
    tracks: Annotated[int, BeforeValidator(_number), Field(ge=1, le=2000)]
    created: Annotated[int, BeforeValidator(_number), Field(ge=1, le=60)]
    runs: Annotated[int, BeforeValidator(_number), Field(ge=1, le=60)]


class Spark(Section):
    master: str
    driver_memory: str
    shuffle_partitions: Positive | None
    conf: dict[str, Setting]


class Lineage(Section):
    url: str | None
    namespace: str


class Log(Section):
    level: Literal["debug", "info", "warning", "error"]


# Parts of the blend beside similarity.track_methods.
NOT_OF_NEIGHBOURS = ("als", "popularity", "low_pass", "user_knn", "contrastive", "mood")


def blend_fault(recommend: Recommend, similarity: Similarity) -> str | None:
    missing = {name for name, weight in recommend.blend.items() if weight and name not in NOT_OF_NEIGHBOURS}
    missing -= set(similarity.track_methods)
    if not missing:
        return None
    return f"recommend.blend: names {', '.join(sorted(missing))}, which similarity.track_methods lacks"


class Config(Section):
    """The whole configuration; sections are named after the packages that read them."""

    seed: Annotated[int, BeforeValidator(_number), Field(ge=0, le=2**31 - 2)]
    warehouse: Warehouse
    inputs: Inputs
    ingest: Ingest
    matrix: Matrix
    similarity: Similarity
    factorization: Factorization
    generation: Generation
    embedding: Embedding
    emotion: Emotion
    recommend: Recommend
    tuning: Tuning
    evaluation: Evaluation
    audit: Audit
    report: Report
    spark: Spark
    lineage: Lineage
    log: Log
    _by_hand: frozenset[str] = PrivateAttr(frozenset())

    @model_validator(mode="after")
    def _blend_has_its_neighbours(self) -> Config:
        if fault := blend_fault(self.recommend, self.similarity):
            raise ValueError(fault)
        return self

    @property
    def by_hand(self) -> frozenset[str]:
        """The keys (section.name) that the user's files and the command line gave."""
        return self._by_hand

    def given_by_hand(self, keys: Iterable[str]) -> Config:
        """The same, of which it is known that those keys were given."""
        self._by_hand = frozenset(keys)
        return self

    def having(self, settings: Mapping[str, Any]) -> Config:
        """This configuration with other values of some keys (section.name)."""
        values = self.model_dump()
        for key, value in settings.items():
            section, name = key.split(".")
            values[section][name] = value
        return Config.model_validate(values).given_by_hand(self.by_hand)

    def tuned(self, settings: Mapping[str, Any]) -> Config:
        """`having` what was found, but for the keys that were given by hand."""
        return self.having({key: value for key, value in settings.items() if key not in self.by_hand})

    def digest(self) -> str:
        """sha256 over every key that can change a result, as canonical JSON."""
        values = self.model_dump(mode="json", exclude=set(NOT_OF_THE_RESULT))
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
