"""spark-submit jobs/generate_tracks.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "generate_tracks", *sys.argv[1:]]))
