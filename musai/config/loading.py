"""Merge `conf/base.yaml`, the user's files and `KEY=VALUE` into one `Config`; every fault at once, a line each."""

from __future__ import annotations

import difflib
import importlib.resources
import pathlib
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import ValidationError

from musai.config.sections import Config, Recommend, Section, Similarity, Warehouse, blend_fault
from musai.errors import InputError
from musai.redaction import is_secret

OF_INPUTS = {"inputs", "ingest"}  # the sections that tell what the inputs are and how they are read
REPLACED_WHOLE = ("blend",)  # a blend of two parts in a file must not keep a third part of base.yaml


class ConfigError(InputError):
    """The configuration has faults. `rest` has every section that is right, and the defaults of the others; None where
    what tells of the inputs is at fault itself, so that nothing can be said of them."""

    def __init__(self, faults: Iterable[str], rest: Config | None) -> None:
        super().__init__(faults)
        self.rest = rest


def conf_path(name: str) -> pathlib.Path:
    """A file of `conf/`: beside the package in a clone, inside it in a wheel."""
    package = pathlib.Path(str(importlib.resources.files("musai")))
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "base.yaml").is_file():
            return folder / name
    raise InputError(f"{package}/conf: base.yaml is not in this installation")


def load(files: Sequence[str | pathlib.Path] = (), overrides: Iterable[str] = ()) -> Config:
    """Merge `conf/base.yaml`, `files` from left to right and `overrides` (`dotted.key=value`), then validate.

    A value of an override is read as YAML, so `recommend.blend={als: 1}` and `seed=7` do what they look like; where
    a text is due it is taken as it stands, so a folder called `2024` or `a #1` needs no quotes. In files and
    overrides a free mapping (columns, weights, spark.conf) takes new keys beside those that are there; a blend in a
    file or as `{...}` replaces the one before. Raises ConfigError with every fault found, each with its key.
    """
    merged = _read(conf_path("base.yaml"))
    known = list(_keys(merged))
    faults: list[str] = []
    given: set[str] = set()
    for file in files:
        try:
            content = _read(pathlib.Path(file))
        except InputError as error:
            faults += error.faults
        else:
            _merge(merged, content, Config)
            given.update(_of_sections(content))
    for override in overrides:
        key, equals, text = override.partition("=")
        if equals and key:
            value = _value(text, _annotation(key.split(".")))
            _put(merged, key.split("."), value, Config)
            given.update(_of_sections({key: value}))
        else:
            faults.append(f"{override}: KEY=VALUE is due")
    unread, wrong = bool(faults), set[str]()
    try:
        config = Config.model_validate(merged).given_by_hand(given)
    except ValidationError as error:
        faults += [_fault(part, known) for part in error.errors()]
        faults += _between_sections(merged)
        between = "recommend"  # no section's own fault: the blend beside what is worked out
        wrong = {str(part["loc"][0]) if part["loc"] else between for part in error.errors()}
    if faults:
        raise ConfigError(dict.fromkeys(faults), None if unread or wrong & OF_INPUTS else _rest(merged, wrong))
    return config


def _rest(merged: Mapping[str, Any], wrong: set[str]) -> Config | None:
    """The configuration with the defaults of what is wrong."""
    right = {name: section for name, section in merged.items() if name not in wrong}
    try:
        return Config.model_validate(_read(conf_path("base.yaml")) | right)
    except ValidationError:
        return None


def _of_sections(content: Mapping[Any, Any]) -> Iterable[str]:
    """The keys (section.name) that a file or an override sets."""
    for key, value in content.items():
        section, _, rest = str(key).partition(".")
        for name in [rest] if rest else value if isinstance(value, Mapping) else []:
            yield f"{section}.{str(name).partition('.')[0]}"


def _between_sections(merged: Mapping[str, Any]) -> list[str]:
    """What pydantic looks at only where every section by itself is right."""
    try:
        sections = Recommend.model_validate(merged["recommend"]), Similarity.model_validate(merged["similarity"])
    except ValidationError:
        return []
    fault = blend_fault(*sections)
    return [fault] if fault else []


