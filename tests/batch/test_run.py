"""Batches: what is painted, what the manifest says, and misuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import filelock
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import workers
from batches import InlineEngine, counts, picture, pictures, records, run
from samples import EXAMPLES, TESTS
from stylize import files
from stylize.batch.jobs import Job
from stylize.batch.manifest import MANIFEST
from stylize.batch.resume import ResumeCheck
from stylize.batch.run import run_batch
from stylize.cli.main import main
from stylize.config import FastConfig
from stylize.errors import StylizeError
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image
from stylize.images.resizing import resized


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
    assert provenance["content"] == {"path": "../../photos/cats/c.png", "sha256": record["content"]["sha256"]}


def test_sizes_may_be_relative_to_each_photograph(folders):
    Path("photos/broken.png").write_bytes(b"no picture")
    picture("photos/large.png", 3, 48, 64)
    result = run("--size", "50%", inputs=("-c", "photos", "-s", "styles/s.png"), exit_code=1)
    assert counts(result) == (5, 4, 0, 1)
    for name, size in (("a", (16, 12)), ("cats/c", (16, 12)), ("large", (32, 24))):
        with Image.open(f"out/{name}-s-fast.png") as painted:
            assert painted.size == size


def test_pictures_are_written_as_asked_and_again_if_that_changes(folders):
    inputs = ("-c", "photos/a.png", "-s", "styles/s.png")
    run("--bit-depth", 16, inputs=inputs)
    with open("out/a-s-fast.png", "rb") as file:
        assert file.read(25)[24] == 16
    assert counts(run("--bit-depth", 16, inputs=inputs)) == (1, 0, 1, 0)
    assert counts(run(inputs=inputs)) == (1, 1, 0, 0)
    assert counts(run(inputs=inputs)) == (1, 0, 1, 0)
    run("--format", "jpg", inputs=inputs)
    smaller = "--format", "jpg", "--quality", 40
    assert counts(run(*smaller, inputs=inputs)) == (1, 1, 0, 0)
    assert counts(run(*smaller, inputs=inputs)) == (1, 0, 1, 0)
    assert counts(run("--format", "jpg", "--quality", 60, inputs=inputs)) == (1, 1, 0, 0)
    message = run("--format", "jpg", "--bit-depth", 16, inputs=inputs, exit_code=2).stderr
    assert "--bit-depth: expected an output of png or tif" in message


def test_a_picture_of_a_batch_is_that_of_fast(folders):
    run()
    Path("one").mkdir()
    alone = CliRunner().invoke(
        main,
        [
            "fast",
            "-c",
            "photos/a.png",
            "-s",
            "styles/s.png",
            "-o",
            "one/alone.png",
            "--size",
            "24",
            "--network",
            "mini",
        ],
    )
    assert alone.exit_code == 0
    assert Path("one/alone.png").read_bytes() == Path("out/a-s-fast.png").read_bytes()


@pytest.mark.parametrize("mode", ["fast", "refine"])
def test_a_table_names_masks(mode, folders):
    sides = Image.new("L", (32, 24)), Image.new("L", (32, 24), 255)
    sides[0].paste(255, (0, 0, 16, 24))
    for name, mask in zip(("left", "all"), sides, strict=True):
        mask.save(f"{name}.png")
    rows = ["content;style;mask", "photos/a.png;styles/s.png;left.png", "photos/b.png;styles/s.png;"]
    Path("jobs.csv").write_text("\n".join(rows))
    options = ("--mode", mode) + (
        ("--preset", "gatys", "--steps", 2, "--features", "vgg19-slim") if mode == "refine" else ()
    )
    inputs = ("--manifest", "jobs.csv")
    assert counts(run(*options, inputs=inputs)) == (2, 2, 0, 0)
    painted, photo = (read_image(path).pixels for path in (f"out/photos/a-s-{mode}.png", "photos/a.png"))
    photo = resized(photo, *painted.shape[:2])
    np.testing.assert_allclose(painted[:, 16:], photo[:, 16:], atol=2 / 255)  # black: the photo stays
    assert np.abs(painted[:, :8] - photo[:, :8]).mean() > 0.02
    one, two = records().values()
    assert one["masks"] == [{"path": "left.png", "sha256": files.sha256("left.png"), "stamp": files.stamp("left.png")}]
    assert "masks" not in two
    assert counts(run(*options, inputs=inputs)) == (2, 0, 2, 0)
    shutil.copy("all.png", "left.png")  # painted again, as the mask has changed
    assert counts(run(*options, inputs=inputs)) == (2, 1, 1, 0)
    Path("jobs.csv").write_text("content;style;mask\nphotos/a.png;styles/s.png;gone.png")
    assert "mask gone.png: no such file" in run(*options, inputs=inputs, exit_code=1).stderr
    Path("jobs.csv").write_text("content;style;mask\nphotos/a.png;styles/s.png;out/a.png")
    assert "expected no picture in the output folder" in run(*options, inputs=inputs, exit_code=1).stderr


def test_zip_drops_nothing(folders):
    inputs = ("-c", "photos/a.png", "-c", "photos/b.png", "-c", "photos/a.png")
    inputs += ("-s", "styles/s.png", "-s", "@swirls", "-s", "@swirls")
    run("--pairs", "zip", inputs=inputs)
    assert list(records()) == ["a-s-fast.png", "b-swirls-fast.png", "a-swirls-fast.png"]
    assert counts(run("--name", "{content}-{style}", inputs=inputs)) == (4, 4, 0, 0)  # all: each picture once


def test_the_time_left_counts_from_the_first_job_that_is_painted(tmp_path, tiny_networks, monkeypatch):
    def found():
        for number in range(4):
            time.sleep(0.1)  # as planning does
            yield Job(f"{number}.png", (("s.png", 1.0),), f"{number}.png")

    def unchanged(check, task, before, networks):
        time.sleep(0.1)
        return before if task.job.output != "3.png" else None

    elapsed, work = [], workers.painted_at_once
    for _ in range(2):
        outcome = run_batch(
            found(), str(tmp_path / "out"), lambda cells: FastConfig(network="mini"), InlineEngine, work=work,
            on_progress=lambda progress: elapsed.append(progress.elapsed_s),
        )  # fmt: skip
        monkeypatch.setattr(ResumeCheck, "unchanged", unchanged)
    assert outcome.skipped == 3
    assert outcome.seconds > 0.7
    assert len(elapsed) == 5
    assert all(0 < each < 0.3 for each in elapsed)


def test_a_label_of_an_options_name_is_told_of(folders):
    Path("jobs.csv").write_text("content,style,format,animate\nphotos/a.png,styles/s.png,jpg,x")
    result = run(inputs=("--manifest", "jobs.csv"))
    assert "column 'format' is taken as a label, not as the option --format" in result.stderr
    assert "column 'animate' is taken as a label" in result.stderr


def test_an_output_that_holds_the_photographs_is_told_as_such(folders):
    told = "photos: expected no picture in the output folder .; choose another"
    assert f"style {told}" in run(output=".", inputs=("-c", "photos", "-s", "photos"), exit_code=2).stderr
    Path("here").mkdir()
    shutil.move("photos", "here/photos")
    os.chdir("here")
    assert f"content {told}" in run(output=".", inputs=("-c", "photos", "-s", "../styles"), exit_code=2).stderr


def test_refine_with_its_losses(folders):
    arguments = ("--mode", "refine", "--preset", "gatys", "--init", "preview", "--steps", 4, "--features", "vgg19-slim")
    arguments += ("--strength", 0.5)
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
    monkeypatch.setattr("stylize.batch.run.MESSAGE_INTERVAL", 4)
    assert "4 jobs so far" in run().stderr
    assert "4 pictures were done before so far" in run().stderr


def test_a_format(folders):
    run("--format", "JPG", inputs=("-c", "photos/a.png", "-s", "styles/s.png"))
    assert Path("out/a-s-fast.jpg").read_bytes()[:3] == b"\xff\xd8\xff"


def test_from_and_to_urls(folders, monkeypatch):
    pytest.importorskip("fsspec")
    output = f"file://{folders}/far"
    run(inputs=("-c", f"file://{folders}/photos", "-s", "styles"), output=output)
    assert sorted(pictures("far")) == sorted(records("far"))
    assert records("far")["cats/c-s-fast.png"]["content"]["path"] == f"file://{folders}/photos/cats/c.png"
    again = run(inputs=("-c", f"file://{folders}/photos", "-s", "styles"), output=output)
    assert counts(again) == (6, 0, 6, 0)
    # Another machine, which knows of it only what lies there.
    monkeypatch.setenv("STYLIZE_HOME", str(folders / "another"))
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
        (("--pairs", "some"), None, "pairs: expected all, zip or random:N"),
        (("--pairs", "random:3"), None, "at most the 2 styles"),
        (("--pairs", "zip"), None, "as many contents as styles"),
        (("--address", "auto"), None, "--address: an option of --engine ray"),
        (("--name", "{content}"), None, "photos/a.png in the style of styles/s.png and for photos/a.png in the style"),
        (("--size", 0), None, "size: expected a long side"),
        (("--seed", 1), None, "--seed: an option of --mode refine and of --pairs random:N"),
    ],
)
def test_misuse(folders, arguments, inputs, words):
    result = run(*arguments, inputs=inputs or ("-c", "photos", "-s", "styles"), exit_code=2)
    assert words in " ".join(result.stderr.split())
    assert not pictures()


def test_where_ray_is_missing_nothing_is_written(folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "Ray is not installed" in run("--engine", "ray", exit_code=1).stderr
    assert not Path("out").exists()


def test_names_that_differ_in_case_alone(folders):
    picture("photos/A.png", 7)
    run()
    # The lock's name in capitals is there, too: so it is where a folder ignores case.
    Path("mac").mkdir()
    Path("mac/.STYLIZE-BATCH.LOCK").touch()
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
        (("-c", "photos", "-s", "styles"), "photos/a.png/out", "could not be made"),
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
    Path("out").mkdir()
    with filelock.FileLock("out/.stylize-batch.lock"):
        assert "another run is at work there" in run(exit_code=1).stderr


@pytest.mark.slow
def test_ten_thousand_jobs_take_no_more_memory_than_a_thousand(tmp_path, tiny_networks):
    script = tmp_path / "driver.py"
    script.write_text(
        "import resource, sys\n"
        "import workers\n"
        "if __name__ == '__main__':\n"
        "    assert workers.run_without_painting(sys.argv[1], int(sys.argv[2])).done == int(sys.argv[2])\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    peaks = []
    for count in (1000, 10_000):
        output = tmp_path / str(count)
        command = [sys.executable, str(script), str(output), str(count)]
        environment = {**os.environ, "PYTHONPATH": path}
        finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        peaks.append(int(finished.stdout) * (1 if sys.platform == "darwin" else 1024))
        assert len((output / MANIFEST).read_bytes().splitlines()) == count
    assert peaks[1] - peaks[0] < 20e6


def test_a_batch_of_nothing(tmp_path):
    with pytest.raises(StylizeError, match="at least one job"):
        run_batch([], str(tmp_path), lambda cells: FastConfig(), InlineEngine)


def test_animations_are_painted_from_their_first_frame_and_said_once(folders):
    frames = [Image.new("RGB", (32, 24), color) for color in ("red", "lime")]
    for name in ("photos/d.gif", "photos/e.webp"):
        frames[0].save(name, save_all=True, append_images=frames[1:], duration=50)
    told = run().stderr
    assert told.count("4 pictures are of animated inputs: the first frame is used") == 1
    assert records()["d-s-fast.png"]["notes"] == ["animated: the first of 2 frames is used"]


def test_styles_by_name(folders):
    shutil.copy("styles/s.png", "@t.png")
    result = run(inputs=("-c", "photos/a.png", "-s", "@swirls", "-s", "*.png"))
    assert counts(result) == (2, 2, 0, 0)
    record = records()["a-swirls-fast.png"]
    swirls = EXAMPLES / "style_swirls.jpg"
    assert record["styles"][0]["path"] == "@swirls"
    assert record["styles"][0]["sha256"] == files.sha256(str(swirls))
    assert read_provenance("out/a-swirls-fast.png")["styles"][0]["path"] == "@swirls"
    # A file that a glob finds is a file, whatever its name.
    assert records()["a-@t-fast.png"]["styles"][0]["path"] == "./@t.png"
    assert counts(run(inputs=("-c", "photos/a.png", "-s", "@swirls", "-s", "*.png"))) == (2, 0, 2, 0)
    wrong = run(inputs=("-c", "photos/a.png", "-s", "@swirl"), exit_code=1)
    assert "style @swirl: expected the name of one of our styles such as @swirls" in wrong.stderr


def test_a_tables_styles_by_name(folders):
    Path("photos/jobs.csv").write_text("content,style\na.png,@swirls:2;@woodcut\nb.png,../styles/s.png;@swirls\n")
    result = run(inputs=("--manifest", "photos/jobs.csv"))
    assert counts(result) == (2, 2, 0, 0)
    assert [style["path"] for style in records()["a-swirls+woodcut-fast.png"]["styles"]] == ["@swirls", "@woodcut"]
    assert records()["a-swirls+woodcut-fast.png"]["styles"][0]["weight"] == 2
    assert counts(run(inputs=("--manifest", "photos/jobs.csv"))) == (2, 0, 2, 0)
    Path("photos/jobs.csv").write_text("content,style\na.png,@swirl\n")
    wrong = run(inputs=("--manifest", "photos/jobs.csv"), exit_code=1)
    assert wrong.stderr.startswith("stylize: photos/jobs.csv line 2: style @swirl: expected")


def test_styles_by_name_may_be_painted_into_the_current_folder(folders):
    Path("elsewhere").mkdir()
    os.chdir("elsewhere")
    assert counts(run(inputs=("-c", "../photos/a.png", "-s", "@swirls"), output=".")) == (1, 1, 0, 0)
