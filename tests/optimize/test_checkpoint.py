"""Checkpoints: a run goes on exactly where it was, and files of earlier versions stay readable."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowls import TARGET, optimize_picture, quadratic, take_steps
from stylize.config import OptimizationConfig
from stylize.errors import ImageError
from stylize.optimize.checkpoint import Checkpoint, RunContext, read_checkpoint, write_checkpoint
from stylize.optimize.history import HistoryEntry, LossTerms
from stylize.optimize.lbfgs import LBFGS


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
    picture = np.linspace(0, 1, 4 * 6 * 3, dtype=np.float32).reshape(4, 6, 3)
    state = {**dict.fromkeys(("x", "safe", "best", "m", "v"), picture), "scalars": np.arange(3.0)}
    prices = {"relu2_1.0": np.array([0.1, -0.1], np.float32)}
    written = Checkpoint(
        RunContext("0" * 64, (4, 6), {"networks": []}),
        2,
        0.5,
        picture,
        state,
        (HistoryEntry(1, 1, 0.1, losses),),
        prices,
    )
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
    assert (read.optimizer, set(read.state)) == ("adam", set(state))
    np.testing.assert_array_equal(read.state["scalars"], [0, 1, 2])
    assert set(read.loss_state) == set(prices)
    np.testing.assert_array_equal(read.loss_state["relu2_1.0"], prices["relu2_1.0"])


def test_damaged_or_missing_checkpoint_is_one_line(tmp_path):
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 not really")
    for path in (broken, tmp_path / "missing.npz"):
        with pytest.raises(ImageError, match="start a new run") as caught:
            read_checkpoint(path)
        assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A checkpoint of a run, after 8 of its steps."""
    path = tmp_path_factory.mktemp("run") / "run.npz"
    seen = []
    write_checkpoint(path, optimize_picture(on_iterate=seen.append, should_stop=lambda: len(seen) >= 8)[2])
    return path


def altered(path, target, *, arrays=None, removed=(), **meta):
    """Write a checkpoint with other arrays and other values in its JSON; `part__name` is `name` in `part`."""
    with np.load(path) as file:
        kept = {name: file[name] for name in file.files if name not in removed}
    stored = json.loads(str(kept.pop("meta")))
    for name, value in meta.items():
        part, _, inner = name.rpartition("__")
        (stored[part] if part else stored)[inner] = value
    np.savez(target, **{**kept, "meta": np.array(json.dumps(stored)), **(arrays or {})})


PICTURE = np.zeros((16, 16, 3), np.float32)
LATE = {"level": 1, "step": 7, "elapsed_s": 1.0, "losses": dict.fromkeys(("total", "content"), 0.0)}


def steps(*entries):
    """Return the JSON of a history: of each step its level, and the seconds since the start."""
    losses = dataclasses.asdict(LossTerms(1.0, 1.0, 0.0, 0.0, {}, {}))
    return [
        {"level": level, "step": number, "elapsed_s": seconds, "losses": losses}
        for number, (level, seconds) in enumerate(entries, start=1)
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"level": -1}, "expected steps from level 1 to -1"),
        ({"level": 1.5}, "level: expected int, received 1.5"),
        ({"context": {}}, "context: expected fingerprint, received none"),
        ({"context__size": [0, 32]}, "size: expected sides of 1 to 65535 px, received"),
        ({"context__provenance": [1]}, "context.provenance: expected object | null, received"),
        ({"elapsed_s": float("nan")}, "elapsed_s: expected seconds"),
        ({"history": [LATE]}, r"history\[0\].losses: expected style, received none"),
        ({"elapsed_s": -1.0}, "elapsed_s: expected seconds"),
        ({"history": steps((1, 1.0), (1, 1.0))}, None),
        ({"history": steps((1, 2.0), (1, 1.0))}, "elapsed_s: expected seconds that rise"),
        ({"history": steps((1, 1.0), (3, 2.0), (2, 3.0)), "level": 3}, "expected steps from level 1 to 3"),
        ({"history": steps((1, 1.0), (2, 2.0))}, "expected steps from level 1 to 1"),
        ({"history": []}, None),
        ({"arrays": {"meta": np.array("[" * 5000 + "]" * 5000)}}, "expected JSON of at most 100 levels"),
        ({"arrays": {"meta": np.array("{}")}}, "expected context, received none"),
        ({"arrays": {"meta": np.zeros(3)}}, "Expecting|expected"),
        ({"arrays": {"meta": np.array([{}], object)}}, "meta: expected an array as NumPy saves it"),
        ({"removed": ["pixels"]}, "pixels.npy"),
        ({"arrays": {"pixels": np.full((16, 16, 3), np.nan, np.float32)}}, "expected finite values"),
        ({"arrays": {"pixels": PICTURE + 2}}, "expected float values in"),
        ({"arrays": {"pixels": PICTURE[..., :2]}}, r"pixels: expected float32 \(h, w, 3\)"),
        ({"arrays": {"pixels": PICTURE.astype(np.float64)}}, r"pixels: expected float32 \(h, w, 3\)"),
        ({"arrays": {"pixels": PICTURE[:5]}}, "state: expected finite numbers of shape"),
        ({"removed": ["state/trial"]}, "state: expected the arrays of L-BFGS or Adam"),
        ({"arrays": {"state/brush": PICTURE}}, "state: expected the arrays of L-BFGS or Adam"),
        ({"arrays": {"state/s0": PICTURE}}, "state: expected pairs s0, y0"),
        ({"arrays": {"state/gradient": np.float32(1)}}, "state/gradient: expected float32"),
        ({"arrays": {"state/direction": np.full((16, 16, 3), np.inf, np.float32)}}, "finite numbers of shape"),
        ({"arrays": {"state/scalars": np.zeros(3)}}, "expected 2 finite scalars"),
        ({"arrays": {"state/scalars": np.array([1, np.nan])}}, "expected 2 finite scalars"),
        ({"arrays": {"state/scalars": np.array([1.0, -1.0])}}, "expected 2 finite scalars of 0 or more"),
        ({"arrays": {"state/scalars": np.array([np.nan, 1.0])}}, None),
        ({"arrays": {"loss/relu2_1.0": PICTURE}}, "loss: expected finite float32"),
        ({"arrays": {"loss/relu2_1.0": np.array([np.inf], np.float32)}}, "loss: expected finite float32"),
    ],
)
def test_a_checkpoint_that_no_run_wrote_is_one_line(whole, tmp_path, change, words):
    altered(whole, tmp_path / "other.npz", **change)
    if words is None:
        history = read_checkpoint(tmp_path / "other.npz").history
        assert len(history) == len(change.get("history", read_checkpoint(whole).history))
        return
    with pytest.raises(ImageError, match=words) as caught:
        read_checkpoint(tmp_path / "other.npz")
    message = str(caught.value)
    assert message.endswith("start a new run")
    assert "\n" not in message
    assert len(message) < 500


