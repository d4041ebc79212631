"""A network's files on this machine and their record."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from made_up_weights import PREDICT, message
from stylize.networks import store


def test_home_is_the_users_cache_unless_told(isolated, monkeypatch, tmp_path):
    assert store.home() == isolated == tmp_path / "home"
    monkeypatch.setenv("STYLIZE_HOME", "")
    assert store.home().name == "stylize"
    monkeypatch.setenv("STYLIZE_HOME", "~/here")
    assert store.home() == Path.home() / "here"


@pytest.mark.parametrize("record", [None, "", "[]", '{"files": 3}', '{"files": {"a": {}}}', "\0"])
def test_damaged_record(served, record):
    path = store.pull("pair").folder / "record.json"
    path.unlink()
    if record is not None:
        path.write_text(record)
    assert store.find("pair") is None
    assert "record.json" in message(store.resolve, "pair")
    assert "record.json" in message(store.verify, "pair")
    store.remove("pair")
    assert store.resolve("pair").published


def test_new_time_is_no_damage_and_new_contents_are(served):
    path = store.pull("pair").files[0]
    os.utime(path, (1, 1))
    assert store.find("pair") is not None
    path.write_bytes(PREDICT[:-1] + b"?")
    assert store.find("pair") is None
    assert "has changed since it was downloaded" in message(store.resolve, "pair")
