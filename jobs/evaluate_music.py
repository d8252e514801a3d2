"""spark-submit jobs/evaluate_music.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "evaluate_music", *sys.argv[1:]]))
