"""The manifest's file: what is appended, and what a crash or a full disk leaves."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from stylize.batch.jobs import Job, Task
from stylize.batch.manifest import Manifest, record_of
from stylize.config import FastConfig, RefineConfig
from stylize.errors import StylizeError

LINES = [json.dumps({"output": f"{number}.png", "status": "done"}) for number in range(3)]


def read(path: Path) -> tuple[list[str], list[str]]:
    """Return the manifest's lines and the messages."""
    said: list[str] = []
    with contextlib.closing(Manifest(path)) as manifest:
        return [line for _, line in manifest.read(said.append)], said


def test_lines_are_read_as_they_were_appended(tmp_path):
    manifest = Manifest(tmp_path / "m")
    for line in LINES:
        manifest.append(line)
    manifest.close()
    assert read(tmp_path / "m") == (LINES, [])


@pytest.mark.parametrize("length", [1, 10, len(LINES[2])])
def test_a_line_that_a_crash_cut_off_is_removed(tmp_path, length):
    whole = "".join(f"{line}\n" for line in LINES[:2])
    (tmp_path / "m").write_text(whole + LINES[2][:length])
    assert read(tmp_path / "m") == (LINES[:2], [])
    assert (tmp_path / "m").read_text() == whole


def test_damaged_lines_are_passed_over_and_told_of(tmp_path):
    (tmp_path / "m").write_text(f"{{damaged\n{LINES[0]}\n[1]\n{'[' * 200_000}\n{LINES[1]}\n")
    found, said = read(tmp_path / "m")
    assert found == LINES[:2]
    assert said == [f"{tmp_path / 'm'}: 3 damaged lines are passed over; their pictures are painted again"]


def test_an_editor_may_put_a_byte_order_mark_first(tmp_path):
    (tmp_path / "m").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8-sig")
    assert read(tmp_path / "m") == (LINES, [])


@pytest.mark.parametrize("text", ['{"content": "a.png"}\n', '{"content": "a.png"}', "\n"])
def test_a_file_of_another_program_is_refused_and_left_as_it_is(tmp_path, text):
    (tmp_path / "m").write_text(text)
    with pytest.raises(
        StylizeError, match=r"m: expected the lines of an earlier batch, received another file; move it"
    ):
        read(tmp_path / "m")
    assert (tmp_path / "m").read_text() == text


def test_lines_of_what_was_left_out_are_passed_over(tmp_path):
    lines = [json.dumps({"output": None, "status": status, "path": "a.txt"}) for status in ("left out", "not listed")]
    text = "".join(f"{line}\n" for line in (LINES[0], *lines, LINES[1]))
    (tmp_path / "m").write_text(text)
    assert read(tmp_path / "m") == (LINES[:2], [])
    assert (tmp_path / "m").read_text() == text
    (tmp_path / "m").write_text(text + lines[0][:9])  # cut off by a crash
    assert read(tmp_path / "m") == (LINES[:2], [])
    assert (tmp_path / "m").read_text() == text


def test_a_line_that_does_not_fit_is_not_there_in_part(tmp_path):
    resource = pytest.importorskip("resource", reason="the system limits no file sizes")
    manifest = Manifest(tmp_path / "m")
    manifest.append(LINES[0])
    before = (tmp_path / "m").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 5, hard))
    try:
        with pytest.raises(StylizeError, match="m: could not be written: No space left on device"):
            manifest.append(LINES[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "m").read_bytes() == before
    manifest.append(LINES[2])
    manifest.close()
    assert read(tmp_path / "m") == ([LINES[0], LINES[2]], [])


def test_the_file_is_replaced_at_once(tmp_path):
    manifest = Manifest(tmp_path / "m")
    manifest.append(LINES[0])

    def lines():
        yield LINES[1]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        manifest.rewrite(lines())
    assert read(tmp_path / "m") == (LINES[:1], [])
    manifest.rewrite(LINES[1:])
    assert read(tmp_path / "m") == (LINES[1:], [])
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_record_names_a_picture_to_start_from():
    job = Job("a.png", (("s.png", 2.0),), "o.png", labels={"class": "cat"})
    record = record_of(Task(job, RefineConfig(init="start.png"), replace=False))
    assert record["init"]["path"] == "start.png"
    assert record["styles"] == [{"path": "s.png", "sha256": None, "stamp": None, "weight": 2.0}]
    assert (record["mode"], record["labels"], record["status"]) == ("refine", {"class": "cat"}, "failed")
    assert json.loads(json.dumps(record)) == record
    assert "init" not in record_of(Task(job, RefineConfig(), replace=False))
    assert record_of(Task(job, FastConfig(), replace=False))["mode"] == "fast"


def test_the_hash_of_a_url_holds_no_password():
    hashes = [
        record_of(Task(Job(f"https://{user}host/a.png?t=1", (("s.png", 1.0),), "o.png"), FastConfig(), replace=False))
        for user in ("", "ann:my pass@", "ann:other@")
    ]
    assert hashes[0]["content"]["path"] == "https://host/a.png"
    assert hashes[0]["content"]["url_sha256"]
    assert hashes[0] == hashes[1] == hashes[2]


def test_labels_without_a_number_are_none():
    nan, inf = float("nan"), float("inf")
    job = Job("a.png", (("s.png", 1.0),), "o.png", labels={"score": nan, "all": [1, {"x": -inf}], "class": "cat"})
    record = record_of(Task(job, FastConfig(), replace=False))
    assert record["labels"] == {"score": None, "all": [1, {"x": None}], "class": "cat"}
