"""`stylize doctor`."""

from __future__ import annotations

import json

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