def _read(path: pathlib.Path) -> dict[str, Any]:
    if not path.exists() and not path.is_absolute() and path.parts[:1] == ("conf",):
        path = conf_path(str(pathlib.Path(*path.parts[1:])))  # `--config conf/...` outside a clone
    try:
        text = path.read_text(encoding="utf-8")
        content, twice = _own(yaml.safe_load(text)), list(_twice(yaml.compose(text, yaml.SafeLoader)))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a day that is not in the calendar
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{where}: not YAML: {problem}") from error
    if twice:
        raise InputError([f"{path}:{line}: {key} stands here a second time" for line, key in twice])
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{path}: a mapping of keys is due, not a {type(content).__name__}")
    return content


def _own(content: Any) -> Any:
    """A copy in which no two keys share an object, as `*anchor` makes them: merging into one would change the other."""
    if isinstance(content, dict):
        return {key: _own(value) for key, value in content.items()}
    return [_own(value) for value in content] if isinstance(content, list) else content


def _twice(node: yaml.Node | None) -> Iterable[tuple[int, str]]:
    """(line, key) of every key that its mapping has already; YAML itself would silently take the last."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, key.value
            seen.add(str(key.value))
            yield from _twice(value)


def _merge(into: dict[str, Any], new: Mapping[Any, Any], model: type[Section]) -> None:
    """Merge a file's mapping over a section: sections and free mappings key by key, all else replaces."""
    for key, value in new.items():
        _put(into, str(key).split("."), value, model)


def _put(into: dict[str, Any], keys: Sequence[str], value: Any, model: type[Section]) -> None:
    """Set one key of a section, given the parts of its dotted name; an unknown one stays there for pydantic to find."""
    name, rest = keys[0], ".".join(keys[1:])
    annotation = _annotation([name], model)
    section = _section(annotation)
    before = into[name] if isinstance(into.get(name), dict) else {}
    if section is not None:
        if name == "warehouse" and not rest and not isinstance(value, Mapping):
            value = {"path": value}  # the contract's short form: warehouse=FOLDER
        if value is None and not rest:
            return  # a section whose every line is commented out
        if rest or isinstance(value, Mapping):
            into[name] = before
            _put(before, keys[1:], value, section) if rest else _merge(before, value, section)
            return
    elif get_origin(annotation) is dict:
        if rest:
            into[name] = {**before, rest: value}  # spark.conf.spark.executor.cores=2: the rest is one key
            return
        if isinstance(value, Mapping) and name not in REPLACED_WHOLE:
            into[name] = {**before, **value}
            return
    into[".".join(keys)] = value


def _annotation(keys: Sequence[str], model: type[Section] | None = Config) -> Any:
    """The declared type of a dotted key, or None: `warehouse.path` gives str, `spark.conf.a.b` a value's type there."""
    annotation: Any = model
    for depth, name in enumerate(keys):
        section = _section(annotation)
        if section is None:
            return get_args(annotation)[1] if get_origin(annotation) is dict and depth < len(keys) else None
        field = section.model_fields.get(name)
        annotation = field.annotation if field else None
    return annotation


def _section(annotation: Any) -> type[Section] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None


def _value(text: str, annotation: Any) -> Any:
    """What an override's text stands for, given the declared type of its key."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        value = text
    short = annotation is Warehouse and not text.startswith("{")
    kinds = {str} if short else set(_kinds(annotation))
    if str not in kinds:
        return value
    if text in ("", "null") and type(None) in kinds:
        return None
    if isinstance(value, str):
        return value if text[:1] in ("'", '"') else text
    return value if type(value) in kinds and value is not None else text


def _kinds(annotation: Any) -> Iterable[Any]:
    """The plain types that an annotation allows."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _kinds(part)
    else:
        yield str if origin is Literal else annotation


def _fault(error: Any, known: Sequence[str]) -> str:
    key = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if not key:
        return str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, known, n=1)
        return f"{key}: no such key" + (f"; did you mean {close[0]}?" if close else "")
    if error["loc"][-1] == "[key]" and "expected" in error.get("ctx", {}):
        return f"{key}: no such key; it is one of {error['ctx']['expected']}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] in ("model_type", "dict_type"):
        message = "a mapping of keys is due"
    return f"{key}: {message}" + ("" if is_secret(key) else f" (it is {_shown(error['input'])})")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _keys(tree: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    for key, value in tree.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _keys(value, f"{prefix}{key}.")
