"""Inputs and outputs are checked before any work."""

from __future__ import annotations

import os

import pytest

from api_stand_in import one_line, run
from stylize import files
from stylize.cli.commands.checks import check_free
from stylize.errors import OptionError
from stylize.images.reading import read_image


@pytest.mark.parametrize("missing", ["-c", "-s"])
@pytest.mark.parametrize("command", ["fast", "refine", "compare"])
def test_a_missing_input_is_one_line(command, missing, inputs, fake):
    arguments = list(inputs)
    arguments[arguments.index(missing) + 1] = "absent.png"
    name = {"-c": "content", "-s": "style"}[missing]
    result = run(command, *arguments, exit_code=1)
    assert one_line(result.stderr) == f"stylize: {name} absent.png: no such file"
    assert result.stdout == ""
    assert fake.calls == []


@pytest.mark.parametrize(("command", "size"), [("fast", "16400"), ("refine", "16400"), ("refine", "20000%")])
def test_a_format_that_cannot_hold_the_size_is_refused_before_painting(command, size, inputs, fake, tmp_path):
    result = run(command, *inputs, "--size", size, "-o", tmp_path / "out.webp", exit_code=1)
    assert "WEBP holds sides up to 16383 px, received" in one_line(result.stderr)
    assert fake.calls == []


def test_a_missing_start_picture_is_one_line(inputs, fake):
    result = run("refine", *inputs, "--init", "absent.png", exit_code=1)
    assert one_line(result.stderr) == "stylize: init absent.png: no such file"


@pytest.mark.parametrize("command", ["fast", "refine"])
def test_an_existing_output_is_refused_before_any_work(command, inputs, fake, tmp_path):
    output = tmp_path / "out.png"
    output.write_bytes(b"mine")
    result = run(command, *inputs, "-o", output, exit_code=1)
    message = f"stylize: output {output}: is there already; choose another with -o, or use --overwrite"
    assert one_line(result.stderr) == message
    assert output.read_bytes() == b"mine"
    assert fake.calls == []
    run(command, *inputs, "-o", output, "--overwrite")
    assert read_image(output).pixels.shape == (4, 6, 3)


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize("which", [0, 1])
def test_an_input_is_never_the_output(which, scheme, pictures, fake):
    before = pictures[which].read_bytes()
    inputs = ("-c", f"{scheme}{pictures[0]}", "-s", f"{scheme}{pictures[1]}")
    result = run("fast", *inputs, "-o", pictures[which], "--overwrite", exit_code=2)
    assert "expected another file than the input" in one_line(result.stderr)
    assert pictures[which].read_bytes() == before
    assert fake.calls == []


def test_every_input_is_looked_at_once_however_many_outputs_there_are(tmp_path, monkeypatch):
    inputs = [tmp_path / f"{number}.png" for number in range(30)]
    outputs = [tmp_path / f"{number}-fast.png" for number in range(30)]
    for path in (*inputs, *outputs):
        path.touch()
    (tmp_path / "link.png").symlink_to("7.png")
    asked, identity = [], files.identity
    monkeypatch.setattr(files, "identity", lambda path: (asked.append(path), identity(path))[1])
    for path in outputs:
        check_free(path, inputs, overwrite=True)
    assert len(asked) == 60
    with pytest.raises(OptionError, match="expected another file than the input"):
        check_free(tmp_path / "link.png", inputs, overwrite=True)


@pytest.mark.parametrize("name", ["out.xyz", "out"])
def test_an_unknown_suffix_is_misuse(name, inputs, fake, tmp_path):
    result = run("fast", *inputs, "-o", tmp_path / name, exit_code=2)
    assert "png, " in one_line(result.stderr)
    assert fake.calls == []


def test_a_missing_folder_is_one_line(inputs, fake, tmp_path):
    result = run("fast", *inputs, "-o", tmp_path / "absent" / "out.png", exit_code=1)
    assert "expected an existing folder" in one_line(result.stderr)
    assert fake.calls == []


@pytest.mark.parametrize("option", ["-c", "-o", "--plot", "--mask"])
def test_an_empty_name_is_no_name_of_a_folder(option, inputs, fake):
    others = inputs[2:] if option == "-c" else inputs
    result = run("refine", *others, option, "", exit_code=2)
    assert f"{option}" in result.stderr
    assert "expected a file's name, received nothing" in result.stderr


@pytest.mark.parametrize("content", [".", "/"])
def test_a_folder_as_content_is_one_line(content, inputs):
    assert "Traceback" not in run("fast", "-c", content, *inputs[2:], exit_code=1).output


def test_whether_an_input_can_be_read_is_left_to_its_reader(inputs, fake, tmp_path, monkeypatch):
    # Click would call it misuse, in four lines; images.read_image has one line for it.
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **more: mode != os.R_OK and allowed(path, mode, **more))
    run("fast", *inputs, "-o", tmp_path / "out.png")
    assert len(fake.calls) == 1


def test_a_name_of_our_styles_without_its_mark_is_suggested(inputs, fake):
    message = one_line(run("fast", *inputs[:2], "-s", "swirls", exit_code=1).stderr)
    assert message == "stylize: style swirls: no such file; did you mean @swirls?"


def test_a_folder_without_permission_does_not_count_as_missing(inputs, fake, tmp_path, monkeypatch):
    stat = os.stat

    def refused(path, *arguments, **options):
        if str(path) == str(inputs[1]):
            raise PermissionError(13, "Permission denied")
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", refused)
    message = one_line(run("fast", *inputs, "-o", tmp_path / "out.png", exit_code=1).stderr)
    assert message == f"stylize: content {inputs[1]}: no permission to read it; expected a readable file"


def test_misuse_is_told_without_the_user_of_a_url(inputs, fake):
    message = run("compare", "-c", "https://ann:word@host/a.png", *inputs[2:], exit_code=2).stderr
    assert "https://host/a.png" in message
    assert "word" not in message
