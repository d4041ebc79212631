"""`stylize config`."""

from __future__ import annotations

import json
import os

import pytest
import tomlkit

from api_stand_in import one_line, run


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The path of the config file, in a folder that does not exist yet."""
    path = tmp_path / "settings" / "config.toml"
    monkeypatch.setenv("STYLIZE_CONFIG", str(path))
    return path


SET = {
    ("size", "1024"): {"size": 1024},
    ("size", "50%"): {"size": "50%"},
    ("tv-weight", "2"): {"tv-weight": 2.0},
    ("refine.tv_weight", "2.5"): {"refine": {"tv-weight": 2.5}},
    ("keep-colors", "yes"): {"keep-colors": "luminance"},
    ("keep-colors", "no"): {"keep-colors": False},
    ("quiet", "yes"): {"quiet": True},
    ("provenance", "no"): {"provenance": False},
    ("content-layer", "relu3_1:0.1", "relu4_2:1"): {"content-layer": ["relu3_1:0.1", "relu4_2:1"]},
    ("preset", "bold"): {"preset": "bold"},
    ("app.port", "8080"): {"app": {"port": 8080}},
    ("memory", "8"): {"memory": 8.0},
    ("models.json", "1"): {"models": {"json": True}},
    ("format", ".JPG"): {"format": ".JPG"},
    ("pairs", "random:3"): {"pairs": "random:3"},
    ("name", "{style}/{content}"): {"name": "{style}/{content}"},
}


@pytest.mark.parametrize(("words", "expected"), SET.items(), ids=map(" ".join, SET))
def test_set_writes_what_is_read_again(words, expected, file, monkeypatch):
    run("config", "set", *words)
    assert tomlkit.parse(file.read_text("utf-8")) == expected
    monkeypatch.delenv("STYLIZE_OFFLINE", raising=False)
    (listed,) = json.loads(run("config", "--json").stdout)
    assert (listed["command"], listed["source"]) == (words[0].partition(".")[0] if "." in words[0] else None, str(file))
    run("config", "unset", words[0])
    assert run("config").stdout == ""


def test_set_and_unset_keep_comments_order_and_link(file, tmp_path):
    file.parent.mkdir()
    text = "# mine\nsize = 64  # small\n\n[refine]\n# slow\nsteps = 500\n"
    (tmp_path / "dotfile").write_text(text)
    file.symlink_to(tmp_path / "dotfile")
    run("config", "set", "quality", "80")
    run("config", "set", "size", "128")
    run("config", "set", "fast.size", "32")
    assert tomlkit.parse(file.read_text()) == {
        "size": 128, "quality": 80, "refine": {"steps": 500}, "fast": {"size": 32},
    }  # fmt: skip
    for name in ("quality", "fast.size"):
        run("config", "unset", name)
    run("config", "set", "size", "64")
    assert file.read_text().startswith(text)
    assert file.is_symlink()
    assert sorted(os.listdir(file.parent)) == ["config.toml"]


MISUSE = {
    ("size", "big"): "size: expected a long side of 1 to 65535 px, original, or percent such as 200%; received 'big'",
    ("refine.size", "0"): "refine.size: expected a long side",
    ("steps", "0"): "steps: expected a whole number of 1 to 100000, received 0",
    ("steps", "many"): "steps: 'many' is not a valid integer",
    ("quality", "101"): "quality: expected 1 to 100, received 101",
    ("port", "0"): "port: expected a whole number of 1 to 65535, received 0",
    ("optimizer", "sgd"): "optimizer: 'sgd' is not one of",
    ("style-layer", "relu9_1"): "style-layer: layer 'relu9_1': expected one of VGG-19's",
    ("size", ""): "size: expected a value, received an empty text",
    ("size", "1", "2"): "size: expected one value, received a list of 2",
    ("style-layer", "relu1_1:nan"): "style-layer: expected a weight of 0 or more for relu1_1, received nan",
    ("style-layer", "relu1_1", "relu2_1:2"): "style-layer: expected a weight for every layer or for none",
    ("memory", "inf"): "memory: expected a finite number of GB, more than 0; received inf",
    ("device", "cpu:7"): "device: expected auto, cpu, gpu, gpu:1 or mps; received 'cpu:7'",
    ("format", "bmp"): "format: expected one of png, jpg",
    ("pairs", "banana"): "pairs: expected all, zip or random:N, received 'banana'",
    ("name", "{content"): "name: expected a template, received '{content'",
    ("tv-weight", "nan"): "tv-weight: expected a finite number of 0 or more, received nan",
    ("stile-layer", "x"): "stile-layer: expected the name of an option of stylize, received stile-layer; perhaps",
    ("paint.size", "1"): "paint.size: expected a command out of",
    ("config.json", "1"): "config.json: expected a command out of",
    ("output", "x"): "output: has no default, because output names a file of one run",
    ("refine.resume", "1"): "refine.resume: has no default, because resume is asked for each time",
    ("rerun.device", "cpu"): "rerun.device: has no default, because device is that of the picture",
    ("help", "1"): "help: expected the name of an option",
}


@pytest.mark.parametrize(("words", "message"), MISUSE.items(), ids=map(" ".join, MISUSE))
def test_a_wrong_default_is_misuse_and_changes_nothing(words, message, file):
    lines = run("config", "set", *words, exit_code=2).stderr.splitlines()
    assert lines[-1].startswith(f"Error: {message}")
    assert not file.parent.exists()


def test_the_list_tells_what_is_in_force_and_from_where(file, monkeypatch):
    monkeypatch.delenv("STYLIZE_OFFLINE", raising=False)
    assert f"stylize config set size 1024` keeps one in {file}" in one_line(run("config").stderr)
    for name, value in (("size", "1024"), ("refine.size", "2048"), ("steps", "9")):
        run("config", "set", name, value)
    monkeypatch.setenv("STYLIZE_STEPS", "5")
    monkeypatch.setenv("STYLIZE_FAST_SIZE", "99")
    listed = [(each["name"], each["command"], each["value"]) for each in json.loads(run("config", "--json").stdout)]
    assert listed == [
        ("size", "fast", "99"), ("steps", None, "5"), ("size", None, 1024), ("size", "refine", 2048),
    ]  # fmt: skip
    # The variable replaces what the file says for all commands and for one.
    monkeypatch.setenv("STYLIZE_SIZE", "77")
    assert [each["value"] for each in json.loads(run("config", "--json").stdout)] == ["99", "77", "5"]
    shown = run("config").stdout
    assert "STYLIZE_FAST_SIZE" in shown
    assert "size" in shown


def test_the_list_tells_of_offline(file, monkeypatch):
    monkeypatch.setenv("STYLIZE_OFFLINE", "on the train")
    (listed,) = json.loads(run("config", "--json").stdout)
    assert (listed["name"], listed["value"], listed["source"]) == ("offline", "on the train", "STYLIZE_OFFLINE")


def test_the_list_refuses_wrong_values_of_every_command(file):
    file.parent.mkdir()
    file.write_text("[app]\nport = 0")
    message = one_line(run("config", exit_code=1).stderr)
    assert message == f"stylize: {file}: [app] port: expected a whole number of 1 to 65535, received 0"


def test_a_list_in_the_place_of_a_value_is_called_a_list(file):
    file.parent.mkdir()
    file.write_text("size = [48]")
    message = one_line(run("config", exit_code=1).stderr)
    assert message == f"stylize: {file}: size: expected one value, received a list of 1"


def test_options_before_the_name_of_a_command_reach_it(file):
    shown = {"path": str(file), "exists": False}
    assert json.loads(run("config", "--json", "path").stdout) == shown
    assert json.loads(run("config", "--json", "path", "--json").stdout) == shown
    run("config", "--json", "set", "size", "9")
    assert json.loads(run("config", "--json", "unset", "size").stdout)["name"] == "size"


def test_a_wrong_name_can_be_removed(file, monkeypatch):
    monkeypatch.delenv("STYLIZE_OFFLINE", raising=False)
    file.parent.mkdir()
    file.write_text("sizes = 3\n[paint]\nsize = 3\n")
    assert "sizes" in one_line(run("config", exit_code=1).stderr)
    run("config", "unset", "sizes")
    run("config", "unset", "paint.size")
    assert run("config").stdout == ""


def test_unset_of_what_is_not_set(file):
    message = one_line(run("config", "unset", "size", exit_code=1).stderr)
    assert message == f"stylize: size: is not set in {file}; `stylize config` lists what is"


def test_unset_removes_no_section(file):
    run("config", "set", "refine.steps", "9")
    before = file.read_text()
    assert "refine: is not set" in one_line(run("config", "unset", "refine", exit_code=1).stderr)
    assert file.read_text() == before


def test_a_file_that_is_not_toml_is_left_alone(file):
    file.parent.mkdir()
    file.write_text("refine = 3")
    assert "expected a section [refine]" in one_line(run("config", "set", "refine.size", "3", exit_code=1).stderr)
    file.write_text("size")
    for words in (["set", "size", "3"], ["unset", "size"]):
        assert f"{file}: expected TOML" in one_line(run("config", *words, exit_code=1).stderr)
    assert file.read_text() == "size"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that may not be written")
def test_a_folder_that_may_not_be_written(file):
    file.parent.mkdir(mode=0o500)
    assert "could not be written" in one_line(run("config", "set", "size", "3", exit_code=1).stderr)


def test_a_file_in_the_place_of_the_folder(file):
    file.parent.write_text("")
    assert "could not be read" in one_line(run("config", "set", "size", "3", exit_code=1).stderr)


def test_path(file, monkeypatch):
    assert run("config", "path").stdout == f"{file}\n"
    assert json.loads(run("config", "path", "--json").stdout) == {"path": str(file), "exists": False}
    monkeypatch.setenv("STYLIZE_CONFIG", "")
    assert run("config", "path").stdout.endswith("config.toml\n")
