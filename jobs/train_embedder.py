"""spark-submit jobs/train_embedder.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "train_embedder", *sys.argv[1:]]))
