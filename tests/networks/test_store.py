"""Weights: the registry and the cache, filled from local files and from a server on the loopback address."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from test_downloads import clear_proxies, message, serving, tar_gz

from stylize.networks import registry, store
from stylize.networks.registry import WeightsFile, WeightsSpec

ROOT = Path(__file__).resolve().parents[1]
SHARED_MODELS = ROOT.parent / "shared" / "models"

PREDICT = b"\x20\0\0\0TFL3" + bytes(range(256)) * 40
TRANSFER = b"\x20\0\0\0TFL3" + bytes(reversed(range(256))) * 30
SAVED_MODEL = {
    "saved_model.pb": b"graph",
    "variables/variables.index": b"index",
    "variables/variables.data-00000-of-00001": b"numbers" * 100,
}

needs_shared = pytest.mark.skipif(
    not SHARED_MODELS.is_dir(), reason=f"real weights are absent: no folder {SHARED_MODELS}"
)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def specs(base: str) -> dict[str, WeightsSpec]:
    pair = tuple(
        WeightsFile(f"pair_{part}.tflite", f"{base}/p_{published}_1.tflite", sha256(data), keyword=part)
        for part, published, data in (("predict", "prediction", PREDICT), ("transfer", "transfer", TRANSFER))
    )
    h5 = (WeightsFile("features.h5", f"{base}/features.h5", md5="0" * 32),)
    specs = (
        WeightsSpec("hub", "stylizer", (WeightsFile("hub.tar.gz", f"{base}/hub"),), "Apache-2.0", archive=True),
        WeightsSpec("pair", "stylizer", pair, "Apache-2.0"),
        WeightsSpec("tiny", "stylizer", (WeightsFile("tiny.tflite"),), "Apache-2.0", embedded=True),
        WeightsSpec("vgg", "features", h5, "Apache-2.0"),
        WeightsSpec("slim", "features", (WeightsFile("slim.safetensors"),), "Apache-2.0", embedded=True),
    )
    return {spec.name: spec for spec in specs}


@pytest.fixture(autouse=True)
def _isolated(tmp_path, monkeypatch):
    clear_proxies(monkeypatch)
    monkeypatch.delenv("STYLIZE_OFFLINE", raising=False)
    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("stylize.networks.store._embedded_folder", lambda: tmp_path / "nothing embedded")


@pytest.fixture
def served(monkeypatch):
    """The test registry and a server that has all of it."""
    with serving() as server:
        monkeypatch.setattr("stylize.networks.store.REGISTRY", specs(server.base))
        server.bodies = {
            "/p_prediction_1.tflite": PREDICT,
            "/p_transfer_1.tflite": TRANSFER,
            "/hub": tar_gz({f"./{name}": data for name, data in SAVED_MODEL.items()}),
        }
        yield server


@pytest.fixture
def embedded(tmp_path, monkeypatch):
    folder = tmp_path / "embedded"
    folder.mkdir()
    (folder / "tiny.tflite").write_bytes(PREDICT)
    (folder / "slim.safetensors").write_bytes(b"slim")
    monkeypatch.setattr("stylize.networks.store._embedded_folder", lambda: folder)
    return folder


def assert_clean(name: str) -> None:
    """No download is taken for finished, and none is left half done."""
    assert store.find(name) is None
    models = store.home() / "models"
    left = {path.name for path in models.iterdir()} if models.is_dir() else set()
    assert left <= {f".{name}.lock", f".{name}.failed"}


# The registry


def test_registry_is_what_is_published():
    names = list(registry.REGISTRY)
    assert names == ["magenta", "magenta-int8", "mini", "vgg19", "vgg19-slim"]
    for name, spec in registry.REGISTRY.items():
        assert spec.name == name
        assert spec.licence
        assert all((file.url is None) == spec.embedded for file in spec.files)
        assert all(file.url is None or file.url.startswith("https://") for file in spec.files)
    assert registry.REGISTRY["vgg19"].files[0].size_bytes == 80_134_624


def test_import_is_light_and_writes_nothing(tmp_path):
    heavy = ["tensorflow", "keras", "h5py", "numpy", "rich", "filelock", "urllib.request", "ssl", "asyncio"]
    code = f"""if True:
        import sys
        from stylize.networks import store
        store.find("vgg19")
        print([module for module in {heavy} if module in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
    assert not store.home().exists()


def test_home_is_the_users_cache_unless_told(monkeypatch, tmp_path):
    assert store.home() == tmp_path / "home"
    monkeypatch.setenv("STYLIZE_HOME", "")
    assert store.home().name == "stylize"
    monkeypatch.setenv("STYLIZE_HOME", "~/here")
    assert store.home() == Path.home() / "here"


def test_unknown_name_lists_the_known():
    text = message(store.find, "vgg\n16")
    assert "expected one of magenta, magenta-int8, mini, vgg19, vgg19-slim" in text


def test_exported_names_exist():
    assert all(hasattr(store, name) for name in store.__all__)
    assert store.__all__ == sorted(store.__all__, key=lambda n: (not n.isupper(), n[0].islower(), n))


# Downloads


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
    assert "differs from the one first downloaded" in message(store.pull, "hub")
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
    assert "offline" in message(store.pull, "pair")
    assert served.requests == []
    monkeypatch.setenv("STYLIZE_OFFLINE", "0")
    assert store.pull("pair").published


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (tar_gz({**SAVED_MODEL, "../escape": b"x"}), "leaves the folder"),
        (tar_gz({"saved_model.pb": b"x"}), "variables/variables.index is missing"),
        (tar_gz({**SAVED_MODEL, "saved_model.pb": b""}), "saved_model.pb is missing or empty"),
        (tar_gz({**SAVED_MODEL, "saved_model.pb/inner": b"x"}), ""),
        (b"<html>log in to this network</html>", "not a whole tar.gz"),
    ],
)
def test_bad_archive(served, tmp_path, body, reason):
    served.bodies["/hub"] = body
    assert reason in message(store.pull, "hub")
    assert_clean("hub")
    assert not list(tmp_path.rglob("escape"))