def test_the_pairs_of_lbfgs_come_back_and_are_checked(tmp_path):
    optimizer = LBFGS(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig())
    pixels, state = take_steps(optimizer, quadratic, 9), optimizer.state()
    assert {"s0", "y0", "s3", "y3"} < set(state)
    write_checkpoint(tmp_path / "run.npz", Checkpoint(RunContext("", (6, 8), {}), 1, 1.0, pixels, state, ()))
    read = read_checkpoint(tmp_path / "run.npz")
    assert (read.optimizer, set(read.state)) == ("lbfgs", set(state))
    for name, array in state.items():
        np.testing.assert_array_equal(read.state[name], array)
    broken = np.where(TARGET > 1, np.nan, TARGET)
    for change, words in (
        ({"arrays": {"state/s1": broken}}, "finite numbers of shape .* in s1"),
        ({"arrays": {"state/y1": TARGET[:5]}}, "finite numbers of shape .* in y1"),
        ({"removed": ["state/y2"]}, "expected pairs s0, y0"),
    ):
        altered(tmp_path / "run.npz", tmp_path / "other.npz", **change)
        with pytest.raises(ImageError, match=words):
            read_checkpoint(tmp_path / "other.npz")


def test_a_checkpoint_cannot_fill_the_memory(whole, tmp_path):
    """A header that names more bytes than there are, and compressed arrays, are refused before memory is taken."""
    data = whole.read_bytes()
    shape = b"(16, 16, 3)"
    assert shape in data
    (tmp_path / "large.npz").write_bytes(data.replace(shape, b"(9999999,3)"))
    with np.load(whole) as file:
        np.savez_compressed(tmp_path / "compressed.npz", **file)
    for name in ("large", "compressed"):
        with pytest.raises(ImageError, match="start a new run"):
            read_checkpoint(tmp_path / f"{name}.npz")


@settings(max_examples=300)
@given(data=st.data())
def test_any_bytes_are_a_checkpoint_or_refused(whole, tmp_path_factory, data):
    file = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        # The headers of arrays and the list of files are more interesting than pixels.
        starts = [match.start() for match in re.finditer(b"PK|NUMPY", file)]
        place = data.draw(st.sampled_from(starts)) + data.draw(st.integers(0, 130)) if starts else 0
        file[place % len(file)] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "any.npz"
    path.write_bytes(file[: data.draw(st.just(len(file)) | st.integers(0, len(file)))])
    with contextlib.suppress(ImageError):
        read_checkpoint(path)


def test_a_file_in_the_archive_that_begins_beyond_its_end_is_refused(whole, tmp_path):
    data = bytearray(whole.read_bytes())
    for header in re.finditer(rb"PK\x03\x04", bytes(data)):
        data[header.start() + 29] = 255  # the upper byte of the length of what lies between the header and the file
    (tmp_path / "short.npz").write_bytes(data)
    with pytest.raises(ImageError, match="start a new run"):
        read_checkpoint(tmp_path / "short.npz")
