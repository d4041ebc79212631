"""Downloads of networks from a server on the loopback address."""

from __future__ import annotations

import json

import pytest

from made_up_weights import PREDICT, SAVED_MODEL, TRANSFER, assert_clean, message, sha256, tar_gz
from stylize.networks import store


def test_pull_files(served):
    heard = []
    found = store.pull("pair", on_progress=lambda *event: heard.append(event))
    assert [path.read_bytes() for path in found.files] == [PREDICT, TRANSFER]
    assert found.sha256 == {"pair_predict.tflite": sha256(PREDICT), "pair_transfer.tflite": sha256(TRANSFER)}
    assert (found.origin, found.published) == ("downloaded", True)
    assert ("pair_predict.tflite", 0, len(PREDICT)) in heard
    assert ("pair_transfer.tflite", len(TRANSFER), len(TRANSFER)) in heard
    assert {path.name for path in (store.home() / "models").iterdir()} <= {"pair", ".pair.lock"}


def test_pull_is_no_op_when_there(served):
    first = store.pull("pair")
    assert store.pull("pair", offline=True) == store.resolve("pair") == store.find("pair") == first
    assert len(served.requests) == 2


def test_pull_archive_through_redirect(served):
    served.redirects["/hub"] = f"{served.base}/moved"
    served.bodies["/moved"] = served.bodies["/hub"]
    found = store.pull("hub")
    assert {key: (found.folder / key).read_bytes() for key in found.sha256} == SAVED_MODEL
    assert found.published
    record = json.loads((found.folder / "record.json").read_text())
    assert record["archive_sha256"] == sha256(served.bodies["/hub"])


def test_second_download_must_equal_the_first_where_no_hash_is_published(served):
    (store.pull("hub").folder / "saved_model.pb").unlink()
    served.bodies["/hub"] = tar_gz({**SAVED_MODEL, "saved_model.pb": b"other"})
    assert "differs from the first download" in message(store.pull, "hub")
    store.remove("hub")
    assert store.pull("hub").sha256["saved_model.pb"] == sha256(b"other")


def test_truncated(served):
    served.missing_bytes["/p_transfer_1.tflite"] = 1000
    text = message(store.pull, "pair")
    assert f"broke off after {len(TRANSFER)} of {len(TRANSFER) + 1000} bytes" in text
    assert f"{served.base}/p_transfer_1.tflite" in text
    assert "`stylize models add pair PATH`" in text
    assert_clean("pair")
    served.missing_bytes.clear()
    assert store.pull("pair").published


def test_corrupt(served):
    served.bodies["/p_prediction_1.tflite"] = PREDICT[:-1] + b"?"
    assert "its hash differs" in message(store.resolve, "pair")
    assert_clean("pair")


def test_not_found(served):
    del served.bodies["/hub"]
    text = message(store.pull, "hub")
    assert f"{served.base}/hub answers 404 Not Found" in text
    assert_clean("hub")


def test_interrupted_by_ctrl_c(served):
    def interrupt(filename, done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.pull("hub", on_progress=interrupt)
    assert_clean("hub")
    assert store.pull("hub").files


def test_offline(served, monkeypatch):
    text = message(store.resolve, "pair", offline=True)
    assert "`stylize models pull pair`" in text
    assert "`stylize models add pair PATH`" in text
    monkeypatch.setenv("STYLIZE_OFFLINE", "1")
    assert "not on this machine, and downloads are off (offline)" in message(store.pull, "pair")
    assert served.requests == []
    monkeypatch.setenv("STYLIZE_OFFLINE", "0")
    found = store.pull("pair")
    assert found.published
    found.files[0].write_bytes(b"damaged")
    assert "pair: the copy here can't be used, and downloads are off (offline)" in message(
        store.pull, "pair", offline=True
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (tar_gz({**SAVED_MODEL, "../escape": b"x"}), "leaves the folder"),
        (tar_gz({"saved_model.pb": b"x"}), "variables/variables.index is missing"),
        (tar_gz({**SAVED_MODEL, "saved_model.pb": b""}), "saved_model.pb is missing or empty"),
        (tar_gz({**SAVED_MODEL, "saved_model.pb/inner": b"x"}), ""),
        (b"<html>log in to this network</html>", "not a complete tar.gz"),
    ],
)
def test_bad_archive(served, tmp_path, body, reason):
    served.bodies["/hub"] = body
    assert reason in message(store.pull, "hub")
    assert_clean("hub")
    assert not list(tmp_path.rglob("escape"))
