"""Markdown tables, and their place in benchmarks/README.md.

A script prints its table, and with `--write` replaces the text between `<!-- table: NAME -->` and `<!-- end -->` in
the README by a line of facts (date, commit, machine) and the table.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from stylize.machine import available_cores

README = Path(__file__).with_name("README.md")
# The instructions that decide how fast convolutions run.
CPU_FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")


def add_write_option(parser: argparse.ArgumentParser) -> None:
    """Add `--write` to a script's options."""
    parser.add_argument("--write", action="store_true", help="also write the table into benchmarks/README.md")


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; floats are expected as formatted strings."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def publish(name: str, table: str, *, write: bool, readme: Path = README) -> None:
    """Print the table and, if `write` is set, replace the table of that name in the README."""
    print(table, flush=True)
    if write:
        text = readme.read_text(encoding="utf-8")
        readme.write_text(replaced(text, name, f"{measurement_line()}\n\n{table}"), encoding="utf-8")


def replaced(text: str, name: str, content: str) -> str:
    """Return `text` with `content` between the markers of the table.

    Raises:
        ValueError: `text` does not have these markers exactly once.
    """
    start, end = f"<!-- table: {name} -->", "<!-- end -->"
    pattern = re.compile(f"{re.escape(start)}\n.*?{re.escape(end)}", re.DOTALL)
    found = len(pattern.findall(text))
    if found != 1:
        raise ValueError(f"name: expected one table between '{start}' and '{end}', found {found}")
    return pattern.sub(lambda _: f"{start}\n{content}\n{end}", text)


def measurement_line() -> str:
    """Return the date, the commit and the machine of a measurement as one line. The line has no host name."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    versions = f"Python {platform.python_version()}, TensorFlow {importlib.metadata.version('tensorflow')}"
    return f"Measured {today} at commit {commit()}: {available_cores()} cores, {_cpu_features()}; {versions}."


def commit() -> str:
    git = ["git", "-C", str(README.parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True)
        # The README changes with every table, so its changes do not count.
        changes = [*git, "diff", "--quiet", "HEAD", "--", ":/", f":(exclude,top)benchmarks/{README.name}"]
        changed = subprocess.run(changes, capture_output=True).returncode
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.stdout.strip() + (" with changes" if changed else "")


def _cpu_features() -> str:
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return f"{platform.machine()}, CPU features unknown"
    return ", ".join([platform.machine(), *(name for name in CPU_FEATURES if name in words)])
