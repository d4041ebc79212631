"""Batches with pictures, workers or disks that fail: what a failure may not cost."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from batches import InlineEngine, counts, picture, pictures, records, run
from stylize import files
from stylize.batch import local_engine
from stylize.batch.manifest import MANIFEST
from stylize.batch.output import part_mark
from stylize.cli.main import main


def test_a_bad_picture_stops_no_other(folders):
    Path("photos/bad.png").write_bytes(b"no picture")
    Path("photos/cats/gone.png").symlink_to("nowhere")
    result = run(exit_code=1)
    assert counts(result) == (10, 6, 0, 4)
    assert "received text, such as a web page" in result.stderr
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
    assert counts(run(exit_code=1)) == (6, 0, 5, 1)  # that the job failed makes the file no picture of ours
    assert Path("out/a-s-fast.png").read_bytes() == before


def test_a_failure_does_not_make_an_earlier_picture_foreign(folders, monkeypatch):
    run()
    before = records()["a-s-fast.png"]
    Path("photos/a.png").write_bytes(b"no picture")
    assert counts(run("--strength", 0.5, exit_code=1)) == (6, 4, 0, 2)
    failed = records()["a-s-fast.png"]
    assert (failed["status"], failed["picture"]) == ("failed", before["picture"])
    picture("photos/a.png", 9)
    with monkeypatch.context() as patch:
        patch.setattr(local_engine, "LocalEngine", lambda *settings: InlineEngine(lose=["a"]))
        run("--strength", 0.7, exit_code=1)
    run(inputs=("-c", "photos/b.png", "-s", "styles"))
    assert counts(run()) == (6, 4, 2, 0)
    assert files.sha256("out/a-s-fast.png") != before["picture"]["sha256"]


def test_a_picture_of_another_command_is_not_written_over(folders):
    Path("out").mkdir()
    options = ["-o", "out/a-s-fast.png", "--size", "24", "--network", "mini", "--strength", "0.5"]
    painted = CliRunner().invoke(main, ["fast", "-c", "photos/a.png", "-s", "styles/s.png", *options])
    assert painted.exit_code == 0, painted.output
    before = Path("out/a-s-fast.png").read_bytes()
    result = run(exit_code=1)
    assert counts(result) == (6, 5, 0, 1)
    assert "a-s-fast.png: is there already, and is not of this batch" in result.stderr
    assert Path("out/a-s-fast.png").read_bytes() == before


def test_a_picture_that_a_killed_batch_left_is_written_again(folders):
    run()
    Path("out/manifest.jsonl").unlink()
    assert counts(run()) == (6, 6, 0, 0)
    # Another photograph of the same name, in two styles; then another way to write files.
    Path("out/manifest.jsonl").unlink()
    picture("photos/a.png", 9)
    assert counts(run(exit_code=1)) == (6, 4, 0, 2)
    Path("out/manifest.jsonl").unlink()
    assert counts(run("--bit-depth", 16, exit_code=1)) == (6, 0, 0, 6)


def test_a_foreign_file_at_a_url_is_not_written_over(folders):
    pytest.importorskip("fsspec")
    picture("far/a-s-fast.png", 9)
    before = Path("far/a-s-fast.png").read_bytes()
    result = run(output=f"file://{folders}/far", exit_code=1)
    assert counts(result) == (6, 5, 0, 1)
    assert "far/a-s-fast.png: is there already, and is not of this batch" in result.stderr
    assert Path("far/a-s-fast.png").read_bytes() == before


def test_what_is_left_out_and_what_cannot_be_listed_is_told(folders, no_heif, monkeypatch):
    Path("photos/notes.txt").touch()
    Path("photos/phone.heic").touch()
    Path("photos/.hidden.png").touch()
    picture("photos/camera.jfif.jpg", 7)
    Path("photos/camera.jfif.jpg").rename("photos/camera.jfif")
    result = run()
    assert counts(result) == (8, 8, 0, 0)
    assert (
        'files left out: 1 hidden (photos/.hidden.png), 1 needs pip install "stylize-art[heif]" (photos/phone.heic)'
        in result.stderr
    )
    real = os.scandir

    def scandir(folder):
        if str(folder).endswith("cats"):
            raise FileNotFoundError(2, "No such file or directory")  # removed on the way
        return real(folder)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        result = run("--json", exit_code=1)
    assert counts(result) == (6, 0, 6, 0)
    assert "1 folder could not be listed: photos/cats (No such file or directory)\n" in result.stderr
    data = json.loads(result.stdout)
    assert {"reason": "not a picture", "count": 1, "first": "photos/notes.txt"} in data["left_out"]
    assert sum(each["count"] for each in data["left_out"]) == 3
    assert data["not_listed"] == [{"folder": "photos/cats", "error": "No such file or directory"}]


def test_failures_are_told_with_quiet_too(folders, monkeypatch):
    Path("photos/notes.txt").touch()
    Path("photos/bad.png").write_bytes(b"")
    monkeypatch.setattr(os, "scandir", _refusing("photos/cats", os.scandir))
    told = run("-q", exit_code=1).stderr.splitlines()
    assert len(told) == 2
    assert told[0].startswith("failed, 2 of this kind: content photos/bad.png: expected a picture")
    assert told[1] == "1 folder could not be listed: photos/cats (Permission denied)"


def test_the_manifest_ends_with_what_is_left_out(folders, no_heif, monkeypatch):
    for name in ("photos/phone.heic", "photos/notes.txt", "styles/.hidden"):
        Path(name).touch()
    expected = [
        ("left out", "photos/notes.txt", "not a picture"),
        ("left out", "photos/phone.heic", 'needs pip install "stylize-art[heif]"'),
        ("left out", "styles/.hidden", "hidden"),
    ]

    def lines():
        return [json.loads(line) for line in Path("out", MANIFEST).read_text().splitlines()]

    def left_out():
        return [(each["status"], each["path"], each["error"]) for each in lines() if each["output"] is None]

    assert counts(run()) == (6, 6, 0, 0)
    assert [each["output"] is None for each in lines()] == [False] * 6 + [True] * 3
    assert left_out() == expected
    before = Path("out", MANIFEST).read_bytes()
    result = run()
    assert counts(result) == (6, 0, 6, 0)
    assert "damaged" not in result.stderr
    assert Path("out", MANIFEST).read_bytes() == before
    Path("photos/notes.txt").unlink()  # each run says what it leaves out
    assert counts(run(inputs=("-c", "photos", "-s", "styles/s.png"))) == (3, 0, 3, 0)
    assert left_out() == expected[1:2]
    assert len(records()) == 6
    monkeypatch.setattr(os, "scandir", _refusing("photos/cats", os.scandir))
    run(exit_code=1)
    assert left_out()[-1] == ("not listed", "photos/cats", "Permission denied")


def _refusing(folder, scandir):
    def refuse(path):
        if str(path) == folder:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    return refuse


def test_a_name_that_is_no_text_is_a_name(folders):
    name = os.fsdecode(b"photos/caf\xe9.png")
    try:
        os.rename("photos/b.png", name)
    except OSError:
        pytest.skip("this file system has names in UTF-8 alone")
    os.rename("styles/t.png", os.fsdecode(b"styles/\xff.png"))
    assert counts(run("--pairs", "random:1")) == (3, 3, 0, 0)
    assert counts(run()) == (6, 3, 3, 0)
    assert counts(run()) == (6, 0, 6, 0)
    record = records()[os.fsdecode(b"caf\xe9-\xff-fast.png")]
    assert record["content"]["path"] == name
    assert Path("out", record["output"]).exists()
    rows = [{"content": name, "style": "styles/s.png", "label": name}]
    Path("jobs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert counts(run(inputs=("--manifest", "jobs.jsonl"), output="table")) == (1, 1, 0, 0)
    assert next(iter(records("table").values()))["labels"] == {"label": name}
    Path(name).write_bytes(b"no picture")
    result = run("--json", exit_code=1)
    assert json.loads(result.stdout)["failures"][0]["first"].startswith(f"content {name}: expected a picture")
    assert "failed, 2 of this kind: content photos/caf\\xe9.png: expected a picture" in result.stderr


def test_unfinished_files_of_others_are_left_alone(folders, monkeypatch):
    mine = [
        Path("out", name) for name in (f".stylize-{part_mark('out')}1.part", f"cats/.stylize-{part_mark('out')}2.part")
    ]
    others = [Path("out", name) for name in (".stylize-1.part", f"cats/.stylize-{part_mark('out/cats')}2.part")]
    Path("out/cats").mkdir(parents=True)
    for path in (*mine, *others):
        path.touch()
    written = []
    for name in ("link", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *paths, real=real: (written.append(Path(paths[0]).name), real(*paths)))
    run()
    assert [path for path in (*mine, *others) if path.exists()] == others
    parts = [name for name in written if name.endswith(".part")]
    assert len(parts) == 7  # six pictures and the manifest
    assert all(name.startswith(f".stylize-{part_mark('./out/')}") for name in parts)


def test_an_unfinished_file_that_cannot_be_removed_stops_no_run(folders, monkeypatch):
    """As on Windows, where another program may read the file at that moment."""
    left = Path("out", f".stylize-{part_mark('out')}1.part")
    left.parent.mkdir()
    left.touch()
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name == left.name:
            raise PermissionError(13, "Access is denied")
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    assert counts(run())[0] == 6


def full(*arguments: Any, **options: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_ends_the_run_in_one_line(folders, monkeypatch):
    run(inputs=("-c", "photos/a.png", "-s", "styles"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", full)
        patch.setattr(os, "replace", full)
        result = run(exit_code=1)
    assert result.stderr.count("\n") == 1
    assert "No space left on device; 0 pictures are done, the same command goes on" in result.stderr
    assert len(records()) == 2
    assert counts(run()) == (6, 4, 2, 0)


@pytest.fixture
def file_size_limit() -> Iterator[Any]:
    """Sets the size, in bytes, beyond which the system refuses to write to a file; None: no limit."""
    resource = pytest.importorskip("resource", reason="the system limits no file sizes")
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


def test_a_web_address_with_a_query_that_does_not_answer_says_so(folders, server):
    result = run(inputs=("-c", "http://127.0.0.1:1/a.png?size=9", "-s", "styles/s.png"), exit_code=1)
    assert counts(result) == (1, 0, 0, 1)
    assert "content http://127.0.0.1:1/a.png: expected a readable file, received: Cannot connect" in result.stderr
