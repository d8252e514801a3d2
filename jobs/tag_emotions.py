"""spark-submit jobs/tag_emotions.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "tag_emotions", *sys.argv[1:]]))
