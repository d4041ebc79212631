"""`stylize rerun`: the recorded inputs, options and networks."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import signal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from api_stand_in import CHECKPOINT, one_line, run
from stylize import __version__
from stylize.cli.main import main
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image
from stylize.images.writing import write_image
from stylize.transfer.results import NetworkUse


@pytest.mark.parametrize("command", ["fast", "refine"])
def test_rerun_asks_for_the_same_with_the_networks_pinned(command, inputs, fake, tmp_path):
    preset = ["--preset", "ml-art-combine"] if command == "refine" else ["--strength", ".5"]
    run(command, *inputs, *preset, "-o", tmp_path / "out.webp")
    result = run("rerun", tmp_path / "out.webp")
    assert result.stdout == f"{tmp_path / 'out-rerun.webp'}\n"
    first, second = fake.calls
    pinned = {"network": "mini"}
    if command == "refine":
        pinned |= {"features": "vgg19-slim", "precision": "float32"}
    assert second[:3] == (command, first[1], [*first[2]])
    assert second[3] == dataclasses.replace(first[3], **pinned)


@pytest.mark.parametrize("options", [["--resume"], ["--backend", "jax"], ["--device", "gpu:7"]], ids=" ".join)
def test_rerun_of_a_preview_takes_no_option_of_a_refinement(options, inputs, fake, tmp_path):
    run("fast", *inputs, "-o", tmp_path / "out.png")
    message = one_line(run("rerun", tmp_path / "out.png", *options, exit_code=2).stderr.splitlines()[-1] + "\n")
    assert message == f"Error: {options[0]}: expected a picture of refine, received one of fast; leave it out"
    assert len(fake.calls) == 1


def test_rerun_reads_a_recorded_url_and_checks_its_hash(shipped_networks, pictures, tmp_path):
    content, style = pictures
    run("fast", "-c", content, "-s", style, "--network", "mini", "--size", 32, "-o", tmp_path / "out.png")
    provenance = read_provenance(tmp_path / "out.png")
    provenance["content"]["path"], provenance["styles"][0]["path"] = content.as_uri(), style.as_uri()
    rerun = "rerun", tmp_path / "earlier.png", "-o", tmp_path / "again.png", "--overwrite"
    with_description(tmp_path / "earlier.png", json.dumps(provenance))
    run(*rerun)
    np.testing.assert_array_equal(read_image(tmp_path / "again.png").pixels, read_image(tmp_path / "out.png").pixels)
    content.write_bytes(style.read_bytes())
    message = one_line(run(*rerun, exit_code=1).stderr)
    assert message == f"stylize: content {content.as_uri()}: has changed since; --content FILE takes another"
    content.unlink()
    message = one_line(run(*rerun, exit_code=1).stderr)
    assert message.startswith(f"stylize: content {content.as_uri()}: no such file")
    assert message.endswith("; --content FILE takes another")
    provenance["content"]["path"] = url = "http://127.0.0.1:1/a.png"
    with_description(tmp_path / "earlier.png", json.dumps(provenance))
    message = one_line(run(*rerun, exit_code=1).stderr)  # STYLIZE_OFFLINE is set
    assert message == f"stylize: content {url}: --offline reads no URL; --content FILE takes another"


@pytest.mark.parametrize("native", [True, False])
def test_rerun_repeats_bfloat16_where_the_machine_has_it(native, inputs, fake, tmp_path, monkeypatch):
    fake.precision = "bfloat16"
    run("refine", *inputs, "-o", tmp_path / "out.png")
    monkeypatch.setattr("stylize.cli.commands.rerun.has_native_bfloat16", lambda: native)
    told = run("rerun", tmp_path / "out.png").stderr
    assert fake.calls[1][3].precision == ("bfloat16" if native else "auto")
    assert ("made in bfloat16, which this machine does not have: the picture may differ" in told) is not native


def test_an_interrupted_rerun_is_resumed_by_rerun(inputs, fake, tmp_path):
    run("refine", *inputs, "-o", tmp_path / "out.png")
    fake.on_step = lambda step: signal.raise_signal(signal.SIGINT) if step == 2 else None
    run("rerun", tmp_path / "out.png", exit_code=130)
    assert (tmp_path / "out-rerun.png").exists()
    fake.on_step = lambda step: None
    run("rerun", tmp_path / "out.png", "--resume")
    assert fake.resumed_from.context == CHECKPOINT.context


def test_rerun_finds_inputs_beside_the_picture(inputs, fake, pictures, tmp_path, monkeypatch):
    run("fast", *inputs, "-o", tmp_path / "out.png")
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in (*pictures, tmp_path / "out.png"):
        path.rename(moved / path.name)
    monkeypatch.chdir(tmp_path)
    run("rerun", moved / "out.png", "-o", "again.png")
    assert fake.calls[1][1] == moved / "photo.png"


def test_rerun_finds_inputs_where_all_folders_were_moved(fake, pictures, tmp_path, monkeypatch):
    for folder, path in (("photos", pictures[0]), ("styles", pictures[1])):
        (tmp_path / "project" / folder).mkdir(parents=True)
        path.rename(tmp_path / "project" / folder / path.name)
    (tmp_path / "project" / "out").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    style = "styles/painting.png"
    run("refine", "-c", "photos/photo.png", "-s", style, "--init", style, "-o", "out/a.png")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project").rename(tmp_path / "moved")
    run("rerun", "moved/out/a.png", "--no-provenance")
    _, content, styles, config, _ = fake.calls[1]
    assert content.samefile("moved/photos/photo.png")
    assert styles[0][0].samefile("moved/styles/painting.png")
    assert Path(config.init).samefile("moved/styles/painting.png")
    assert read_provenance("moved/out/a-rerun.png") is None


def test_rerun_reads_the_absolute_paths_of_earlier_versions(inputs, fake, pictures, tmp_path):
    run("fast", *inputs, "-o", tmp_path / "out.png")
    provenance = read_provenance(tmp_path / "out.png")
    provenance["content"]["path"] = str(pictures[0])
    exif = Image.Exif()
    exif[270] = "stylize recipe: " + json.dumps(provenance)
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "elsewhere" / "old.png", exif=exif)
    run("rerun", tmp_path / "elsewhere" / "old.png", "-s", pictures[1])
    assert fake.calls[1][1] == pictures[0]


@pytest.mark.parametrize("which", [0, 1])
def test_rerun_refuses_inputs_that_are_gone_or_changed_unless_told_to_take_others(
    which, inputs, fake, pictures, tmp_path
):
    run("refine", *inputs, "-o", tmp_path / "out.png")
    name = ("content", "style")[which]
    changed = tmp_path / "changed.png"
    Image.open(pictures[which]).rotate(180).save(changed)
    changed.replace(pictures[which])
    message = one_line(run("rerun", tmp_path / "out.png", exit_code=1).stderr)
    assert message == f"stylize: {name} {pictures[which]}: has changed since; --{name} FILE takes another"
    run("rerun", tmp_path / "out.png", f"--{name}", pictures[which])
    pictures[which].rename(tmp_path / "renamed.png")
    message = one_line(run("rerun", tmp_path / "out.png", "-o", tmp_path / "b.png", exit_code=1).stderr)
    assert "no such file, nor beside" in message


def test_rerun_starts_from_the_recorded_picture_and_from_no_other(inputs, fake, pictures, tmp_path):
    init = tmp_path / "init.png"
    Image.open(pictures[0]).rotate(180).save(init)
    run("refine", *inputs, "-o", tmp_path / "out.png", "--init", init)
    run("rerun", tmp_path / "out.png")
    assert fake.calls[1][3].init == str(init)
    init.write_bytes(b"hunter2")
    for change, words in (
        ({}, f"init {init}: has changed since"),
        ({"init": None}, "options.init: expected preview, preview+content, content, noise, content+noise, or a file"),
    ):
        altered(tmp_path / "out.png", tmp_path / "other.png", change)
        message = one_line(run("rerun", tmp_path / "other.png", exit_code=1).stderr)
        assert words in message
        assert "hunter" not in message


def test_rerun_prints_nothing_of_a_file_that_is_no_picture(pictures, shipped_networks, tmp_path):
    run("fast", "-c", pictures[0], "-s", pictures[1], "-o", tmp_path / "out.png", "--size", 32)
    secret = tmp_path / "passwords"
    for data in (b"hunter2 is the password", b"\x00hunter2\xff"):
        secret.write_bytes(data)
        record = {"path": str(secret), "sha256": hashlib.sha256(data).hexdigest(), "weight": 1.0}
        altered(tmp_path / "out.png", tmp_path / "other.png", {"styles": [record]})
        message = one_line(run("rerun", tmp_path / "other.png", exit_code=1).stderr)
        assert message.startswith(f"stylize: style {secret}: expected a picture")
        assert "hunter" not in message


def test_rerun_writes_the_file_as_it_was_written(inputs, fake, tmp_path):
    run("fast", *inputs, "-o", tmp_path / "deep.png", "--bit-depth", 16, "--keep-metadata", "none")
    run("fast", *inputs, "-o", tmp_path / "small.jpg", "--quality", 20)
    assert read_provenance(tmp_path / "deep.png")["output"] == {"bit_depth": 16, "metadata": "none"}
    for name, again in (("deep.png", "again.png"), ("deep.png", "again.tif"), ("small.jpg", "again.jpg")):
        run("rerun", tmp_path / name, "-o", tmp_path / again)
        assert read_provenance(tmp_path / again)["output"] == read_provenance(tmp_path / name)["output"]
    assert (tmp_path / "again.jpg").stat().st_size == (tmp_path / "small.jpg").stat().st_size
    # A format that has neither, and options that ask for something else.
    run("rerun", tmp_path / "deep.png", "-o", tmp_path / "other.jpg")
    assert read_provenance(tmp_path / "other.jpg")["output"] == {"metadata": "none"}
    run("rerun", tmp_path / "deep.png", "-o", tmp_path / "eight.png", "--bit-depth", 8, "--keep-metadata", "safe")
    assert "output" not in read_provenance(tmp_path / "eight.png")
    refused = run("rerun", tmp_path / "deep.png", "-o", tmp_path / "x.png", "--quality", 20, exit_code=2)
    assert "quality: expected an output of jpg, webp or avif, received png" in refused.stderr


def test_rerun_says_what_is_not_as_it_was(inputs, fake, tmp_path, monkeypatch):
    run("fast", *inputs, "-o", tmp_path / "out.png")
    monkeypatch.setattr("stylize.cli.commands.rerun.__version__", "9.9")
    fake.stylizer = NetworkUse("mini", "embedded", {"mini.tflite": "8" * 64})
    told = run("rerun", tmp_path / "out.png").stderr.splitlines()
    assert told == [
        f"made by stylize {__version__}, this is 9.9: the picture may differ",
        "using mini",
        "mini is not the network that was recorded: the picture may differ",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"command": "compare"}, "expected the provenance of fast or refine, received that of 'compare'"),
        (
            {"options": {"size": 0}},
            "size: expected a long side of 1 to 65535 px, original, or percent such as 200%; received 0",
        ),
        ({"options": {"size": 96.5}}, "size: expected int | str, received 96.5"),
        ({"options": {"brush": 3}}, "option 'brush': not an option of FastConfig"),
        ({"networks": None}, "networks: expected array, received None"),
        ({"styles": []}, "styles: expected array of length >= 1, received []"),
        ({"content": {}}, "content: expected path, received none"),
        ({"content": {"path": "p" * 70_000, "sha256": ""}}, "content.path: expected str of length <= 4096, received"),
        ({"content": {"path": "p" * 4_000, "sha256": ""}}, "ppp': no such file, nor beside"),
        ({"content": {"path": "nul\0.png", "sha256": ""}}, "no such file, nor beside"),
        ({"steps_taken": "all"}, "steps_taken: expected int | null, received 'all'"),
        ({"output": {"bit_depth": 12}}, "bit_depth: expected 8 or 16, received 12"),
        ({"precision_used": "float8"}, "precision_used: expected another value, received 'float8'"),
        (
            {"content": {"path": None, "sha256": None}},
            "its content was no file; --content FILE takes another",
        ),
    ],
)
def test_rerun_refuses_provenance_that_it_can_not_follow(change, message, inputs, fake, tmp_path):
    run("fast", *inputs, "-o", tmp_path / "out.png")
    altered(tmp_path / "out.png", tmp_path / "other.png", change)
    line = one_line(run("rerun", tmp_path / "other.png", exit_code=1).stderr)
    assert message in line
    assert len(line) < 600
    assert len(fake.calls) == 1


WORDS = ["fast", "refine", "auto", "mini", "vgg19-slim", "float32", "path", "sha256", "weight", "photo.png", "size"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.sampled_from(WORDS), inner),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), command=st.sampled_from(["fast", "refine"]))
def test_any_provenance_is_followed_or_refused_in_one_line(data, command, inputs, fake, tmp_path):
    """Replace any value of a whole provenance by any other, or the whole provenance."""
    original = tmp_path / f"{command}.png"
    if not original.exists():
        run(command, *inputs, "-o", original)
    provenance = read_provenance(original)
    place = provenance
    while isinstance(place, (dict, list)) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not place[key] or not isinstance(place[key], (dict, list)) or data.draw(st.booleans()):
            place[key] = data.draw(ANYTHING)
            break
        place = place[key]
    if data.draw(st.integers(0, 9)) == 0:
        provenance = data.draw(ANYTHING)
    with_description(tmp_path / "other.png", json.dumps(provenance))
    for arguments in (["info"], ["info", "--json"], ["rerun", "--overwrite", "-o", tmp_path / "again.png"]):
        result = CliRunner().invoke(main, [*map(str, arguments), str(tmp_path / "other.png")])
        assert result.exit_code == 0 or one_line(result.stderr).startswith("stylize: "), (provenance, result.exception)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 2000 + "]" * 2000, "expected JSON of at most 100 levels, received more"),
        ('{"a":' * 2000 + "1" + "}" * 2000, "expected JSON of at most 100 levels, received more"),
        ("{}", "expected a provenance as a JSON object, received {}"),
        (r'{"command": "fast\ud800"}', "received half a character"),
        ('{"command": ' + "1" * 5000 + "}", "limit"),
        ('{"command": "' + "x" * 70_000 + '"}', "expected the provenance of fast or refine, received that of 'xxx"),
    ],
)
def test_provenance_that_is_no_provenance_is_refused_in_one_line(text, words, tmp_path):
    with_description(tmp_path / "made-up.png", text)
    message = one_line(run("rerun", tmp_path / "made-up.png", exit_code=1).stderr)
    assert words in message
    assert len(message) < 600


def with_description(path, text):
    """Write a picture with a text in the place of its provenance."""
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "stylize provenance: " + text
    Image.new("RGB", (2, 2)).save(path, exif=exif)


def altered(original, path, change):
    """Write a picture with the provenance of another, but for some entries."""
    write_image(path, np.zeros((2, 2, 3), np.float32), provenance=read_provenance(original) | change, overwrite=True)