# Several processes

PULLER = """
import json, sys
sys.path.insert(0, {root!r}); sys.path.insert(0, {tests!r})
import test_weights
from stylize.networks import store
registry.REGISTRY = test_weights.specs({base!r})
found = store.pull("hub")
print(json.dumps([str(found.folder), dict(found.sha256)]))
"""


def puller(base: str) -> subprocess.Popen[str]:
    code = PULLER.format(root=str(ROOT), tests=str(ROOT / "tests"), base=base)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(true, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_two_processes_pull_at_once(served):
    served.stalled.add("/hub")
    pullers = [puller(served.base), puller(served.base)]
    wait_until(lambda: served.requests)
    heard: list[tuple[str, int, int | None]] = []

    def wait_for_the_other():
        store.pull("hub", on_progress=lambda *event: heard.append(event))

    waiter = threading.Thread(target=wait_for_the_other)
    waiter.start()
    wait_until(lambda: any(done > 0 for _, done, _ in heard))  # a waiting process sees the other's progress
    time.sleep(0.5)
    served.release.set()
    outputs = [process.communicate(timeout=60) for process in pullers]
    waiter.join()
    assert [process.returncode for process in pullers] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert served.requests == ["/hub"]
    assert all(ok for _, ok, _ in store.verify("hub"))


def test_killed_then_pulled_again(served):
    served.stalled.add("/hub")
    process = puller(served.base)
    part = store.home() / "models" / ".hub.part" / "hub.tar.gz"
    wait_until(lambda: served.requests and part.exists())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert part.exists()
    assert store.find("hub") is None
    served.stalled.clear()
    served.release.set()
    began = time.monotonic()
    assert store.pull("hub").files
    assert time.monotonic() - began < 5
    assert not part.parent.exists()


def test_lock_held_by_a_process_that_does_nothing(served, monkeypatch):
    from filelock import FileLock

    monkeypatch.setattr("stylize.networks.store._LOCK_STALL_S", 0.3)
    models = store.home() / "models"
    models.mkdir(parents=True)
    with FileLock(models / ".hub.lock"):
        text = message(store.pull, "hub")
    assert "has done nothing for 0.3 s" in text
    assert store.pull("hub").files


# Disks


def test_home_that_cannot_be_made(served, tmp_path):
    (tmp_path / "home").write_text("a file where the folder should be")
    text = message(store.pull, "pair")
    assert "can't store pair" in text
    assert "STYLIZE_HOME" in text
    assert store.find("pair") is None
    assert [entry.state for entry in store.status()] == ["absent"] * 5


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_home(served, tmp_path):
    (tmp_path / "home").mkdir(mode=0o500)
    assert "Permission denied" in message(store.pull, "pair")


def test_full_disk(served, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfileobj", full)
        text = message(store.pull, "hub")
    assert "No space left on device" in text
    assert "make room" in text
    assert_clean("hub")


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
    assert "the copy of pair here is damaged" in lines[0]
    assert store.pull("pair").published  # heals it
    assert store.find("pair") is not None


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


def test_auto_falls_to_embedded_and_remembers_the_failure(served, embedded, monkeypatch):
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
    assert "not tried again for an hour" in lines[2]
    assert lines[2].count("min ago") == 1

    monkeypatch.setattr("stylize.networks.store._FAILURE_MEMORY_S", 0)
    store.resolve_auto("stylizer")
    assert served.requests == ["/hub"] * 2
    monkeypatch.setattr("stylize.networks.store._FAILURE_MEMORY_S", 3600)

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


# Adding


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


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


def write_vgg19(path: Path, change=None) -> Path:
    """A file in Keras' legacy layout whose zeros take no room; `change` edits {layer: {name: shape}}."""
    layers = {
        layer: {f"{layer}_W_1:0": kernel, f"{layer}_b_1:0": bias}
        for layer, (kernel, bias) in store._vgg19_shapes().items()
    }
    if change is not None:
        layers = change(layers) or layers
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in ("input_1", *layers)]
        file.create_group("input_1").attrs["weight_names"] = np.zeros(0, "S1")
        for layer, arrays in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in arrays]
            for name, shape in arrays.items():
                group.create_dataset(name, shape, "f4", chunks=True)
    return path


