"""`stylize doctor`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import stylize
from api_stand_in import run
from stylize.networks import devices


def test_doctor_prints_what_a_bug_report_needs(shipped_networks: None) -> None:
    report = json.loads(run("doctor", "--json").stdout)
    assert report["stylize"] == stylize.__version__
    assert report["packages"]["numpy"][0].isdigit()
    assert report["gpus"].keys() == set(devices.installed_backends())
    assert report["refine"]["computes_on"] == devices.device_label(devices.chosen())
    assert report["refine"]["precision"] in ("float32", "bfloat16")
    assert report["networks"]["mini"] == "ready"
    lines = dict(line.split(maxsplit=1) for line in run("doctor").stdout.splitlines())
    assert lines["networks.mini"] == "ready"


def test_doctor_says_why_refine_cannot_compute(shipped_networks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    report = json.loads(run("doctor", "--json", "--device", "gpu:7").stdout)
    assert report["refine"]["computes_on"].startswith("nothing: device: expected")


def test_doctor_runs_where_the_defaults_are_wrong(
    shipped_networks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "config.toml"
    broken.write_text("size = = 3")
    monkeypatch.setenv("STYLIZE_CONFIG", str(broken))
    assert json.loads(run("doctor", "--json").stdout)["config"]["error"].startswith(f"{broken}: expected TOML")
    broken.write_text('device = "abacus"')
    config = json.loads(run("doctor", "--json").stdout)["config"]
    assert config["device"] == "abacus"
    assert "received 'abacus'" in config["error"]
    assert "received 'abc'" in run("doctor", "--device", "abc", exit_code=2).stderr, "what is typed is still checked"


def test_doctor_shows_no_secrets(shipped_networks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text('init = "https://ann:word@host/a.png?sig=1"')
    monkeypatch.setenv("STYLIZE_CONFIG", str(settings))
    monkeypatch.setenv("STYLIZE_REFINE_INIT", "https://ann:word@host/b.png?sig=1")
    report = json.loads(run("doctor", "--json").stdout)
    assert report["config"]["init"] == "https://host/a.png"
    assert report["variables"]["STYLIZE_REFINE_INIT"] == "https://host/b.png"
