"""VGG-19's file: what is accepted, and what is wrong with the others."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from made_up_weights import assert_clean, message, write_vgg19
from stylize.networks import store


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda layers: layers["block3_conv2"].update({"block3_conv2_W_1:0": (3, 3, 256, 128)}),
            "block3_conv2 has kernel and bias ((3, 3, 256, 128), (256,)), expected ((3, 3, 256, 256), (2",
        ),
        (lambda layers: layers["block5_conv4"].popitem() and None, "block5_conv4 has kernel and bias"),
        (lambda layers: layers.pop("block4_conv4") and None, "block4_conv4 is missing"),
        (lambda layers: {**layers, "fc1": {"fc1_W_1:0": (5, 4)}}, "only VGG-19's convolutions"),
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