def test_add_vgg19(served, tmp_path):
    added = store.add("vgg", write_vgg19(tmp_path / "any name.h5"))
    assert [path.name for path in added.files] == ["features.h5"]
    assert not added.published


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda layers: layers["block3_conv2"].update({"block3_conv2_W_1:0": (3, 3, 256, 128)}),
            "block3_conv2 has kernel and bias ((3, 3, 256, 128), (256,)), expected ((3, 3, 256, 256), (2",
        ),
        (lambda layers: layers["block5_conv4"].popitem() and None, "block5_conv4 has kernel and bias"),
        (lambda layers: layers.pop("block4_conv4") and None, "block4_conv4 is missing"),
        (lambda layers: {**layers, "fc1": {"fc1_W_1:0": (5, 4)}}, "convolutions alone"),
        (lambda layers: dict(reversed(layers.items())), "in order"),
    ],
)
def test_add_wrong_vgg19(served, tmp_path, change, reason):
    assert reason in message(store.add, "vgg", write_vgg19(tmp_path / "wrong.h5", change))
    assert_clean("vgg")


def test_add_unreadable_vgg19(served, tmp_path):
    path = write_vgg19(tmp_path / "vgg.h5")
    with h5py.File(path, "r+") as file:
        file["block1_conv1/block1_conv1_b_1:0"][3] = np.nan
    assert "block1_conv1 holds values that are not finite" in message(store.add, "vgg", path)
    with h5py.File(path, "w") as file:
        file["layers"] = 1
    assert "layer_names" in message(store.add, "vgg", path)
    path.write_bytes(path.read_bytes()[:100])
    assert "not a readable HDF5 file" in message(store.add, "vgg", path)
    assert_clean("vgg")


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
@needs_shared
def test_real_vgg19():
    source = SHARED_MODELS / "vgg19_imagenet_notop.h5"
    added = store.add("vgg19", source)
    assert not added.published
    assert added.files[0].stat().st_size == source.stat().st_size
    assert next(iter(added.sha256.values())) in (SHARED_MODELS / "SHA256SUMS").read_text()
    assert store.resolve_auto("features", offline=True) == added
    assert store.verify("vgg19") == [(added.files[0].name, True, "as recorded; not the published file")]


@pytest.mark.real
@needs_shared
def test_real_magenta_int8():
    pair = [SHARED_MODELS / "magenta_int8_transfer.tflite", SHARED_MODELS / "magenta_int8_predict.tflite"]
    added = store.add("magenta-int8", pair)
    assert added.published
    assert [path.name for path in added.files] == [path.name for path in reversed(pair)]
    assert store.add("magenta-int8", SHARED_MODELS).sha256 == added.sha256
    other = [SHARED_MODELS / "magenta_fp16_transfer.tflite", SHARED_MODELS / "magenta_int8_predict.tflite"]
    assert not store.add("magenta-int8", other).published
    assert "not a readable HDF5 file" in message(store.add, "vgg19", pair[0])
