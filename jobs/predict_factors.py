"""spark-submit jobs/predict_factors.py [--config FILE]... [--run-date DATE] [--run-id ID] [KEY=VALUE]..."""

import sys

from musai.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "predict_factors", *sys.argv[1:]]))
