"""Batches: what is painted, what the manifest says, what a second run leaves alone, and what no crash may cost."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from samples import REPOSITORY, painting
from stylize import files
from stylize.batch import engines, manifest, worker
from stylize.batch import run as driver
from stylize.batch.engines import Lost
from stylize.batch.jobs import Job, Settings
from stylize.batch.manifest import MANIFEST
from stylize.batch.run import run_batch
from stylize.cli.main import main
from stylize.errors import StylizeError
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image


class InlineEngine:
    """Runs work in this process; `lose` names contents whose workers die."""

    nodes = 1

    def __init__(self, *settings, lose=(), **options):
        self.lose = lose

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def map(self, work, batches):
        for tasks in batches:
            for task, result in zip(tasks, work(tasks), strict=True):
                yield Lost(task, "its worker died") if Path(task.job.content).stem in self.lose else (task, result)


@pytest.fixture
def folders(tmp_path, tiny_networks, monkeypatch):
    """Three photographs, one of them in a folder of its own, and two styles, 24 to 32 px; work is done in here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engines, "LocalEngine", InlineEngine)
    worker._loaded.cache_clear()
    for number, name in enumerate(
        ("photos/a.png", "photos/b.png", "photos/cats/c.png", "styles/s.png", "styles/t.png")
    ):
        picture(name, number)
    yield tmp_path
    worker._loaded.cache_clear()


def picture(path, seed, height=24, width=32):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((painting(height, width, seed) * 255).round().astype(np.uint8)).save(path)


def run(*arguments, exit_code=0, output="out", inputs=("-c", "photos", "-s", "styles")):
    command = ["batch", *inputs, "-o", output, "--size", "24", "--network", "mini", *arguments]
    result = CliRunner().invoke(main, [str(each) for each in command])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


def records(output="out"):
    return {record["output"]: record for record in map(json.loads, Path(output, MANIFEST).read_text().splitlines())}


def pictures(output="out"):
    return {str(path.relative_to(output)): path.read_bytes() for path in Path(output).rglob("*.png")}


def but_times(output="out"):
    """The manifest's lines in their order, without what differs from run to run."""
    lines = []
    for line in Path(output, MANIFEST).read_text().splitlines():
        record = json.loads(line)
        record["seconds"] = None
        if record["picture"]:
            del record["picture"]["stamp"]
        lines.append(record)
    return lines


def counts(result):
    found = re.search(r"(\d+) pictures: (\d+) painted, (\d+) done before, (\d+) failed", result.stderr)
    return tuple(map(int, found.groups()))


# --------------------------------------------------------------------------------------------------------------
# What is painted and told


def test_every_photograph_in_every_style(folders):
    result = run()
    assert result.stdout == "out/manifest.jsonl\n"
    assert counts(result) == (6, 6, 0, 0)
    names = ["a-s-fast", "a-t-fast", "b-s-fast", "b-t-fast", "cats/c-s-fast", "cats/c-t-fast"]
    assert list(records()) == [f"{name}.png" for name in names]
    assert sorted(pictures()) == [f"{name}.png" for name in names]
    assert read_image("out/cats/c-t-fast.png").pixels.shape == (18, 24, 3)
    record = records()["cats/c-t-fast.png"]
    assert record["content"]["path"] == "photos/cats/c.png"
    assert record["content"]["sha256"] == files.sha256("photos/cats/c.png")
    assert record["styles"][0]["sha256"] == files.sha256("styles/t.png")
    assert record["picture"]["sha256"] == files.sha256("out/cats/c-t-fast.png")
    assert (record["status"], record["error"], record["mode"]) == ("done", None, "fast")
    assert record["options"] == {"network": "mini", "size": 24, "strength": 1.0, "keep_colors": False}
    assert record["seconds"] > 0
    provenance = read_provenance("out/cats/c-t-fast.png")
    assert provenance["content"] == {key: record["content"][key] for key in ("path", "sha256")}


def test_a_picture_of_a_batch_is_that_of_fast(folders):
    run()
    alone = CliRunner().invoke(
        main,
        ["fast", "-c", "photos/a.png", "-s", "styles/s.png", "-o", "alone.png", "--size", "24", "--network", "mini"],
    )
    assert alone.exit_code == 0
    assert Path("alone.png").read_bytes() == Path("out/a-s-fast.png").read_bytes()


def test_refine_with_its_losses(folders):
    arguments = ("--mode", "refine", "--steps", 4, "--features", "vgg19-slim", "--strength", 0.5)
    result = run(*arguments, inputs=("-c", "photos/a.png", "-s", "styles"))
    assert counts(result) == (2, 2, 0, 0)
    record = records()["a-s-refine.png"]
    assert record["losses"]["total"] > 0
    assert record["options"]["strength"] == 0.5
    assert set(record["networks"]) == {"vgg19-slim", "mini"}
    again = run(*arguments, inputs=("-c", "photos/a.png", "-s", "styles"))
    assert counts(again) == (2, 0, 2, 0)


