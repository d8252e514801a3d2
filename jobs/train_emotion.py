"""spark-submit jobs/train_emotion.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "train_emotion", *sys.argv[1:]]))
