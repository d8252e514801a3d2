"""spark-submit jobs/tune_recommender.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "tune_recommender", *sys.argv[1:]]))
