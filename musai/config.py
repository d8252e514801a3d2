"""The configuration: pydantic models of every section, and how files and `KEY=VALUE` merge over `conf/base.yaml`.

All faults are reported at once, each with its key. The meaning of every key stands beside it in `conf/base.yaml`,
which holds every default; a test keeps the two together.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.resources
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from musai.errors import InputError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Method = Literal["cosine", "tfidf", "bm25", "cooccurrence", "mean_centred", "neighbourhood_average"]

# Sections and keys that change where or how fast a night runs, never what it computes.
NOT_OF_THE_RESULT = ("warehouse", "audit", "spark", "log")


class Section(BaseModel):
    """A section of the configuration; an unknown key is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Warehouse(Section):
    path: str
    keep_runs: Positive
    keep_history_days: Positive
    publish_lease_s: Annotated[float, Field(gt=0)]


class FileFormat(Section):
    separator: str | None
    quote: Annotated[str, Field(max_length=1)]
    header: bool
    encoding: str


class Inputs(Section):
    interactions: str | None
    interactions_columns: dict[Literal["user_id", "track_id", "plays", "event", "timestamp"], str | int]
    interactions_format: FileFormat
    tracks: str | None
    tracks_columns: dict[str, str | int]
    tracks_format: FileFormat
    tags_separator: Annotated[str, Field(min_length=1)]
    aliases: str | None
    aliases_columns: dict[Literal["bad_id", "good_id"], str | int]
    aliases_format: FileFormat
    erased_users: str | None
    blocked_tracks: str | None
    multiline: bool


class Ingest(Section):
    time_zone: str
    window_days: Positive | None
    earliest_date: dt.date
    event_weights: dict[str, float]
    max_rejected_share: Share

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
    log_scale: Annotated[float, Field(gt=0)]
    bm25_k1: Annotated[float, Field(ge=0)]
    bm25_b: Share
    recency_half_life_days: Annotated[float, Field(gt=0)] | None
    min_tracks_per_user: Count
    min_users_per_track: Count


class Similarity(Section):
    backend: Literal["auto", "implicit", "spark"]
    local_max_interactions: Positive
    track_methods: list[Method]
    user_methods: list[Method]
    neighbours: Positive
    scoring_neighbours: Positive
    user_exponent: float
    track_exponent: float
    similar_exponent: float
    bm25_k1: Annotated[float, Field(ge=0)]
    bm25_b: Share
    max_tracks_per_user: Positive
    block_users: Positive

    @field_validator("track_methods", "user_methods")
    @classmethod
    def _once(cls, methods: list[Method]) -> list[Method]:
        if len(set(methods)) < len(methods):
            raise ValueError("a method is named twice")
        return methods


class Factorization(Section):
    backend: Literal["implicit", "spark"]
    device: Literal["auto", "cpu", "gpu"]
    factors: Positive
    iterations: Positive
    regularization: Annotated[float, Field(ge=0)]
    alpha: Annotated[float, Field(gt=0)]


class Recommend(Section):
    top_n: Positive
    blend: dict[Literal["als"] | Method, Annotated[float, Field(ge=0)]]
    lists: list[Literal["for_you", "discover"]]
    max_tracks_per_artist: Positive | None
    explicit: Literal["allow", "exclude"]
    block_memory_mb: Positive

    @field_validator("lists")
    @classmethod
    def _for_you(cls, lists: list[str]) -> list[str]:
        if "for_you" not in lists:
            raise ValueError("the list for_you is always made")
        return lists

    @field_validator("blend")
    @classmethod
    def _some_weight(cls, blend: dict[str, float]) -> dict[str, float]:
        if not any(blend.values()):
            raise ValueError("at least one part needs a weight above 0")
        return blend


class Evaluation(Section):
    every_n_nights: Positive
    holdout_share: Annotated[float, Field(gt=0, lt=1)]
    min_tracks: Annotated[int, Field(ge=2)]
    ks: Annotated[list[Positive], Field(min_length=1)]
    max_users: Positive
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Positive


class Audit(Section):
    min_users_covered: Share
    min_list_overlap: Share
    max_quality_drop: Share
    quality_metric: Literal["recall", "ndcg", "map"]
    max_users_drop: Share


class Spark(Section):
    master: str
    driver_memory: str
    shuffle_partitions: Positive | None
    conf: dict[str, str | int | float | bool]


