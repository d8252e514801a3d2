"""conf/base.yaml, the models and the code that reads them hold the same keys."""

from __future__ import annotations

import ast
import json
import pathlib
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import yaml

from musai.config import NOT_OF_THE_RESULT, Config, FileFormat, Section, Warehouse, conf_path, load
from musai.config.sections import Inputs
from musai.tables import TABLES

BASE = conf_path("base.yaml")
MUSAI = pathlib.Path(__file__).parents[2] / "musai"

# Keys that nothing reads yet. Strict: one that is read has to go from here.
NOT_READ_YET: set[str] = set()

# A value for every key that is no number; it differs from the default.
OTHER: dict[str, str] = {
    "seed": "43",
    "inputs.interactions": "x.csv",
    "inputs.interactions_columns": "{user_id: u}",
    "inputs.tracks": "x.csv",
    "inputs.tracks_columns": "{title: t}",
    "inputs.tags_separator": ";",
    "inputs.media_roots": "[x]",
    "inputs.aliases": "x.csv",
    "inputs.aliases_columns": "{bad_id: b}",
    "inputs.erased_users": "x.txt",
    "inputs.blocked_tracks": "x.txt",
    "inputs.multiline": "true",
    "ingest.time_zone": "Asia/Tokyo",
    "ingest.window_days": "30",
    "ingest.earliest_date": "2000-01-01",
    "ingest.event_weights": "{play: 2}",
    "ingest.incremental": "true",
    "matrix.weighting": "bm25",
    "matrix.recency_half_life_days": "30",
    "similarity.backend": "spark",
    "similarity.device": "cpu",
    "similarity.track_methods": "[cooccurrence, linear]",
    "similarity.user_methods": "[]",
    "similarity.contrastive_device": "cpu",
    "factorization.backend": "spark",
    "factorization.device": "cpu",
    "factorization.warm_iterations": "4",
    "embedding.network": "fcn",
    "embedding.weights": "x.pth",
    "embedding.sha256": "0" * 64,
    "embedding.layers": "all",
    "embedding.also": "[{network: fcn, weights: x.pth}]",
    "embedding.device": "cpu",
    "generation.device": "cpu",
    "recommend.device": "auto",
    "recommend.gpu_precision": "tf32",
    "emotion.training": "{notes: x.csv}",
    "generation.styles": "{folk: [polka]}",
    "generation.emotions": "[sad]",
    "generation.licences": "[CC0-1.0]",
    "generation.methods": "{rnn: 1.0}",
    "generation.transfer_to": "[folk]",
    "generation.transfer_licences": "[CC0-1.0]",
    "tuning.used": "false",
    "recommend.blend": "{als: 1}",
    "recommend.lists": "[for_you]",
    "recommend.max_tracks_per_artist": "3",
    "recommend.explicit": "exclude",
    "recommend.diversity": "0.3",
    "recommend.calibration": "0.3",
    "recommend.calibrate_by": "mood",
    "recommend.popularity_exponent": "0.2",
    "recommend.popularity_by": "language",
    "evaluation.ks": "[1]",
    "audit.quality_metric": "map",
    "spark.master": "local[1]",
    "spark.driver_memory": "1g",
    "spark.shuffle_partitions": "3",
    "spark.conf": "{a: 1}",
    "lineage.url": "x.jsonl",
    "lineage.namespace": "nights",
    "log.level": "debug",
    "warehouse.path": "elsewhere",
} | {
    f"inputs.{file}_format.{key}": value
    for file in ("interactions", "tracks", "aliases")
    for key, value in {"separator": ";", "quote": "'", "header": "false", "encoding": "latin-1"}.items()
}


