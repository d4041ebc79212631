"""Files that a user adds: which network's they are, and what is in them."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from made_up_weights import PREDICT, SAVED_MODEL, TRANSFER, assert_clean, message, put, sha256, tar_gz, write_vgg19
from stylize import files
from stylize.networks import store


@pytest.mark.parametrize(
    "names",
    [
        ("pair_predict.tflite", "pair_transfer.tflite"),
        ("p_prediction_1.tflite", "p_transfer_1.tflite"),
        ("a.tflite", "b.tflite"),  # known by their hashes
        ("transfer.tflite", "predict.tflite"),  # and so in spite of their names
    ],
)
def test_add_pair(served, tmp_path, names):
    folder = put(tmp_path / "mine", dict(zip(names, (PREDICT, TRANSFER), strict=True)))
    put(folder, {"other_transfer.tflite": b"\0\0\0\0TFL3", "notes.txt": b"x"})
    for paths in (folder, [folder / name for name in reversed(names)]):
        added = store.add("pair", paths)
        assert [path.read_bytes() for path in added.files] == [PREDICT, TRANSFER]
        assert [path.name for path in added.files] == ["pair_predict.tflite", "pair_transfer.tflite"]
        assert (added.origin, added.published) == ("added", True)
        assert store.find("pair") == added
    assert served.requests == []


def test_add_other_pair_by_name(served, tmp_path):
    mine = {"my_Predict.tflite": PREDICT + b"1", "my_transfer.tflite": TRANSFER + b"1"}
    added = store.add("pair", str(put(tmp_path / "mine", mine)))
    assert not added.published
    assert added.sha256["pair_predict.tflite"] == sha256(PREDICT + b"1")
    assert all(ok and "not the published file" in detail for _, ok, detail in store.verify("pair"))


def test_add_refuses(served, tmp_path):
    mine = put(
        tmp_path / "mine",
        {"1_predict.tflite": b"----TFL3", "2_predict.tflite": b"....TFL3", "transfer.tflite": b"not TFLite"},
    )
    assert "does not exist" in message(store.add, "pair", tmp_path / "line\nbreak")
    assert "could each be pair_predict.tflite" in message(store.add, "pair", mine)
    assert "pair_transfer.tflite is not among" in message(store.add, "pair", mine / "1_predict.tflite")
    one = [mine / "1_predict.tflite", mine / "transfer.tflite"]
    assert "pair_transfer.tflite is not a TFLite model" in message(store.add, "pair", one)
    good = put(tmp_path / "good", {"predict.tflite": PREDICT, "transfer.tflite": TRANSFER})
    three = [good / "predict.tflite", good / "transfer.tflite", mine / "1_predict.tflite"]
    assert "1_predict.tflite is none of" in message(store.add, "pair", three)
    assert_clean("pair")


@pytest.mark.parametrize("name", ["pair", "hub"])
def test_a_file_that_can_not_be_read_is_named(served, tmp_path, monkeypatch, name):
    pair = {"predict.tflite": PREDICT, "transfer.tflite": TRANSFER}
    mine = put(tmp_path / "mine", {"pair": pair, "hub": SAVED_MODEL}[name])
    archive = put(tmp_path, {"hub.tar.gz": tar_gz(SAVED_MODEL)}) / "hub.tar.gz"
    last = sorted(path for path in mine.rglob("*") if path.is_file())[-1]
    real = files.stream_sha256

    def stream_sha256(stream):
        if getattr(stream, "name", None) in (str(last), str(archive)):
            raise OSError(errno.EIO, "Input/output error")
        return real(stream)

    monkeypatch.setattr(files, "stream_sha256", stream_sha256)
    given = {"pair": [(mine, last)], "hub": [(mine, last), (archive, archive)]}[name]
    for path, unreadable in given:
        assert message(store.add, name, path) == f"{name}: {unreadable} can't be read: Input/output error"
    assert_clean(name)


def test_failed_add_keeps_what_was_there(served, tmp_path):
    before = store.pull("pair")
    message(store.add, "pair", put(tmp_path / "mine", {"predict.tflite": b"x", "transfer.tflite": b"x"}))
    assert store.find("pair") == before


def test_add_saved_model(served, tmp_path):
    folder = put(tmp_path / "mine", {**SAVED_MODEL, "unrelated.zip": b"x", "assets/words.txt": b"w"})
    added = store.add("hub", folder)
    assert set(added.sha256) == {*SAVED_MODEL, "assets/words.txt"}
    assert not added.published
    archive = put(tmp_path, {"hub_2.tar.gz": tar_gz(SAVED_MODEL)}) / "hub_2.tar.gz"
    assert set(store.add("hub", [archive]).sha256) == set(SAVED_MODEL)
    assert "received 2 paths" in message(store.add, "hub", [folder, archive])
    (folder / "variables" / "variables.index").unlink()
    assert "variables/variables.index is missing" in message(store.add, "hub", folder)


def test_add_vgg19(served, tmp_path):
    added = store.add("vgg", write_vgg19(tmp_path / "any name.h5"))
    assert [path.name for path in added.files] == ["features.h5"]
    assert not added.published


def test_a_write_protected_saved_model_can_be_removed_again(served, tmp_path):
    mine = put(tmp_path / "mine", dict(SAVED_MODEL))
    for folder, _, names in os.walk(mine):
        for name in names:
            os.chmod(os.path.join(folder, name), stat.S_IREAD)
    os.chmod(mine / "variables", stat.S_IREAD | stat.S_IEXEC)
    try:
        added = store.add("hub", mine)
    finally:
        os.chmod(mine / "variables", stat.S_IRWXU)
    # Root may remove anything, so we look at the permissions.
    assert all(path.stat().st_mode & stat.S_IWRITE for path in added.folder.rglob("*"))
    store.remove("hub")
    assert_clean("hub")
