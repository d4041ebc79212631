"""What the tests of batches share: an engine without processes, runs of the command, and what a run leaves behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image

from samples import painting
from stylize.batch.engines import Lost
from stylize.batch.jobs import Task
from stylize.batch.manifest import MANIFEST, Record
from stylize.cli.main import main


class InlineEngine:
    """Runs work in this process; `lose` names contents whose workers die."""

    nodes = 1

    def __init__(self, *settings: Any, lose: Sequence[str] = ()) -> None:
        self.lose = lose

    def __enter__(self) -> InlineEngine:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def map(self, work: Any, batches: Iterator[Sequence[Any]]) -> Iterator[tuple[Any, Any] | Lost[Any]]:
        for tasks in batches:
            for task, result in zip(tasks, work(tasks), strict=True):
                yield Lost(task, "its worker died") if self._is_lost(task) else (task, result)

    def _is_lost(self, task: Task) -> bool:
        return Path(task.job.content).stem in self.lose


def picture(path: str | os.PathLike[str], seed: int, height: int = 24, width: int = 32) -> None:
    """Write a made-up picture."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((painting(height, width, seed) * 255).round().astype(np.uint8)).save(path)


def run(
    *arguments: Any,
    exit_code: int = 0,
    output: str = "out",
    inputs: Sequence[str] = ("-c", "photos", "-s", "styles"),
) -> Result:
    """Run `stylize batch` in this process; fail on another exit code."""
    command = ["batch", *inputs, "-o", output, "--size", "24", "--network", "mini", *arguments]
    result = CliRunner().invoke(main, [str(each) for each in command])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


def program(*arguments: Any) -> subprocess.Popen[str]:
    """Start `stylize batch` with two workers in a process group of its own.

    Its workers hold the same pipes: `communicate` returns when the last of all processes has ended.
    """
    command = [sys.executable, "-m", "stylize", "batch", *map(str, arguments), "--network", "mini", "--workers", "2"]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def line_count(manifest: Path) -> int:
    """Return the number of whole lines; 0 without a file."""
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0


def records(output: str | os.PathLike[str] = "out") -> dict[str, Record]:
    """Return the manifest's records of pictures by output."""
    lines = map(json.loads, Path(output, MANIFEST).read_text().splitlines())
    return {record["output"]: record for record in lines if record["output"] is not None}


def pictures(output: str | os.PathLike[str] = "out") -> dict[str, bytes]:
    """Return the pictures' bytes by name."""
    return {str(path.relative_to(output)): path.read_bytes() for path in Path(output).rglob("*.png")}


def records_without_times(output: str | os.PathLike[str] = "out") -> list[Record]:
    """Return the manifest's records in their order, without what differs from run to run."""
    found = []
    for line in Path(output, MANIFEST).read_text().splitlines():
        record = json.loads(line)
        record["seconds"] = None
        if record["picture"]:
            del record["picture"]["stamp"]
        found.append(record)
    return found


def counts(result: Result) -> tuple[int, ...]:
    """Return how many pictures there are in all, painted, done before and failed."""
    found = re.search(r"(\d+) pictures: (\d+) painted, (\d+) done before, (\d+) failed", result.stderr)
    assert found is not None, result.stderr
    return tuple(map(int, found.groups()))
