"""spark-submit jobs/nightly.py [--config FILE]... [--run-date DATE] [--run-id ID] [--from JOB] [--only JOB,...]
[KEY=VALUE]...: the whole night, or some jobs of it, in one Spark application."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["nightly", *sys.argv[1:]]))