def fields(model: type[Section] = Config, prefix: str = "") -> Iterator[str]:
    """Every key of the models, dotted; a free mapping is one."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from fields(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, dict) and f"{prefix}{name}" not in FIELDS:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


FIELDS = list(fields())


def other(key: str) -> str:
    """A value that differs from the default, by hand or, for a number, a little more or less than it."""
    if key in OTHER:
        return OTHER[key]
    default: Any = load()
    for part in key.split("."):
        default = getattr(default, part)
    assert isinstance(default, int | float), f"{key} needs a value in OTHER"
    if isinstance(default, int):
        return str(default + 1)
    return str(default / 2)


def test_base_yaml_has_exactly_the_keys_of_the_models() -> None:
    assert list(leaves(yaml.safe_load(BASE.read_text(encoding="utf-8")))) == FIELDS


def test_base_yaml_is_the_default_of_every_key() -> None:
    """Models without defaults: what a key stands for can be read in one place only."""
    assert [key for key in FIELDS if key.count(".") == 0] == ["seed"]
    for section in (Config, *(field.annotation for field in Config.model_fields.values()), FileFormat):
        if isinstance(section, type) and issubclass(section, Section):
            assert all(field.is_required() for field in section.model_fields.values()), section


def test_every_key_of_base_yaml_has_a_comment_or_its_section_has_one() -> None:
    text = BASE.read_text(encoding="utf-8")
    lines, root = text.splitlines(), yaml.compose(text, yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    bare = [key for key, places in key_lines(root) if not any("#" in lines[place] for place in places)]
    assert bare == []


def key_lines(node: yaml.MappingNode, prefix: str = "", above: tuple[int, ...] = ()) -> Iterator[tuple[str, set[int]]]:
    """(dotted key, the lines of the key itself and of the sections around it)."""
    for key, value in node.value:
        path, lines = f"{prefix}{key.value}", (*above, key.start_mark.line)
        if isinstance(value, yaml.MappingNode) and value.value and value.start_mark.line > key.start_mark.line:
            yield from key_lines(value, f"{path}.", lines)
        else:
            yield path, set(lines)


@pytest.mark.parametrize("key", FIELDS)
def test_the_digest_changes_with_every_key_that_changes_results_and_with_no_other(key: str) -> None:
    changed = load(overrides=[f"{key}={other(key)}"])
    assert changed != load()
    assert (changed.digest() == load().digest()) == (key.split(".", maxsplit=1)[0] in NOT_OF_THE_RESULT)


def test_the_digest_depends_on_values_not_on_how_they_are_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.yaml").write_text("recommend: {blend: {als: 1, cosine: 2.0}}\n")
    (tmp_path / "b.yaml").write_text("recommend: {blend: {cosine: 2, als: 1.0}}\n")
    digests = {load([tmp_path / name]).digest() for name in ("a.yaml", "b.yaml")}
    digests.add(load(overrides=['recommend.blend={"als":1,"cosine":2}']).digest())
    assert len(digests) == 1
    assert digests != {load().digest()}


def test_the_configuration_survives_json() -> None:
    config = load(overrides=["inputs.interactions_columns.user_id=1"])
    assert Config.model_validate(json.loads(config.model_dump_json())).model_dump() == config.model_dump()


def test_columns_of_the_catalogue_are_those_of_its_table() -> None:
    keys = get_args(get_args(Inputs.model_fields["tracks_columns"].annotation)[0])
    assert list(keys) == TABLES["tracks"].column_names


# -- keys and the code that reads them ---------------------------------------------------------------------------

SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
MODELS: list[type[Section]] = [Config, FileFormat, *SECTIONS.values()]
CLASSES: dict[str, type[Section]] = {kind.__name__: kind for kind in MODELS}
CLASSES.pop(Warehouse.__name__)  # musai.warehouse has a class of that name


def source_trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(MUSAI.rglob("*.py")):
        if "config" not in path.relative_to(MUSAI).parts[0]:
            yield path.relative_to(MUSAI.parent).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def uses(tree: ast.AST, known: dict[str, type[Section]]) -> Iterator[tuple[type[Section], str, int]]:
    """(model, attribute, line) of every attribute that is read of a section: `config.x.y`, or by a name that is
    annotated as a section or assigned from one within the function. `known`: names that hold a section already."""
    known = {**known, **dict(_bound(tree, known))}
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from uses(node, known)
            continue
        for part in _without_functions(node):
            if isinstance(part, ast.Attribute) and (model := model_of(part.value, known)):
                yield model, part.attr, part.lineno
            elif isinstance(part, ast.FunctionDef):
                yield from uses(part, known)


def _without_functions(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield child
        else:
            yield from _without_functions(child)


def _bound(tree: ast.AST, known: dict[str, type[Section]]) -> Iterator[tuple[str, type[Section]]]:
    if isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
        for argument in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs):
            name = ast.unparse(argument.annotation).split(".")[-1] if argument.annotation else ""
            if name in CLASSES:
                yield argument.arg, CLASSES[name]
    for node in ast.iter_child_nodes(tree) if not isinstance(tree, ast.Module) else ():
        if not isinstance(node, ast.Assign):
            continue
        pairs: list[tuple[ast.expr, ast.expr]] = [(node.targets[0], node.value)]
        if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = list(zip(node.targets[0].elts, node.value.elts, strict=False))
        for target, value in pairs:
            if isinstance(target, ast.Name) and (model := model_of(value, known)):
                yield target.id, model


def model_of(node: ast.AST, known: dict[str, type[Section]]) -> type[Section] | None:
    """The section that an expression holds, as far as its text tells."""
    if isinstance(node, ast.Name):
        return known.get(node.id) or (Config if node.id == "config" else None)
    if isinstance(node, ast.Attribute):
        if node.attr == "config":
            return Config
        above = model_of(node.value, known)
        field = above.model_fields.get(node.attr) if above else None
        kind = field.annotation if field else None
        return kind if isinstance(kind, type) and issubclass(kind, Section) else None
    return None


def test_every_key_that_is_used_exists() -> None:
    wrong = []
    for name, tree in source_trees():
        for model, attribute, line in uses(tree, {}):
            is_key = not attribute[0].isupper()  # config.Similarity, where the module is meant
            if is_key and attribute not in model.model_fields and not hasattr(model, attribute):
                wrong.append(f"{name}:{line}: {model.__name__} has no {attribute}")
    assert wrong == []


def test_every_key_is_used() -> None:
    """Of `inputs` by name alone, for its three files are read by one piece of code (`f"{name}_columns"`)."""
    trees = [tree for _, tree in source_trees()]
    read = {(model, attribute) for tree in trees for model, attribute, _ in uses(tree, {})}
    nodes = [node for tree in trees for node in ast.walk(tree)]
    words = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    words |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    unread = set()
    for key in FIELDS:
        *sections, name = key.split(".")
        by_name = sections[:1] == ["inputs"] and (name in words or f"_{name.split('_')[-1]}" in words)
        if not by_name and (owner(sections), name) not in read:
            unread.add(key)
    assert unread == NOT_READ_YET


def owner(sections: list[str]) -> type[Section]:
    model: type[Section] = Config
    for name in sections:
        model = model.model_fields[name].annotation  # type: ignore[assignment]
    return model
