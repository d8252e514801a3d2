"""spark-submit jobs/compute_similarities.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "compute_similarities", *sys.argv[1:]]))
