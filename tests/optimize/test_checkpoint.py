"""Checkpoints: a run goes on exactly where it was, and files of earlier versions stay readable."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bowls import optimize_picture
from stylize.errors import ImageError
from stylize.optimize.checkpoint import Checkpoint, RunContext, read_checkpoint, write_checkpoint
from stylize.optimize.history import HistoryEntry, LossTerms


def test_interrupted_run_goes_on_where_it_was(tmp_path):
    whole, history, _ = optimize_picture()
    for stop_after in (0, 1, 11, 12, 13, 29):
        seen = []
        _, _, checkpoint = optimize_picture(
            on_iterate=seen.append, should_stop=lambda n=stop_after, s=seen: len(s) >= n
        )
        assert len(seen) == stop_after
        write_checkpoint(tmp_path / "run.npz", checkpoint)
        pixels, resumed, _ = optimize_picture(resume_from=read_checkpoint(tmp_path / "run.npz"))
        np.testing.assert_array_equal(pixels, whole)
        assert [entry.losses for entry in resumed] == [entry.losses for entry in history]
        assert [entry.step for entry in resumed] == list(range(1, 31))


@pytest.mark.parametrize("key", ["provenance", "recipe"])  # the key in files of earlier versions
def test_a_checkpoint_comes_back_from_its_file(tmp_path, key):
    path = tmp_path / "run.npz"
    losses = LossTerms(3.0, 1.0, 2.0, 0.5, {"relu4_2": 1.0}, {"relu1_1": 2.0})
    written = Checkpoint(
        RunContext("0" * 64, (4, 6), {"networks": []}), 2, 0.5, np.full((4, 6, 3), 0.5, np.float32),
        {"x": np.arange(3.0)}, (HistoryEntry(1, 1, 0.1, losses),),
    )  # fmt: skip
    write_checkpoint(path, written)
    with np.load(path) as file:
        arrays = dict(file)
    meta = json.loads(str(arrays["meta"]))
    assert meta["context"] == {"fingerprint": "0" * 64, "size": [4, 6], "provenance": {"networks": []}}
    meta["context"][key] = meta["context"].pop("provenance")
    np.savez(path, **{**arrays, "meta": np.array(json.dumps(meta))})

    read = read_checkpoint(path)
    assert read.context == written.context
    assert (read.level, read.elapsed_s, read.history) == (2, 0.5, written.history)
    np.testing.assert_array_equal(read.pixels, written.pixels)
    assert list(read.state) == ["x"]
    np.testing.assert_array_equal(read.state["x"], [0, 1, 2])


def test_damaged_or_missing_checkpoint_is_one_line(tmp_path):
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 not really")
    for path in (broken, tmp_path / "missing.npz"):
        with pytest.raises(ImageError, match="start a new run") as caught:
            read_checkpoint(path)
        assert "\n" not in str(caught.value)
