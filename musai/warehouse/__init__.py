"""A run's tables: write them, verify them, publish them in one atomic step, read what is published, expire the old.

Layout (contract.md): `<table>/run_id=<run_id>/part-*.parquet` with `_manifest.json` last; `_runs/<run_date>.json` and
`_published.json` are the pointers. Ours alone: `_nights/<run_id>/` holds the run's record, its state and its internal
tables, `_days/` what ingest keeps of the files that it read, `_lease/` the lease of who publishes, `_listening/` the
keys and results of listening tests. A storage that cannot be written is a MusaiError that names the file: nothing of
what is published is harmed by it, and a later attempt may find the disk mended.
"""

from musai.warehouse.digests import schema_of, small_file, typed
from musai.warehouse.publishing import PUBLISHED, Warehouse, begin_record
from musai.warehouse.runs import MANIFEST, Run

__all__ = ["MANIFEST", "PUBLISHED", "Run", "Warehouse", "begin_record", "schema_of", "small_file", "typed"]