class Log(Section):
    level: Literal["debug", "info", "warning", "error"]


class Config(Section):
    """The whole configuration; sections are named after the packages that read them."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 2)]
    warehouse: Warehouse
    inputs: Inputs
    ingest: Ingest
    matrix: Matrix
    similarity: Similarity
    factorization: Factorization
    recommend: Recommend
    evaluation: Evaluation
    audit: Audit
    spark: Spark
    log: Log

    @model_validator(mode="after")
    def _blend_has_its_neighbours(self) -> Config:
        missing = {name for name, weight in self.recommend.blend.items() if weight and name != "als"}
        missing -= set(self.similarity.track_methods)
        if missing:
            raise ValueError(f"recommend.blend names {sorted(missing)}, which similarity.track_methods lacks")
        return self

    def digest(self) -> str:
        """sha256 over every key that can change a result, as canonical JSON."""
        values = self.model_dump(mode="json", exclude=set(NOT_OF_THE_RESULT))
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def conf_path(name: str) -> pathlib.Path:
    """A file of `conf/`: beside the package in a clone, inside it in a wheel."""
    package = pathlib.Path(str(importlib.resources.files("musai")))
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "base.yaml").is_file():
            return folder / name
    raise InputError(f"{package}/conf: base.yaml is not in this installation")


def load(files: Sequence[str | pathlib.Path] = (), overrides: Iterable[str] = ()) -> Config:
    """Merge `conf/base.yaml`, `files` from left to right and `overrides` (`dotted.key=value`), then validate.

    A value of an override is read as YAML, so `recommend.blend={als: 1}` and `seed=7` do what they look like.
    Raises InputError with every fault found, each with its key.
    """
    merged = _read(conf_path("base.yaml"))
    known = json.loads(json.dumps(merged, default=str))
    faults: list[str] = []
    for file in files:
        try:
            _merge(merged, _read(pathlib.Path(file)))
        except InputError as error:
            faults += error.faults
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            faults.append(f"{override}: KEY=VALUE is due")
            continue
        try:
            value = yaml.safe_load(text) if text else None
        except yaml.YAMLError:
            value = text
        _merge(merged, _nested(key.split("."), _as_text(key, text, value)))
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        faults += [_fault(part, known) for part in error.errors()]
    if faults:
        raise InputError(faults)
    return config


def _read(path: pathlib.Path) -> dict[str, Any]:
    if not path.is_file() and not path.is_absolute() and not path.exists() and path.parts[:1] == ("conf",):
        path = conf_path(str(pathlib.Path(*path.parts[1:])))  # `--config conf/...` outside a clone
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(f"{where}: not YAML: {getattr(error, 'problem', error)}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{path}: a mapping of keys is due, not a {type(content).__name__}")
    return content


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    """Merge `new` over `into`. A mapping merges key by key, all else replaces; free mappings replace whole."""
    for key, value in new.items():
        if key == "warehouse" and not isinstance(value, Mapping):
            value = {"path": value}  # the contract's short form: warehouse=FOLDER
        if isinstance(value, Mapping) and isinstance(into.get(key), dict) and key not in REPLACED_WHOLE:
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


# A blend of two parts in a file must not keep a third part of base.yaml.
REPLACED_WHOLE = ("blend",)
PATHS = ("warehouse", "warehouse.path", "inputs.interactions", "inputs.tracks")


def _as_text(key: str, text: str, value: Any) -> Any:
    """A path or a column called `2024` or `null` stays text."""
    path_like = key in PATHS or key.startswith("inputs.") and key.endswith(("aliases", "users", "tracks"))
    return text if path_like and text and text != "null" else value


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    return {keys[0]: value if len(keys) == 1 else _nested(keys[1:], value)}


def _fault(error: Any, known: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"] if part != "[key]") or "configuration"
    if error["type"] == "extra_forbidden":
        import difflib

        close = difflib.get_close_matches(key, list(_keys(known)), n=1)
        return f"{key}: no such key" + (f"; did you mean {close[0]}?" if close else "")
    message = error["msg"].removeprefix("Value error, ")
    return f"{key}: {message} (it is {_shown(error['input'])})" if key != "configuration" else message


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _keys(tree: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    for key, value in tree.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _keys(value, f"{prefix}{key}.")
