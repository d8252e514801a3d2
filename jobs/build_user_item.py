"""spark-submit jobs/build_user_item.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "build_user_item", *sys.argv[1:]]))
