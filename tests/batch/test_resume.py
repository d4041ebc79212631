"""A second run: what it leaves alone, and what it paints again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import filelock
import pytest

from batches import counts, picture, pictures, records, records_without_times, run
from stylize import files
from stylize.batch.manifest import MANIFEST
from stylize.batch.output import OutputFolder
from stylize.errors import StylizeError


def test_what_is_done_is_left_alone(folders):
    run()
    before = {name: Path("out", name).stat().st_mtime_ns for name in records()}, Path("out", MANIFEST).read_bytes()
    assert counts(run()) == (6, 0, 6, 0)
    assert (
        {name: Path("out", name).stat().st_mtime_ns for name in records()},
        Path("out", MANIFEST).read_bytes(),
    ) == before
    assert counts(run("--no-resume")) == (6, 6, 0, 0)


@pytest.mark.parametrize(
    ("change", "painted"),
    [
        (lambda: picture("photos/a.png", 9), 2),
        (lambda: picture("styles/t.png", 9), 3),
        (lambda: os.truncate("out/a-s-fast.png", 100), 1),
        (lambda: os.remove("out/a-s-fast.png"), 1),
        (lambda: shutil.copy("out/b-s-fast.png", "out/a-s-fast.png"), 1),
        (lambda: picture("photos/d.png", 9), 2),
        (lambda: os.utime("photos/a.png", (1, 1)), 0),
        (lambda: os.utime("out/a-s-fast.png", (1, 1)), 0),
        (lambda: Path("out", MANIFEST).unlink(), 6),
    ],
)
def test_what_changed_is_painted_again(folders, change, painted):
    run()
    change()
    assert counts(run())[1] == painted
    assert counts(run())[1] == 0
    fresh = "fresh"
    run(output=fresh)
    assert pictures() == pictures(fresh)
    assert records_without_times() == records_without_times(fresh)


def test_a_file_of_the_same_size_and_time_is_another_file(folders):
    for number, name in enumerate("ab"):
        picture(f"{name}.bmp", number)
        os.utime(f"{name}.bmp", (1e9, 1e9))
    inputs = ("--manifest", "jobs.csv", "-s", "styles/s.png")
    Path("jobs.csv").write_text("id,content\n1,a.bmp\n2,b.bmp\n")
    assert counts(run("--name", "{id}", inputs=inputs)) == (2, 2, 0, 0)
    Path("jobs.csv").write_text("id,content\n1,b.bmp\n2,a.bmp\n")
    assert counts(run("--name", "{id}", inputs=inputs)) == (2, 2, 0, 0)
    assert records()["1.png"]["content"]["sha256"] == files.sha256("b.bmp")
    os.rename("b.bmp", "c.bmp")  # the same file under another name
    Path("jobs.csv").write_text("id,content\n1,c.bmp\n2,a.bmp\n")
    assert counts(run("--name", "{id}", inputs=inputs)) == (2, 0, 2, 0)
    assert records()["1.png"]["content"]["path"] == "c.bmp"


@pytest.mark.parametrize("header", ["ETag", None])
def test_a_picture_on_the_web_that_changed_is_painted_again(folders, server, header):
    picture("a.bmp", 1)
    picture("b.bmp", 2)
    inputs = ("-c", f"{server.base}/photo.bmp", "-s", "styles")
    for name, painted in (("a", 2), ("a", 0), ("b", 2), ("b", 0)):
        server.bodies["/photo.bmp"] = Path(f"{name}.bmp").read_bytes()
        server.headers["/photo.bmp"] = {header: name} if header else {}
        assert counts(run(inputs=inputs))[1] == painted


def test_a_picture_on_the_web_without_a_stamp_is_read_once_in_a_run(folders, server, monkeypatch):
    from stylize.images.reading import read_image

    def read(place, **options):
        places.append(place)
        return read_image(place, **options)

    monkeypatch.setattr("stylize.images.reading.read_image", read)
    picture("photo.bmp", 1)
    url = f"{server.base}/photo.bmp"
    server.bodies["/photo.bmp"] = Path("photo.bmp").read_bytes()
    for _ in range(2):
        places: list[str] = []
        assert counts(run("--no-resume", inputs=("-c", url, "-s", "styles"))) == (2, 2, 0, 0)
        assert places.count(url) == 1


def test_two_machines_in_turn_lose_no_line_at_a_url(folders, monkeypatch):
    pytest.importorskip("fsspec")
    url, photos = f"file://{folders}/far", ("a", "b", "cats/c")

    def on(machine, photo):
        monkeypatch.setenv("STYLIZE_HOME", str(folders / machine))
        return counts(run(inputs=("-c", f"photos/{photo}.png", "-s", "styles"), output=url))

    for number, photo in enumerate(photos):
        assert on(f"machine{number % 2}", photo) == (2, 2, 0, 0)
    assert len(records("far")) == 6
    for number, photo in enumerate(photos):
        assert on(f"machine{number % 2}", photo) == (2, 0, 2, 0)
    assert not list(folders.glob("machine*/batch/*/*.jsonl"))


def test_what_a_killed_run_did_at_a_url_is_joined_to_what_others_did(folders, monkeypatch):
    pytest.importorskip("fsspec")
    url = f"file://{folders}/far"
    monkeypatch.setenv("STYLIZE_HOME", str(folders / "killed"))
    with monkeypatch.context() as patch:
        patch.setattr(OutputFolder, "upload_manifest", lambda folder: None)
        run(inputs=("-c", "photos/a.png", "-s", "styles"), output=url)
    assert Path("far", MANIFEST).read_text() == ""
    with monkeypatch.context() as patch:
        patch.setenv("STYLIZE_HOME", str(folders / "other"))
        run(inputs=("-c", "photos/b.png", "-s", "styles"), output=url)
    assert counts(run(output=url)) == (6, 2, 4, 0)
    assert len(records("far")) == 6


def test_a_failure_of_a_killed_run_keeps_the_picture_that_another_machine_painted(folders, monkeypatch):
    pytest.importorskip("fsspec")
    url, inputs = f"file://{folders}/far", ("-c", "photos/a.png", "-s", "styles/s.png")
    whole = Path("photos/a.png").read_bytes()
    monkeypatch.setenv("STYLIZE_HOME", str(folders / "killed"))
    Path("photos/a.png").write_bytes(b"no picture")
    with monkeypatch.context() as patch:
        patch.setattr(OutputFolder, "upload_manifest", lambda folder: None)
        run(inputs=inputs, output=url, exit_code=1)
    Path("photos/a.png").write_bytes(whole)
    with monkeypatch.context() as patch:
        patch.setenv("STYLIZE_HOME", str(folders / "other"))
        assert counts(run(inputs=inputs, output=url)) == (1, 1, 0, 0)
    # Other options: the picture that is there is replaced only if it is known as one of this batch.
    assert counts(run("--strength", 0.5, inputs=inputs, output=url)) == (1, 1, 0, 0)
    assert records("far")["a-s-fast.png"]["status"] == "done"


def test_nothing_is_removed_once_another_run_may_begin(folders, monkeypatch):
    pytest.importorskip("fsspec")
    real, left = filelock.FileLock.release, []

    def release(lock, *arguments, **options):
        folder = Path(lock.lock_file).parent
        left.append({path.name for path in folder.iterdir()} if folder.exists() else None)
        real(lock, *arguments, **options)

    monkeypatch.setattr(filelock.FileLock, "release", release)
    folder = OutputFolder(f"file://{folders}/far")
    Path("far").mkdir()
    Path("far", MANIFEST).write_bytes(b"lines")
    with folder.locked():
        assert [path.read_bytes() for path in folder.fetched()] == [b"lines"]
    assert left[0] == ({".stylize-batch.lock"} if os.name == "nt" else None)
    assert not folder.home.exists()


def test_a_local_file_that_is_gone_empties_no_manifest(folders):
    pytest.importorskip("fsspec")
    folder = OutputFolder(f"file://{folders}/far")
    Path("far").mkdir()
    Path("far", MANIFEST).write_bytes(b"lines")
    shutil.rmtree(folder.home)
    with pytest.raises(StylizeError, match=r"fetched\.jsonl: could not be written"):
        folder.fetched()
    assert Path("far", MANIFEST).read_bytes() == b"lines"


def test_other_options_paint_again(folders):
    run()
    assert counts(run("--strength", 0.5)) == (6, 6, 0, 0)
    assert counts(run("--strength", 0.5)) == (6, 0, 6, 0)


@pytest.mark.slow
def test_options_that_an_earlier_version_did_not_have_change_nothing(folders):
    run("--mode", "refine", "--preset", "gatys", "--steps", 1, "--size", 32)
    manifest = Path("out", MANIFEST)
    lines = manifest.read_text()
    assert lines.count(', "enough_positions": 0') == 6
    manifest.write_text(lines.replace(', "enough_positions": 0', ""))
    assert counts(run("--mode", "refine", "--preset", "gatys", "--steps", 1, "--size", 32)) == (6, 0, 6, 0)
    assert manifest.read_text() == lines


def test_another_network_paints_again(folders, tiny_networks):
    run()
    with open(tiny_networks / "mini_style.tflite", "ab") as file:
        file.write(b"\0")
    assert counts(run()) == (6, 6, 0, 0)


def test_a_line_that_was_cut_off(folders):
    run()
    path = Path("out", MANIFEST)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert counts(run()) == (6, 1, 5, 0)
    path.write_bytes(b"{damaged\n" + whole)
    result = run()
    assert "1 damaged lines are passed over" in result.stderr
    assert Path(path).read_bytes().count(b"\n") == 6


def test_the_last_line_of_an_output_counts(folders):
    run()
    path = Path("out", MANIFEST)
    lines = path.read_text().splitlines(keepends=True)
    failed = json.dumps({**json.loads(lines[0]), "status": "failed"}) + "\n"
    path.write_text(failed + "".join(lines))
    assert counts(run()) == (6, 0, 6, 0)
    path.write_text("".join(lines) + failed)
    assert counts(run()) == (6, 1, 5, 0)


def test_the_manifest_holds_no_secrets_of_urls(folders, server):
    picture("a.bmp", 1)
    picture("b.bmp", 2)
    address = server.base.replace("://", "://ann:my%20word@")
    for path, body in (("/photo.bmp?sig=1", "a"), ("/photo.bmp?sig=2", "b")):
        server.bodies[path] = Path(f"{body}.bmp").read_bytes()
        server.headers[path] = {"ETag": "same"}
    for path, painted in (("photo.bmp?sig=1", 2), ("photo.bmp?sig=1", 0), ("photo.bmp?sig=2", 2)):
        table = Path("jobs.csv")
        table.write_text(f"id,content\n1,{address}/{path}\n2,{address}/missing.bmp?sig=3\n")
        inputs = ("--manifest", "jobs.csv", "-s", "styles/s.png", "-s", "styles/t.png")
        result = run("--name", "{id}-{style}", inputs=inputs, exit_code=1)
        assert counts(result) == (4, painted, 2 - painted, 2)
        said = f"{result.output}{Path('out', MANIFEST).read_text()}"
        assert "ann" not in said
        assert "word" not in said
        assert "sig=" not in said
    assert f"content {server.base}/missing.bmp: no such file" in said
    content = records()["1-s.png"]["content"]
    assert content["path"] == f"{server.base}/photo.bmp"
    # Without user: a password may be guessed from a hash.
    assert content["url_sha256"] == hashlib.sha256(f"{server.base}/photo.bmp?sig=2".encode()).hexdigest()


def test_a_refused_batch_leaves_no_lock(folders):
    Path("mine").mkdir()
    run(output="mine", inputs=("-c", "photos", "-s", "styles", "-c", "mine"), exit_code=2)
    assert list(Path("mine").iterdir()) == []
