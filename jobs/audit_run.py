"""spark-submit jobs/audit_run.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "audit_run", *sys.argv[1:]]))
