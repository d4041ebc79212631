"""What a command prints: results on stdout; messages, progress and downloads on stderr."""

from __future__ import annotations

import dataclasses
import json
import os
import sys

from api_stand_in import LOSSES, STYLIZER, run


def test_json_is_all_that_is_on_stdout(inputs, fake):
    result = run("fast", *inputs, "--json")
    data = json.loads(result.stdout)
    assert data["command"] == "fast"
    assert (data["width"], data["height"], data["seconds"]) == (6, 4, 1.5)
    assert os.path.exists(data["output"])
    assert data["networks"] == [dataclasses.asdict(STYLIZER)]
    assert result.stderr == "using mini\n"


def test_json_holds_every_name(inputs, fake, tmp_path):
    output = tmp_path / "ż\x1b\n\x7f\u2028\udcff.png" if sys.platform == "linux" else tmp_path / "ż.png"
    result = run("fast", *inputs, "--json", "-o", output, "--progress", "json")
    assert json.loads(result.stdout)["output"] == str(output)
    assert result.stdout.isascii()


def test_quiet_and_verbose(inputs, fake):
    assert run("fast", *inputs, "--quiet").stderr == ""
    told = run("fast", *inputs, "-v", "--overwrite").stderr
    assert told == "using mini\nused mini (embedded): mini.tflite 777777777777\npainted 6 x 4 px in 1.5 s\n"


def test_progress_as_json_is_one_line_an_iterate(inputs, fake):
    result = run("refine", *inputs, "--progress", "json", "--json")
    events = [json.loads(line) for line in result.stderr.splitlines()]
    assert [event["event"] for event in events] == ["message"] + ["iterate"] * 4
    assert events[-1] == {
        "event": "iterate", "level": 1, "levels": 1, "width": 6, "height": 4, "step": 4, "steps": 4,
        "elapsed_s": 0.4, "remaining_s": 0.0, "losses": dataclasses.asdict(LOSSES),
    }  # fmt: skip
    data = json.loads(result.stdout)
    assert data["steps"] == 4
    assert data["losses"] == dataclasses.asdict(LOSSES)
    assert data["stopped"] is None


def test_the_bar_stays_on_stderr(inputs, fake, pictures):
    result = run("refine", *inputs, "--progress", "bar")
    assert result.stdout == f"{pictures[0].with_name('photo-painting-refine.png')}\n"


def test_no_bar_where_stderr_is_no_terminal(inputs, fake):
    assert run("refine", *inputs).stderr == "using vgg19-slim\n"


def test_downloads_are_told_as_json_once_a_percent(inputs, fake, monkeypatch):
    def fetching(*args, on_download, **kwargs):
        for done in range(0, 1001, 2):
            on_download("vgg19.h5", done, 1000)
        return fake.fast(*args, on_download=on_download, **kwargs)

    monkeypatch.setattr("stylize.api.fast", fetching)
    events = [json.loads(line) for line in run("fast", *inputs, "--progress", "json").stderr.splitlines()]
    assert len(events) == 102
    assert events[100] == {"event": "download", "name": "vgg19.h5", "bytes": 1000, "total_bytes": 1000}