def test_a_table_with_labels_and_options(folders):
    Path("jobs.csv").write_text(
        "content,style,strength,class\nphotos/a.png,styles/s.png:2;styles/t.png,0.5,dog\nphotos/cats/c.png,,,cat\n"
    )
    run(
        "--pairs",
        "random:1",
        "--name",
        "{class}-{content}-{strength:g}",
        inputs=("--manifest", "jobs.csv", "-s", "styles"),
    )
    blend, drawn = records().values()
    assert [each["labels"] for each in (blend, drawn)] == [{"class": "dog"}, {"class": "cat"}]
    assert blend["output"] == "photos/dog-a-0.5.png"
    assert [style["weight"] for style in blend["styles"]] == [2.0, 1.0]
    assert drawn["output"] == "photos/cats/cat-c-1.png"
    assert len(drawn["styles"]) == 1
    Path("jobs.csv").write_text(Path("jobs.csv").read_text().replace(",cat\n", ",lion\n"))
    result = run("--name", "{content}", inputs=("--manifest", "jobs.csv", "-s", "styles/s.png"))
    assert counts(result)[1] == 2
    assert len(records()) == 4, "pictures of earlier runs stay in the manifest"


def test_labels_may_change_without_painting_anew(folders):
    for label in ("dog", "wolf"):
        Path("jobs.jsonl").write_text(json.dumps({"content": "photos/a.png", "style": "styles/s.png", "class": label}))
        result = run(inputs=("--manifest", "jobs.jsonl"))
        (record,) = records().values()
        assert record["labels"] == {"class": label}
    assert counts(result) == (1, 0, 1, 0)


def test_machine_readable(folders):
    Path("photos/bad.png").write_bytes(b"")
    result = run("--json", "--progress", "json", exit_code=1)
    data = json.loads(result.stdout)
    assert (data["jobs"], data["succeeded"], data["skipped"], data["failed"]) == (8, 6, 0, 2)
    assert data["failures"][0]["count"] == 2
    events = [json.loads(line) for line in result.stderr.splitlines()]
    done = [event for event in events if event["event"] == "job"]
    assert len(done) == 8
    assert (done[-1]["done"], done[-1]["failed"], done[-1]["jobs"]) == (6, 2, 8)
    assert done[-1]["remaining_s"] == 0


def test_a_bar(folders):
    assert counts(run("--progress", "bar")) == (6, 6, 0, 0)


def test_patience_is_asked_for_where_there_is_much(folders, monkeypatch):
    monkeypatch.setattr("stylize.batch.driver._MANY", 4)
    assert "4 jobs so far" in run().stderr
    assert "4 pictures were done before so far" in run().stderr


def test_a_format(folders):
    run("--format", "JPG", inputs=("-c", "photos/a.png", "-s", "styles/s.png"))
    assert Path("out/a-s-fast.jpg").read_bytes()[:3] == b"\xff\xd8\xff"


def test_from_and_to_urls(folders):
    pytest.importorskip("fsspec")
    output = f"file://{folders}/far"
    run(inputs=("-c", f"file://{folders}/photos", "-s", "styles"), output=output)
    assert sorted(pictures("far")) == sorted(records("far"))
    assert records("far")["cats/c-s-fast.png"]["content"]["path"] == f"file://{folders}/photos/cats/c.png"
    again = run(inputs=("-c", f"file://{folders}/photos", "-s", "styles"), output=output)
    assert counts(again) == (6, 0, 6, 0)
    # Another machine, which knows of it only what lies there.
    shutil.rmtree(Path(os.environ["STYLIZE_HOME"]) / "batch")
    again = run(inputs=("-c", f"file://{folders}/photos", "-s", "styles"), output=output)
    assert counts(again) == (6, 0, 6, 0)


@pytest.mark.parametrize(
    ("arguments", "inputs", "words"),
    [
        ((), ("-s", "styles"), "expected -c or --manifest, received neither"),
        ((), ("-c", "photos", "--manifest", "x.csv", "-s", "styles"), "received both"),
        ((), ("-c", "photos"), "Missing option '-s'"),
        (("--steps", 5), None, "--steps: an option of --mode refine, received --mode fast"),
        (("--preset", "gatys"), None, "--preset: an option of --mode refine"),
        (("--format", "bmp"), None, "--format: expected one of png"),
        (("--pairs", "some"), None, "--pairs: expected all, zip or random:N"),
        (("--pairs", "random:3"), None, "at most the 2 styles"),
        (("--pairs", "zip"), None, "as many contents as styles"),
        (("--address", "auto"), None, "--address: an option of --engine ray"),
        (("--name", "{content}"), None, "photos/a.png in the style of styles/s.png and for photos/a.png in the style"),
        (("--size", 0), None, "size: expected a long side"),
    ],
)
def test_misuse(folders, arguments, inputs, words):
    result = run(*arguments, inputs=inputs or ("-c", "photos", "-s", "styles"), exit_code=2)
    assert words in " ".join(result.stderr.split())
    assert not pictures()


