"""spark-submit jobs/embed_tracks.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "embed_tracks", *sys.argv[1:]]))
