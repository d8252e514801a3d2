"""`python -m musai`."""

import sys

from musai.cli import main

sys.exit(main())
