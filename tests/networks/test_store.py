"""The networks on this machine by name: found, chosen, verified and removed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from made_up_weights import PREDICT, TRANSFER, assert_clean, message, sha256, write_vgg19
from stylize.networks import store

pytestmark = pytest.mark.usefixtures("isolated")


def test_import_is_light_and_writes_nothing(tmp_path):
    heavy = ["tensorflow", "keras", "h5py", "numpy", "rich", "filelock", "urllib.request", "ssl", "asyncio"]
    code = f"""if True:
        import sys
        from stylize.networks import store
        store.find("vgg19")
        print([module for module in {heavy} if module in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert not store.home().exists()


def test_unknown_name_lists_the_known():
    text = message(store.find, "vgg\n16")
    assert "expected one of magenta, magenta-int8, mini, vgg19, vgg19-slim" in text


def test_exported_names_exist():
    assert all(hasattr(store, name) for name in store.__all__)
    assert store.__all__ == sorted(store.__all__, key=lambda n: (not n.isupper(), n[0].islower(), n))


def test_damaged_cache(served, embedded):
    path = store.pull("pair").files[0]
    path.write_bytes(PREDICT[:-1])
    assert store.find("pair") is None
    text = message(store.resolve, "pair")
    assert f"has {len(PREDICT) - 1} bytes, expected {len(PREDICT)}" in text
    assert "`stylize models pull pair`" in text
    entry = {entry.name: entry for entry in store.status()}["pair"]
    assert entry.state == "damaged"
    assert entry.detail
    lines: list[str] = []
    assert store.resolve_auto("stylizer", offline=True, on_message=lines.append).name == "tiny"
    assert len(lines) == 1
    assert "the copy of pair here can't be used" in lines[0]
    assert store.pull("pair").published  # heals it
    assert store.find("pair") is not None


# Automatic choice


def test_auto_prefers_what_is_here(served, embedded):
    lines: list[str] = []
    store.pull("pair")
    chosen = store.resolve_auto("stylizer", on_message=lines.append)
    assert chosen.name == "pair"
    assert len(lines) == 1
    assert "using pair (downloaded)" in lines[0]
    assert "`stylize models pull hub`" in lines[0]
    assert "/hub" not in served.requests
    store.pull("hub")
    assert store.resolve_auto("stylizer", on_message=lines.append).name == "hub"
    assert len(lines) == 1


def test_auto_downloads_the_preferred_one(served, embedded):
    lines: list[str] = []
    assert store.resolve_auto("stylizer", on_message=lines.append).name == "hub"
    assert lines == []


def test_auto_takes_no_saved_model_without_tensorflow(served, embedded, monkeypatch):
    """Nothing is downloaded that cannot run; a copy that is here and was not converted is passed over."""
    lines: list[str] = []
    monkeypatch.setattr(store.devices, "runs_saved_models", lambda: False)
    assert store.resolve_auto("stylizer", on_message=lines.append).name == "tiny"
    assert store.find("hub") is None
    store.pull("hub")
    assert store.resolve_auto("stylizer", on_message=lines.append).name == "tiny"
    told = "using tiny (embedded) as the stylizer network, because hub needs TensorFlow and tensorflow-hub, "
    told += "which are not installed"
    assert lines == [told, told]


def test_auto_falls_to_embedded_and_remembers_the_failure(served, embedded):
    body = served.bodies.pop("/hub")
    lines: list[str] = []
    for _ in range(3):
        chosen = store.resolve_auto("stylizer", on_message=lines.append)
        assert (chosen.name, chosen.origin, chosen.published) == ("tiny", "embedded", True)
        assert chosen.sha256 == {"tiny.tflite": sha256(PREDICT)}
    assert served.requests == ["/hub"]
    assert len(lines) == 3
    assert all("using tiny (embedded)" in line and "404" in line and "\n" not in line for line in lines)
    assert all("`stylize models pull hub`" in line for line in lines)
    assert "the next try is an hour after that" in lines[2]
    assert lines[2].count("min ago") == 1

    failed = store.home() / "models" / ".hub.failed"
    an_hour_ago = failed.stat().st_mtime - 3601
    os.utime(failed, (an_hour_ago, an_hour_ago))
    store.resolve_auto("stylizer")
    assert served.requests == ["/hub"] * 2

    served.bodies["/hub"] = body
    assert store.pull("hub").name == "hub"  # an explicit pull takes no heed
    store.remove("hub")
    assert store.resolve_auto("stylizer").name == "hub"  # and a success ends the memory


def test_auto_offline_is_embedded_and_leaves_no_trace(served, embedded):
    lines: list[str] = []
    assert store.resolve_auto("features", offline=True, on_message=lines.append).name == "slim"
    assert len(lines) == 1
    assert not store.home().exists()
    assert served.requests == []


def test_auto_without_anything(served):
    text = message(store.resolve_auto, "features")
    assert "no features network is available" in text
    assert "404" in text
    assert "`stylize models add vgg PATH`" in text


def test_auto_heals_a_damaged_copy_and_says_so(served, embedded):
    (store.pull("hub").folder / "saved_model.pb").unlink()
    lines: list[str] = []
    assert store.resolve_auto("stylizer", on_message=lines.append).name == "hub"
    assert len(lines) == 1
    assert "damaged" in lines[0]


# Embedded networks


def test_embedded(served, embedded):
    assert store.resolve("tiny", offline=True) == store.pull("tiny") == store.find("tiny")
    assert all(ok for _, ok, _ in store.verify("tiny"))
    for call in (store.remove, lambda name: store.add(name, embedded)):
        assert "inside the package" in message(call, "tiny")


def test_embedded_absent(served):
    assert store.find("tiny") is None
    for call in (store.pull, store.resolve, store.verify):
        assert "not in this installation" in message(call, "tiny")


# Verify, remove, status


def test_verify_detects_one_flipped_byte(served):
    found = store.pull("pair")
    assert store.verify("pair") == [(path.name, True, "as recorded") for path in found.files]
    kept = found.files[1].stat()
    found.files[1].write_bytes(TRANSFER[:-1] + b"?")
    os.utime(found.files[1], ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert store.find("pair") is not None  # the quick check sees size and time only
    (_, ok, _), (filename, flipped, detail) = store.verify("pair")
    assert ok
    assert (filename, flipped) == ("pair_transfer.tflite", False)
    assert f"expected {sha256(TRANSFER)}" in detail
    found.files[0].unlink()
    assert store.verify("pair")[0][1:] == (False, "No such file or directory")


def test_verify_and_remove_need_something(served):
    assert "not on this machine" in message(store.verify, "pair")
    assert "not on this machine" in message(store.remove, "pair")
    store.pull("pair")
    store.remove("pair")
    assert_clean("pair")


def test_status(served, embedded, tmp_path):
    store.pull("pair")
    store.add("vgg", write_vgg19(tmp_path / "vgg.h5"))
    found = {entry.name: entry for entry in store.status()}
    assert list(found) == ["hub", "pair", "tiny", "vgg", "slim"]
    states = [(entry.state, entry.origin, entry.published) for entry in found.values()]
    assert states == [
        ("absent", None, False),
        ("ready", "downloaded", True),
        ("ready", "embedded", True),
        ("ready", "added", False),
        ("ready", "embedded", True),
    ]
    assert found["pair"].size_bytes == len(PREDICT) + len(TRANSFER)
    assert found["hub"].size_bytes is None
    assert found["hub"].role == "stylizer"
    assert found["hub"].licence == "Apache-2.0"


# Real weights


@pytest.mark.real
def test_real_vgg19(shared):
    source = shared / "models" / "vgg19_imagenet_notop.h5"
    added = store.add("vgg19", source)
    assert not added.published
    assert added.files[0].stat().st_size == source.stat().st_size
    assert next(iter(added.sha256.values())) in (shared / "models" / "SHA256SUMS").read_text()
    assert store.resolve_auto("features", offline=True) == added
    assert store.verify("vgg19") == [(added.files[0].name, True, "as recorded; not the published file")]


@pytest.mark.real
def test_real_magenta_int8(shared):
    models = shared / "models"
    pair = [models / "magenta_int8_transfer.tflite", models / "magenta_int8_predict.tflite"]
    added = store.add("magenta-int8", pair)
    assert added.published
    assert [path.name for path in added.files] == [path.name for path in reversed(pair)]
    assert store.add("magenta-int8", models).sha256 == added.sha256
    other = [models / "magenta_fp16_transfer.tflite", models / "magenta_int8_predict.tflite"]
    assert not store.add("magenta-int8", other).published
    assert "not a readable HDF5 file" in message(store.add, "vgg19", pair[0])
