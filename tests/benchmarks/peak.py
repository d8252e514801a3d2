"""Wall time and peak memory of a command with all its children: python tests/benchmarks/peak.py COMMAND [ARG ...]

Memory is the sum of the proportional set sizes (Linux) of the whole process tree, looked at five times a second.
"""

from __future__ import annotations

import contextlib
import math
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence


def tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children.get(process, [])
    return found


def memory_kib(process: int) -> int:
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def measured(
    command: Sequence[str], stdout: int | None = None, every_s: float = 0.2, limit_s: float = math.inf
) -> tuple[float, float, int]:
    """(seconds, peak in GiB, exit status) of a command that is looked at every so many seconds.

    At `limit_s` it is killed with its children: exit status -9.
    """
    started, peak = time.monotonic(), 0
    with subprocess.Popen(command, stdout=stdout) as process:
        while process.poll() is None:
            peak = max(peak, sum(memory_kib(one) for one in tree(process.pid)))
            if time.monotonic() - started > limit_s:
                for one in tree(process.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(one, signal.SIGKILL)
            time.sleep(every_s)
    return time.monotonic() - started, peak / 2**20, process.returncode


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    seconds, peak, status = measured(sys.argv[1:])
    print(f"{seconds:.1f} s, peak {peak:.2f} GiB, exit {status}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