def test_names_that_differ_in_case_alone(folders, monkeypatch):
    picture("photos/A.png", 7)
    run()
    monkeypatch.setattr("stylize.batch.driver._LOCK", ".STYLIZE-BATCH.LOCK")  # as if the folder did not heed case
    result = run(exit_code=2, output="mac")
    assert "photos/A.png" in result.stderr
    assert "photos/a.png" in result.stderr


@pytest.mark.parametrize(
    ("inputs", "output", "words"),
    [
        (("-c", "nowhere", "-s", "styles"), "out", "content nowhere: no such file or folder"),
        (("-c", "photos", "-s", "nowhere"), "out", "style nowhere: no such file or folder"),
        (("--manifest", "none.csv", "-s", "styles"), "out", "none.csv: could not be read"),
        (("-c", "photos", "-s", "styles"), "photos/a.png", "expected a folder, received a file"),
        (("-c", "photos", "-s", "styles"), "/proc/nope", "could not be made"),
    ],
)
def test_what_can_not_be(folders, inputs, output, words):
    result = run(inputs=inputs, output=output, exit_code=1)
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_output_is_no_input(folders):
    run(inputs=("-c", "photos/a.png", "-s", "styles"), output="photos", exit_code=2)
    assert counts(run(output="photos/painted")) == (6, 6, 0, 0)
    assert counts(run(output="photos/painted")) == (6, 0, 6, 0)


def test_one_run_at_a_time(folders):
    import filelock

    Path("out").mkdir()
    with filelock.FileLock("out/.stylize-batch.lock"):
        assert "another run is at work there" in run(exit_code=1).stderr


# --------------------------------------------------------------------------------------------------------------
# What fails


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
    from stylize.transfer.fast import fast as real

    def fast(content, styles, **options):
        if content.path.endswith("b.png"):
            raise RuntimeError("out of\nmemory")
        return real(content, styles, **options)

    monkeypatch.setattr("stylize.transfer.fast.fast", fast)
    assert counts(run(exit_code=1)) == (6, 4, 0, 2)
    assert records()["b-s-fast.png"]["error"] == "RuntimeError: out of"
    assert "in fast" in records()["b-s-fast.png"]["traceback"]


def test_a_lost_job_is_told_of(folders, monkeypatch):
    monkeypatch.setattr(engines, "LocalEngine", lambda *settings: InlineEngine(lose=("b",)))
    assert counts(run(exit_code=1)) == (6, 4, 0, 2)
    assert records()["b-s-fast.png"]["error"] == "its worker died"


def test_a_foreign_file_is_not_written_over(folders):
    picture("out/a-s-fast.png", 9)
    before = Path("out/a-s-fast.png").read_bytes()
    result = run(exit_code=1)
    assert counts(result) == (6, 5, 0, 1)
    assert "is there already, and is not of this batch" in result.stderr
    assert Path("out/a-s-fast.png").read_bytes() == before


def full(*arguments, **options):
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


def test_a_disk_too_full_for_the_manifest(folders, monkeypatch):
    run(inputs=("-c", "photos/a.png", "-s", "styles"))
    before = Path("out", MANIFEST).read_bytes()

    class Full:
        """The open manifest, of which the disk takes the first bytes alone."""

        def __init__(self, file):
            self.file = file

        def write(self, data):
            return self.file.write(data[:40])

        def __getattr__(self, name):
            return getattr(self.file, name)

    real = manifest.Manifest.__init__

    def init(self, path):
        real(self, path)
        self._file = Full(self._file)

    with monkeypatch.context() as patch:
        patch.setattr(manifest.Manifest, "__init__", init)
        result = run(exit_code=1)
    assert "out/manifest.jsonl: could not be written: No space left on device" in result.stderr
    assert Path("out", MANIFEST).read_bytes() == before
    assert counts(run()) == (6, 4, 2, 0)


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


# --------------------------------------------------------------------------------------------------------------
# What a second run does


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
    assert but_times() == but_times(fresh)


def test_other_options_paint_again(folders):
    run()
    assert counts(run("--strength", 0.5)) == (6, 6, 0, 0)
    assert counts(run("--strength", 0.5)) == (6, 0, 6, 0)


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


# --------------------------------------------------------------------------------------------------------------
# The real program, killed


