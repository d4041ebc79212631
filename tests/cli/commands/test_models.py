"""`stylize models`."""

from __future__ import annotations

import json
import shutil

import pytest

from api_stand_in import one_line, run
from stylize.networks import registry


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without weights and without a network."""
    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STYLIZE_OFFLINE", "1")
    monkeypatch.setattr("stylize.networks.local.EMBEDDED", tmp_path)


def test_models_list(bare):
    output = run("models", "list").stdout
    for name in registry.REGISTRY:
        assert name in output
    entries = json.loads(run("models", "list", "--json").stdout)
    assert [entry["name"] for entry in entries] == list(registry.REGISTRY)
    assert {entry["state"] for entry in entries} == {"absent"}


@pytest.mark.parametrize("command", ["path", "remove", "pull", "verify"])
def test_models_that_are_not_here_are_one_line(command, bare):
    result = run("models", command, "vgg19", exit_code=1)
    assert one_line(result.stderr).startswith("stylize: vgg19: ")
    assert result.stdout == ""


def test_models_add_verify_path_remove(bare, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    for part in ("predict", "transfer"):
        (given / f"my_{part}.tflite").write_bytes(b"\0\0\0\0TFL3" + part.encode())
    result = run("models", "add", "magenta-int8", given)
    folder = result.stdout.strip()
    assert one_line(result.stderr) == "magenta-int8: not the published file; its hash is recorded"
    assert run("models", "path", "magenta-int8").stdout.strip() == folder
    assert "added, not the" in run("models", "list").stdout
    checks = run("models", "verify").stdout.splitlines()
    assert checks == [
        f"magenta-int8/magenta_int8_{part}.tflite: ok (as recorded; not the published file)"
        for part in ("predict", "transfer")
    ]
    (tmp_path / "home/models/magenta-int8/magenta_int8_predict.tflite").write_bytes(b"rot")
    result = run("models", "verify", "magenta-int8", "--json", exit_code=1)
    assert [check["ok"] for check in json.loads(result.stdout)] == [False, True]
    assert one_line(result.stderr).startswith("stylize: damaged: magenta-int8")
    (tmp_path / "home/models/magenta-int8/record.json").write_bytes(b"")
    shutil.copytree(tmp_path / "home/models/magenta-int8", tmp_path / "home/models/vgg19")
    result = run("models", "verify", "--json", exit_code=1)
    checks = [(check["name"], check["ok"]) for check in json.loads(result.stdout)]
    assert checks == [("magenta-int8", False), ("vgg19", False)]
    assert one_line(result.stderr).startswith("stylize: damaged: magenta-int8")
    assert run("models", "remove", "magenta-int8").stdout == "removed magenta-int8\n"
    run("models", "path", "magenta-int8", exit_code=1)
