"""spark-submit jobs/ingest_interactions.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "ingest_interactions", *sys.argv[1:]]))
