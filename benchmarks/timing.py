"""Seconds, processor seconds and memory of functions and of processes. Linux and macOS.

    python benchmarks/timing.py COMMAND...

runs the command and prints its usage as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a process took, its own child processes included."""

    seconds: float
    processor_seconds: float
    peak_gb: float
    """Memory of the largest process."""
    output: str
    """What the process wrote to its standard output."""


def run(*command: object, environment: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end.

    Raises:
        subprocess.CalledProcessError: the command failed; its messages are printed.
    """
    words = [str(word) for word in command]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as messages:
        began = time.perf_counter()
        process = subprocess.Popen(words, stdout=output, stderr=messages, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            messages.seek(0)
            print(messages.read(), file=sys.stderr)
            raise subprocess.CalledProcessError(process.returncode, words)
        output.seek(0)
        # macOS reports bytes, Linux kibibytes.
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return Usage(seconds, usage.ru_utime + usage.ru_stime, peak / 1e9, output.read())


def run_python(*arguments: object, environment: Mapping[str, str] | None = None) -> Usage:
    """Run Python with the arguments to its end."""
    return run(sys.executable, *arguments, environment=environment)


def run_from_small_process(*command: object, environment: Mapping[str, str] | None = None) -> Usage:
    """Run a command from a new process, so that the peak does not contain the memory of the caller.

    A new process has the size of its parent for a moment, and the system counts that size.
    """
    return Usage(**json.loads(run_python(__file__, *command, environment=environment).output))


def median_seconds(function: Callable[[], object], rounds: int) -> float:
    """Return the median of the seconds that a call takes; the first call, which compiles, does not count."""
    function()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(run(*sys.argv[1:]))))
