"""spark-submit jobs/recommend_tracks.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "recommend_tracks", *sys.argv[1:]]))
