"""Files of a refinement: pictures in between, checkpoints, films, plots; Ctrl-C and --resume."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from api_stand_in import CHECKPOINT, one_line, run
from stylize.cli.commands import checks
from stylize.errors import StylizeError
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image
from stylize.images.resizing import resized
from stylize.optimize.checkpoint import read_checkpoint, write_checkpoint


def test_save_every_leaves_pictures_on_the_way(inputs, fake, tmp_path):
    checkpoint = tmp_path / "out.png.checkpoint.npz"
    seen = []
    fake.on_step = lambda step: seen.append(checkpoint.exists())
    run("refine", *inputs, "-o", tmp_path / "out.png", "--save-every", "2")
    assert seen == [False, False, True, True, True]
    assert not checkpoint.exists()
    assert sorted(path.name for path in tmp_path.glob("out-step-*")) == [
        "out-step-0002.png",
        "out-step-0004.png",
    ]
    np.testing.assert_allclose(read_image(tmp_path / "out-step-0002.png").pixels, 0.2, atol=1 / 255)


def test_pictures_on_the_way_keep_the_author_as_the_last_one_does(pictures, fake, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist], exif[ExifTags.Base.Make] = "Ada", "Camera"
    with Image.open(pictures[0]) as image:
        image.save(tmp_path / "signed.png", exif=exif)
    arguments = "-c", tmp_path / "signed.png", "-s", pictures[1], "-o", tmp_path / "out.png", "--save-every", "2"
    for options, kept in (
        ((), {ExifTags.Base.Artist: "Ada"}),
        (("--keep-metadata", "all"), {ExifTags.Base.Artist: "Ada", ExifTags.Base.Make: "Camera"}),
        (("--keep-metadata", "none"), {}),
    ):
        run("refine", *arguments, *options, "--overwrite")
        assert read_image(tmp_path / "out-step-0002.png").metadata.main == kept
        assert read_provenance(tmp_path / "out-step-0002.png")["steps_taken"] == 2


def test_pictures_on_the_way_are_as_transparent_as_the_last_one(pictures, fake, tmp_path):
    with Image.open(pictures[0]) as image:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        image.save(tmp_path / "content.png")
    run("refine", "-c", tmp_path / "content.png", "-s", pictures[1], "-o", tmp_path / "out.png", "--save-every", "2")
    alpha = read_image(tmp_path / "out-step-0002.png").alpha
    np.testing.assert_allclose(alpha, resized(read_image(tmp_path / "content.png").alpha, 4, 6), atol=1 / 255)


def test_pictures_of_an_earlier_run_are_not_replaced_unasked(inputs, fake, tmp_path):
    (tmp_path / "out-step-0100.png").write_bytes(b"mine")
    arguments = ["refine", *inputs, "-o", tmp_path / "out.png", "--save-every", "2"]
    assert "left by an earlier run" in one_line(run(*arguments, exit_code=1).stderr)
    assert fake.calls == []
    run(*arguments, "--overwrite")


def test_ctrl_c_keeps_the_best_picture_and_a_checkpoint(inputs, fake, tmp_path):
    output = tmp_path / "out.png"
    before = signal.getsignal(signal.SIGINT)
    fake.on_step = lambda step: signal.raise_signal(signal.SIGINT) if step == 2 else None
    result = run("refine", *inputs, "-o", output, "--json", exit_code=130)
    assert signal.getsignal(signal.SIGINT) is before
    data = json.loads(result.stdout)
    assert (data["stopped"], data["steps"]) == ("interrupted", 2)
    assert str(output) in result.stderr
    assert "--resume" in result.stderr
    assert read_provenance(output)["command"] == "refine"
    assert read_checkpoint(f"{output}.checkpoint.npz").elapsed_s == CHECKPOINT.elapsed_s


def test_what_ctrl_c_left_is_resumed_or_started_anew_but_never_lost(inputs, fake, tmp_path):
    output = tmp_path / "out.png"
    checkpoint = tmp_path / "out.png.checkpoint.npz"
    write_checkpoint(checkpoint, CHECKPOINT)
    shutil.copy(inputs[1], output)
    message = one_line(run("refine", *inputs, "-o", output, exit_code=1).stderr)
    assert "--resume goes on from it, --overwrite starts anew" in message
    assert fake.calls == []
    run("refine", *inputs, "-o", output, "--resume")
    assert fake.resumed_from.context == CHECKPOINT.context
    assert not checkpoint.exists()
    assert read_provenance(output)["command"] == "refine"


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".apng"])
def test_a_film_and_a_plot_are_written_beside_the_picture(suffix, inputs, fake, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    film, plot = tmp_path / f"film{suffix}", tmp_path / "losses.png"
    data = json.loads(run("refine", *inputs, "--animate", film, "--plot", plot, "--json").stdout)
    assert (data["animation"], data["plot"]) == (str(film), str(plot))
    with Image.open(film) as image:
        assert image.n_frames > 3
        first = np.asarray(image.convert("RGB"))
        image.seek(image.n_frames - 1)
        last = np.asarray(image.convert("RGB"))
    assert first.mean() == pytest.approx(0.9 * 255, abs=6)  # the preview
    assert last.mean() == pytest.approx(0.5 * 255, abs=6)  # the result
    with Image.open(plot) as image:
        image.load()


SIGHTS = [
    (["--animate", "film.avi"], 2, "film film.avi: expected a suffix out of .webp, .gif, .mp4, .apng; received .avi"),
    (["--plot", "losses.txt"], 2, "plot losses.txt: expected a suffix out of"),
    (["--animate", "there.webp"], 1, "output there.webp: is there already"),
    (["--plot", "there.png"], 1, "output there.png: is there already"),
    (["--animate", "absent/film.webp"], 1, "absent/film.webp: expected an existing folder"),
    (["--animate", "out.webp", "-o", "out.webp"], 2, "expected a file of its own"),
    (["--animate", "a.webp", "--plot", "./a.webp"], 2, "expected a file of its own"),
    (["--plot", "photo.png", "--overwrite"], 2, "expected another file than the input"),
    (["--plot", "losses.png", "--strength", "0"], 2, "--plot: there are no losses at a strength of 0"),
    (["-o", "."], 2, "output .: expected a suffix out of"),
    (["-o", "-"], 2, "output -: only fast reads and writes pipes"),
    (["--mask", "-"], 2, "mask -: only fast reads and writes pipes"),
    (["--time-budget", "9", "--steps", "9"], 2, "--time-budget: replaces steps, expected one of"),
    (["--time-budget", "inf"], 2, "expected more than 0 seconds, and an end; received inf"),
    (["--animate", "film.mp4"], 1, 'pip install "stylize-art[film]"'),
    (["--plot", "losses.png"], 1, 'pip install "stylize-art[plot]"'),
]


@pytest.mark.parametrize(("arguments", "exit_code", "message"), SIGHTS, ids=[" ".join(each[0]) for each in SIGHTS])
def test_films_and_plots_are_refused_before_any_work(
    arguments, exit_code, message, inputs, fake, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for package in ("av", "matplotlib"):
        if "pip install" in message:
            monkeypatch.setitem(sys.modules, package, None)
        elif package == "matplotlib":
            pytest.importorskip(package, reason=f"{package} is not installed")
    for name in ("there.webp", "there.png"):
        (tmp_path / name).write_bytes(b"mine")
    before = sorted(tmp_path.iterdir())
    assert message in one_line(run("refine", *inputs, *arguments, exit_code=exit_code).stderr)
    assert fake.calls == []
    assert sorted(tmp_path.iterdir()) == before


def test_a_plot_is_not_the_picture_in_other_capitals(inputs, fake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checks, "_IGNORES_CASE", True)
    message = run("refine", *inputs, "-o", "out.png", "--plot", "OUT.png", "--overwrite", exit_code=2).stderr
    assert "expected a file of its own" in one_line(message)
    assert fake.calls == []


def test_ctrl_c_leaves_the_film_and_the_plot_of_what_there_was(inputs, fake, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    film, plot = tmp_path / "film.webp", tmp_path / "losses.png"
    arguments = ["refine", *inputs, "-o", tmp_path / "out.png", "--animate", film, "--plot", plot]
    fake.on_step = lambda step: signal.raise_signal(signal.SIGINT) if step == 2 else None
    told = run(*arguments, exit_code=130).stderr
    assert "the same command with --resume --overwrite goes on" in told
    left = film.read_bytes()
    with Image.open(film) as image:
        assert image.n_frames > 2
    assert plot.exists()
    fake.on_step = lambda step: None
    run(*arguments, "--resume", "--overwrite")
    assert fake.resumed_from is not None
    assert film.read_bytes() != left


@pytest.mark.parametrize("option", ["--animate", "--plot"])
def test_a_resumed_run_replaces_its_picture_and_no_other_file(option, inputs, fake, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    write_checkpoint(tmp_path / "out.png.checkpoint.npz", CHECKPOINT)
    shutil.copy(inputs[1], tmp_path / "out.png")
    mine = tmp_path / ("film.webp" if option == "--animate" else "holiday.png")
    mine.write_bytes(b"mine")
    arguments = ["refine", *inputs, "-o", tmp_path / "out.png", "--resume", option, mine]
    assert f"output {mine}: is there already" in one_line(run(*arguments, exit_code=1).stderr)
    assert (mine.read_bytes(), fake.calls) == (b"mine", [])


def kept_in(message):
    """Return the picture that an error says is kept."""
    return Path(message.partition("; the picture is kept as ")[2])


@pytest.mark.parametrize("stopped", [False, True])
def test_a_picture_whose_name_was_taken_meanwhile_is_kept_beside_it(stopped, inputs, fake, tmp_path):
    output, checkpoint = tmp_path / "out.jpg", tmp_path / "out.jpg.checkpoint.npz"

    def on_step(step):
        if step == 2:
            output.write_bytes(b"mine")
            if stopped:
                signal.raise_signal(signal.SIGINT)

    fake.on_step = on_step
    message = run("refine", *inputs, "-o", output, "--quality", "80", exit_code=1).stderr.splitlines()[-1]
    assert f"output {output}: is there already" in message
    assert output.read_bytes() == b"mine"
    kept = kept_in(message)
    assert (kept.parent, kept.suffix) == (tmp_path, ".png")
    assert read_provenance(kept)["command"] == "refine"
    assert checkpoint.exists() is stopped


def test_a_picture_that_finds_no_room_is_kept_elsewhere(inputs, fake, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "temporary"))
    fake.on_step = lambda step: shutil.rmtree(tmp_path / "out") if step == 2 else None
    arguments = ["refine", *inputs, "-o", tmp_path / "out" / "a.png"]
    kept = kept_in(run(*arguments, exit_code=1).stderr.splitlines()[-1])
    assert kept.parent == tmp_path / "temporary"
    assert read_provenance(kept)["command"] == "refine"

    def gone(step):
        if step == 2:
            for name in ("out", "temporary"):
                shutil.rmtree(tmp_path / name)

    (tmp_path / "out").mkdir()
    fake.on_step = gone
    message = run(*arguments, exit_code=1).stderr.splitlines()[-1]
    assert "expected an existing folder" in message
    assert "kept" not in message


def test_a_picture_on_the_way_never_replaces_what_is_read(inputs, fake, pictures, tmp_path):
    init = shutil.copy(pictures[0], tmp_path / "out-step-0002.png")
    arguments = ["refine", *inputs, "-o", tmp_path / "out.png", "--init", init, "--overwrite"]
    message = one_line(run(*arguments, "--save-every", "2", exit_code=2).stderr)
    assert f"output {init}: expected another file than the input" in message
    assert fake.calls == []
    run(*arguments)


def test_a_film_that_cannot_be_written_costs_neither_picture_nor_checkpoint(inputs, fake, tmp_path, monkeypatch):
    def full(self, path, **options):
        raise StylizeError("no space left")

    monkeypatch.setattr("stylize.reports.film.Film.write", full)
    fake.on_step = lambda step: signal.raise_signal(signal.SIGINT) if step == 2 else None
    arguments = ["refine", *inputs, "-o", tmp_path / "out.png", "--animate", tmp_path / "film.webp"]
    message = run(*arguments, exit_code=1).stderr.splitlines()[-1]
    assert message == f"stylize: no space left; the picture is there: {tmp_path / 'out.png'}"
    assert (tmp_path / "out.png").exists()
    assert (tmp_path / "out.png.checkpoint.npz").exists()


def test_resume_without_a_checkpoint_is_one_line(inputs, fake, pictures):
    output = pictures[0].with_name("photo-painting-refine.png")
    message = f"stylize: --resume: no checkpoint {output}.checkpoint.npz; "
    assert one_line(run("refine", *inputs, "--resume", exit_code=1).stderr) == message + "start without it"
    output.touch()
    told = one_line(run("refine", *inputs, "--resume", exit_code=1).stderr)
    assert told == f"{message}{output} is finished, or was left by another command"
    assert "no checkpoint" in one_line(run("refine", *inputs, "-o", f"{'x' * 300}.png", "--resume", exit_code=1).stderr)
    assert fake.calls == []


@pytest.mark.parametrize("steps", [(0,), (2, 2)], ids=["before the first step", "twice"])
def test_ctrl_c_before_there_is_a_picture_or_twice_aborts_at_once(steps, inputs, fake, tmp_path):
    def interrupt(step):
        for _ in range(steps.count(step)):
            signal.raise_signal(signal.SIGINT)

    fake.on_step = interrupt
    files = sorted(tmp_path.iterdir())
    before = signal.getsignal(signal.SIGINT)
    result = run("refine", *inputs, exit_code=130)
    assert signal.getsignal(signal.SIGINT) is before
    assert result.stderr.endswith("stylize: interrupted\n")
    assert result.stdout == ""
    assert sorted(tmp_path.iterdir()) == files


def test_a_full_disk_on_the_way_does_not_end_the_run(inputs, fake, tmp_path, monkeypatch):
    def full(path, checkpoint):
        raise StylizeError("no space left")

    monkeypatch.setattr("stylize.optimize.checkpoint.write_checkpoint", full)
    output = tmp_path / "out.png"
    result = run("refine", *inputs, "-o", output, "--save-every", "2")
    assert output.exists()
    assert "step 2: the checkpoint is not kept: no space left" in result.stderr


def test_pictures_on_the_way_carry_their_provenance(inputs, fake, tmp_path):
    output = tmp_path / "out.png"
    run("refine", *inputs, "-o", output, "--save-every", "2")
    assert read_provenance(tmp_path / "out-step-0002.png")["steps_taken"] == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
@pytest.mark.parametrize(("name", "exit_code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_notice_to_end_keeps_the_best_picture_and_a_checkpoint(name, exit_code, inputs, fake, tmp_path):
    number = getattr(signal, name)
    before = signal.getsignal(number)

    def twice(step):  # as a closed terminal does
        if step == 2:
            signal.raise_signal(number)
            signal.raise_signal(number)

    fake.on_step = twice
    output = tmp_path / "out.png"
    data = json.loads(run("refine", *inputs, "-o", output, "--json", exit_code=exit_code).stdout)
    assert (data["stopped"], data["steps"]) == ("interrupted", 2)
    assert read_provenance(output)["command"] == "refine"
    assert read_checkpoint(f"{output}.checkpoint.npz").elapsed_s == CHECKPOINT.elapsed_s
    assert signal.getsignal(number) is before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
@pytest.mark.parametrize(("name", "exit_code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_notice_to_end_before_there_is_a_picture_ends_at_once(name, exit_code, inputs, fake, tmp_path):
    fake.on_step = lambda step: signal.raise_signal(getattr(signal, name))
    files = sorted(tmp_path.iterdir())
    result = run("refine", *inputs, exit_code=exit_code)
    assert result.stderr.endswith(f"stylize: ended by {name}\n")
    assert sorted(tmp_path.iterdir()) == files


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
def test_an_ignored_signal_stays_ignored(inputs, fake):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    fake.on_step = lambda step: signal.raise_signal(signal.SIGHUP)
    try:
        run("refine", *inputs)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_long_names_are_shortened_where_nobody_chose_them(pictures, fake, tmp_path):
    content = tmp_path / f"{'ä' * 120}.png"
    shutil.copy(pictures[0], content)
    fake.on_step = lambda step: signal.raise_signal(signal.SIGINT) if step == 2 else None
    arguments = ["refine", "-c", content, "-s", pictures[1], "--save-every", "1"]
    output = Path(run(*arguments, exit_code=130).stdout.rstrip("\n"))
    assert output.name.endswith("-refine.png")
    (checkpoint,) = tmp_path.glob("*.checkpoint.npz")
    assert read_checkpoint(checkpoint).elapsed_s == CHECKPOINT.elapsed_s
    assert len(list(tmp_path.glob("*-step-000[12].png"))) == 2
    assert "left by an earlier run" in one_line(run(*arguments, exit_code=1).stderr)
    run(*arguments, "--resume", exit_code=130)
    rerun = Path(run("rerun", output, "-o", tmp_path / "again.png", exit_code=130).stdout.rstrip("\n"))
    assert rerun.exists()
    message = one_line(
        run("refine", "-c", pictures[0], "-s", pictures[1], "-o", "x" * 256 + ".png", exit_code=1).stderr
    )
    assert message.endswith("expected a name of up to 255 bytes, received 260; shorten it")
