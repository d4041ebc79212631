"""Batches with pictures, workers or disks that fail: what a failure may not cost."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batches import InlineEngine, counts, picture, pictures, records, run
from stylize import files
from stylize.batch import local_engine
from stylize.batch.manifest import MANIFEST


def test_a_bad_picture_stops_no_other(folders):
    Path("photos/bad.png").write_bytes(b"no picture")
    Path("photos/cats/gone.png").symlink_to("nowhere")
    result = run(exit_code=1)
    assert counts(result) == (10, 6, 0, 4)
    assert "received an unknown or damaged format" in result.stderr
    record = records()["bad-s-fast.png"]
    assert record["status"] == "failed"
    assert record["error"].startswith("content photos/bad.png: expected a picture")
    assert record["picture"] is None
    assert "no such file" in records()["cats/gone-t-fast.png"]["error"]
    assert len(pictures()) == 6


def test_failures_are_tried_again(folders):
    Path("photos/bad.png").write_bytes(b"no picture")
    run(exit_code=1)
    assert counts(run(exit_code=1)) == (8, 0, 6, 2)
    picture("photos/bad.png", 8)
    assert counts(run()) == (8, 2, 6, 0)
    assert len(records()) == 8


def test_a_bug_in_one_job_stops_no_other(folders, monkeypatch):
    from stylize.api import fast as real

    def fast(content, styles, **options):
        if content.path.endswith("b.png"):
            raise RuntimeError("out of\nmemory")
        return real(content, styles, **options)

    monkeypatch.setattr("stylize.api.fast", fast)
    assert counts(run(exit_code=1)) == (6, 4, 0, 2)
    assert records()["b-s-fast.png"]["error"] == "RuntimeError: out of"
    assert "in fast" in records()["b-s-fast.png"]["traceback"]


def test_a_lost_job_is_told_of(folders, monkeypatch):
    monkeypatch.setattr(local_engine, "LocalEngine", lambda *settings: InlineEngine(lose=["b"]))
    assert counts(run(exit_code=1)) == (6, 4, 0, 2)
    assert records()["b-s-fast.png"]["error"] == "its worker died"


def test_a_foreign_file_is_not_written_over(folders):
    picture("out/a-s-fast.png", 9)
    before = Path("out/a-s-fast.png").read_bytes()
    result = run(exit_code=1)
    assert counts(result) == (6, 5, 0, 1)
    assert "is there already, and is not of this batch" in result.stderr
    assert Path("out/a-s-fast.png").read_bytes() == before


def full(*arguments: Any, **options: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_ends_the_run_in_one_line(folders, monkeypatch):
    run(inputs=("-c", "photos/a.png", "-s", "styles"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        result = run(exit_code=1)
    assert result.stderr.count("\n") == 1
    assert "No space left on device; 0 pictures are done, the same command goes on" in result.stderr
    assert len(records()) == 2
    assert counts(run()) == (6, 4, 2, 0)


@pytest.fixture
def file_size_limit() -> Iterator[Any]:
    """Sets the size, in bytes, beyond which the system refuses to write to a file; None: no limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, before if size is None else (size, before[1]))

    yield limit
    limit(None)


def test_a_disk_too_full_for_the_manifest(folders, file_size_limit):
    rows = [
        # Long lines, so that the limit is far above the size of a picture.
        json.dumps({"content": f"photos/{name}.png", "style": f"styles/{style}.png", "note": "x" * 100_000})
        for name in ("a", "b", "cats/c")
        for style in ("s", "t")
    ]
    inputs = ("--manifest", "jobs.jsonl")
    Path("jobs.jsonl").write_text("\n".join(rows[:2]))
    run(inputs=inputs)
    before = Path("out", MANIFEST).read_bytes()
    Path("jobs.jsonl").write_text("\n".join(rows))
    file_size_limit(len(before) + 40)  # the first bytes of a line fit
    result = run(inputs=inputs, exit_code=1)
    file_size_limit(None)
    assert "out/manifest.jsonl: could not be written: No space left on device" in result.stderr
    assert Path("out", MANIFEST).read_bytes() == before
    assert counts(run(inputs=inputs)) == (6, 4, 2, 0)


def test_a_disk_that_is_really_full(folders):
    Path("out").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", "out"], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    try:
        result = run(exit_code=1)
        assert result.stderr.count("\n") == 1
        assert "No space left on device" in result.stderr
        assert not list(Path("out").rglob(".*.part"))
        for record in records().values():
            assert files.sha256(f"out/{record['output']}") == record["picture"]["sha256"]
    finally:
        subprocess.run(["umount", "out"], check=True)