def program(*arguments, **options):
    command = [sys.executable, "-m", "stylize", "batch", *map(str, arguments), "--network", "mini", "--workers", "2"]
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def ended(group):
    """Wait until no process of the program is left."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError("processes are left")


@pytest.mark.slow
def test_killed_at_random_moments_and_taken_up(tmp_path, tiny_networks):
    for number in range(60):
        picture(tmp_path / f"photos/{number % 3}/{number}.png", number, 32, 32)
    for number in range(30):  # enough pictures for quick machines, too
        picture(tmp_path / f"styles/{number}.png", 100 + number, 32, 32)
    (tmp_path / "photos/bad.png").write_bytes(b"")
    inputs = ("-c", tmp_path / "photos", "-s", tmp_path / "styles", "--size", 32, "-q")
    manifest, moment = tmp_path / "killed" / MANIFEST, random.Random(0)
    kills = 0
    while kills < 20:
        lines = manifest.read_bytes().count(b"\n") if manifest.exists() else 0
        target = lines + moment.choice([0, 1, 5, 12])
        running = program(*inputs, "-o", tmp_path / "killed")
        while running.poll() is None and (manifest.read_bytes().count(b"\n") if manifest.exists() else 0) < target:
            time.sleep(0.002)
        time.sleep(moment.uniform(0, 0.05))
        assert running.poll() is None, "too quick to be killed: more pictures are needed"
        running.kill()
        running.communicate()
        ended(running.pid)
        kills += 1
    for output in ("killed", "whole"):
        last = program(*inputs, "-o", tmp_path / output)
        assert last.communicate()[0].endswith(f"{output}/manifest.jsonl\n")
        assert last.returncode == 1  # the bad picture
    assert pictures(tmp_path / "killed") == pictures(tmp_path / "whole")
    assert but_times(tmp_path / "killed") == but_times(tmp_path / "whole")
    assert not list((tmp_path / "killed").rglob(".*.part"))


@pytest.mark.slow
def test_ctrl_c(tmp_path, tiny_networks):
    for number in range(200):
        picture(tmp_path / f"photos/{number}.png", number)
    picture(tmp_path / "s.png", 1000)
    inputs = ("-c", tmp_path / "photos", "-s", tmp_path / "s.png", "--size", 256, "-o", tmp_path / "out")
    running = program(*inputs)
    while not (tmp_path / "out" / MANIFEST).exists() or not (tmp_path / "out" / MANIFEST).read_bytes():
        assert running.poll() is None
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    stdout, stderr = running.communicate()
    assert running.returncode == 130
    assert stdout == ""
    assert stderr == "the same command goes on from here\nstylize: interrupted\n"
    ended(running.pid)
    done = records(tmp_path / "out")
    assert 0 < len(done) < 200
    assert all(record["status"] == "done" for record in done.values())
    assert not list((tmp_path / "out").rglob(".*.part"))


# --------------------------------------------------------------------------------------------------------------
# Ten thousand


def stub(tasks):
    """Stands in for the painter: a line for the manifest at once."""
    return [{**worker.record_of(task), "status": "done", "picture": {}, "seconds": 0.0} for task in tasks]


def run_stub(folder, count):
    found = (
        Job(f"photos/{number // 10}.png", ((f"s/{number % 10}.png", 1.0),), f"{number}.png") for number in range(count)
    )
    settings = Settings("fast", {"network": "mini"})
    return run_batch(found, str(folder), settings, lambda memory: engines.LocalEngine(2), work=stub)


@pytest.mark.slow
def test_ten_thousand_jobs_take_no_more_memory_than_a_thousand(tmp_path, tiny_networks):
    script = (
        "import sys, resource; sys.path.insert(0, {0!r}); import test_batch\n"
        "if __name__ == '__main__':\n"
        "    assert test_batch.run_stub({1!r}, {2}).done == {2}\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = []
    for count in (1000, 10_000):
        path = tmp_path / f"{count}.py"
        path.write_text(script.format(os.path.dirname(__file__), str(tmp_path / str(count)), count))
        finished = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
        peaks.append(int(finished.stdout) * (1 if sys.platform == "darwin" else 1024))
        assert len(Path(tmp_path, str(count), MANIFEST).read_bytes().splitlines()) == count
    assert peaks[1] - peaks[0] < 20e6


def test_memory_per_worker_grows_with_the_size():
    sizes = [driver.memory_bytes(Settings("refine", {"size": size}).config(())) for size in (256, 512, 1024)]
    assert sizes == sorted(sizes)


def test_a_batch_of_nothing(tmp_path):
    with pytest.raises(StylizeError, match="at least one job"):
        run_batch([], str(tmp_path), Settings("fast"), InlineEngine)
