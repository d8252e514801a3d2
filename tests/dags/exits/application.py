"""A spark-submit application: writes down that it ran and with what, then exits as it is told."""

import os
import pathlib
import sys

with pathlib.Path(os.environ["LAUNCHES"]).open("a", encoding="utf-8") as launches:
    print(os.environ["EXIT_WITH"], *sys.argv[1:], file=launches)
print("musai: inputs.tracks: not there", file=sys.stderr)
sys.exit(int(os.environ["EXIT_WITH"]))
