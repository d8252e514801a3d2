"""The configuration: pydantic models of every section, and how files and `KEY=VALUE` merge over `conf/base.yaml`.

All faults are reported at once, each with its key. The meaning of every key stands beside it in `conf/base.yaml`,
which holds every default; a test keeps the two together.
"""

from musai.config.loading import ConfigError, conf_path, load
from musai.config.sections import (
    NOT_OF_THE_RESULT,
    Audit,
    Config,
    Embedding,
    Evaluation,
    Factorization,
    FileFormat,
    Generation,
    Ingest,
    Inputs,
    Log,
    Matrix,
    Method,
    Recommend,
    Report,
    Section,
    Similarity,
    Spark,
    Tuning,
    Warehouse,
)

__all__ = [
    "NOT_OF_THE_RESULT",
    "Audit",
    "Config",
    "ConfigError",
    "Embedding",
    "Evaluation",
    "Factorization",
    "FileFormat",
    "Generation",
    "Ingest",
    "Inputs",
    "Log",
    "Matrix",
    "Method",
    "Recommend",
    "Report",
    "Section",
    "Similarity",
    "Spark",
    "Tuning",
    "Warehouse",
    "conf_path",
    "load",
]
