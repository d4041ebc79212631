"""A made-up registry of networks, and small files for it."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylize.errors import WeightsError
from stylize.networks import store, vgg19_file
from stylize.networks.registry import WeightsFile, WeightsSpec

PREDICT = b"\x20\0\0\0TFL3" + bytes(range(256)) * 40
TRANSFER = b"\x20\0\0\0TFL3" + bytes(reversed(range(256))) * 30
SAVED_MODEL = {
    "saved_model.pb": b"graph",
    "variables/variables.index": b"index",
    "variables/variables.data-00000-of-00001": b"numbers" * 100,
}

#: By layer, the shapes of its arrays by their names.
Layers = dict[str, dict[str, tuple[int, ...]]]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def specs(base: str) -> dict[str, WeightsSpec]:
    """A registry with each kind of network, downloaded from the address `base`."""
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


def tar_gz(members: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    """The bytes of an archive with these files, and with further members without contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in extra:
            tar.addfile(info)
    return buffer.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder, and return the folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def write_vgg19(path: Path, change: Callable[[Layers], Layers | None] | None = None) -> Path:
    """Write VGG-19 in Keras' legacy layout with zeros, which take no room; `change` edits the layers."""
    import h5py  # type: ignore[import-untyped]

    layers: Layers = {
        layer: {f"{layer}_W_1:0": kernel, f"{layer}_b_1:0": bias}
        for layer, (kernel, bias) in vgg19_file.shapes().items()
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


def message(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The one line of the WeightsError that the call must raise."""
    with pytest.raises(WeightsError) as caught:
        call(*args, **kwargs)
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text


def assert_clean(name: str) -> None:
    """No unfinished download counts as finished, and none is left."""
    assert store.find(name) is None
    models = store.home() / "models"
    left = {path.name for path in models.iterdir()} if models.is_dir() else set()
    assert left <= {f".{name}.lock", f".{name}.failed"}
