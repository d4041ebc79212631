"""The feature encoder: geometry and arithmetic on tiny networks, and VGG-19 itself against Keras' own forward pass."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from samples import TINY_CHANNELS, painting, tiny_convolutions
from stylize.errors import WeightsError
from stylize.layers import VGG19_LAYERS
from stylize.networks import store
from stylize.networks.backend import array_of, keras, numpy_of
from stylize.networks.vgg import EncoderWeights, FeatureEncoder, content_layers_under, load_encoder_weights

LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_2", "relu5_1"]
TINY = EncoderWeights(tiny_convolutions())


def _features(encoder, picture):
    return {name: numpy_of(activation) for name, activation in encoder(array_of(picture)).items()}


def test_shapes_follow_the_pooling():
    features = FeatureEncoder(TINY, LAYERS, precision="float32")(array_of(painting(50, 67, 0)[None]))
    expected = {"relu1_1": (50, 67), "relu2_1": (25, 33), "relu3_1": (12, 16), "relu4_2": (6, 8), "relu5_1": (3, 4)}
    assert {name: tuple(f.shape[1:]) for name, f in features.items()} == {
        name: (*size, TINY_CHANNELS[name[4]]) for name, size in expected.items()
    }


def test_cut_after_the_deepest_layer():
    encoder = FeatureEncoder(TINY, ["relu1_1", "relu2_1"], precision="float32")
    assert list(encoder(array_of(painting(16, 16, 0)[None]))) == ["relu1_1", "relu2_1"]
    assert encoder.channels == {"relu1_1": 4, "relu2_1": 6}


def test_first_layer_by_hand():
    kernel = np.zeros((3, 3, 3, 1), np.float32)
    kernel[1, 0, 0, 0] = 2.0  # twice the red of the pixel to the left
    weights_ = EncoderWeights({"conv1_1": (kernel, np.array([-0.1], np.float32))}, scale=(1, 1, 1), offset=(0.5, 0, 0))
    picture = painting(4, 5, 1)
    expected_inside = np.maximum(2 * (picture[:, :-1, 0] + 0.5) - 0.1, 0)
    repeated = np.maximum(2 * (picture[:, 0, 0] + 0.5) - 0.1, 0)
    for padding, border in (("zeros", np.zeros(4)), ("first", repeated), ("edge", repeated)):
        encoder = FeatureEncoder(weights_, ["relu1_1"], precision="float32", padding=padding)
        activation = _features(encoder, picture[None])["relu1_1"][0, ..., 0]
        np.testing.assert_allclose(activation[:, 1:], expected_inside, rtol=1e-6)
        np.testing.assert_allclose(activation[:, 0], border, rtol=1e-6)


def test_average_pooling_averages():
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    kernel[1, 1] = np.eye(3)
    bias = np.zeros(3, np.float32)
    passing = EncoderWeights({f"conv{layer}": (kernel, bias) for layer in ("1_1", "1_2", "2_1")})
    picture = painting(6, 4, 2)
    encoder = FeatureEncoder(passing, ["relu2_1"], pooling="avg", precision="float32")
    pooled = _features(encoder, picture[None])["relu2_1"][0]
    np.testing.assert_allclose(pooled, picture.reshape(3, 2, 2, 2, 3).mean((1, 3)), rtol=1e-5)


def test_lift_turns_the_activation():
    lift = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    plain = FeatureEncoder(TINY, ["relu1_1"], precision="float32")
    lifted = FeatureEncoder(
        EncoderWeights(TINY.convolutions, lifts={"relu1_1": lift}), ["relu1_1"], precision="float32"
    )
    picture = painting(16, 16, 3)[None]
    ours, expected = _features(lifted, picture)["relu1_1"], _features(plain, picture)["relu1_1"] @ lift
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_bfloat16_is_close_to_float32():
    picture = array_of(painting(48, 48, 4)[None])
    exact, rough = (FeatureEncoder(TINY, LAYERS, precision=p)(picture) for p in ("float32", "bfloat16"))
    for name in LAYERS:
        assert keras.backend.standardize_dtype(rough[name].dtype) == "bfloat16"
        expected = numpy_of(exact[name])
        error = np.linalg.norm(np.float32(numpy_of(rough[name])) - expected) / np.linalg.norm(expected)
        assert error < 0.03


def test_layer_beyond_the_network_is_one_line():
    with pytest.raises(WeightsError, match=r"reaches relu5_4.*ends at relu5_1.*feature network vgg19") as caught:
        FeatureEncoder(TINY, ["relu5_4"])
    assert "\n" not in str(caught.value)


@pytest.mark.real
def test_vgg19_agrees_with_keras(shared, tmp_path, monkeypatch):
    path = shared / "models" / "vgg19_imagenet_notop.h5"
    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path))
    found = store.add("vgg19", [path])
    encoder = FeatureEncoder(load_encoder_weights(found), VGG19_LAYERS, precision="float32")
    picture = painting(64, 80, 5)[None]
    ours = _features(encoder, picture)
    network = keras.applications.VGG19(include_top=False, weights=str(path))
    reference = keras.Model(
        network.input,
        [network.get_layer(f"block{layer[4]}_conv{layer[6]}").output for layer in VGG19_LAYERS],
    )
    theirs = reference(keras.applications.vgg19.preprocess_input(picture * 255))
    for name, expected in zip(VGG19_LAYERS, map(numpy_of, theirs), strict=True):
        np.testing.assert_allclose(ours[name], expected, rtol=1e-3, atol=1e-2 * float(np.abs(expected).mean() + 1e-6))


def test_other_content_layers_replace_relu4_2_under_vgg19_slim():
    layers = (("relu3_1", 0.1), ("relu4_2", 1.0))
    assert content_layers_under("vgg19", layers) == layers
    held = dict(content_layers_under("vgg19-slim", layers))
    assert list(held) == ["relu3_1", "relu2_1", "relu4_2"], "each layer once"
    assert held["relu3_1"] > 0.1, "what it has already, and its part of relu4_2's"
    assert 0 < sum(held.values()) < 1.1
    assert content_layers_under("vgg19-slim", (("relu3_1", 0.5),)) == (("relu3_1", 0.5),)


@pytest.mark.parametrize("padding", ["edge", "first", "zeros"])
def test_with_edge_padding_no_activation_tells_the_border(padding: Literal["edge", "first", "zeros"]) -> None:
    """A flat picture is flat at every layer; with zeros beyond the border it is not."""
    encoder = FeatureEncoder(TINY, ["relu1_1", "relu1_2", "relu2_1"], precision="float32", padding=padding)
    for layer, activation in _features(encoder, np.full((1, 16, 24, 3), 0.3, np.float32)).items():
        flat = np.broadcast_to(activation[:, :1, :1], activation.shape)
        assert np.allclose(activation, flat, rtol=1e-5) == (
            padding == "edge" or (padding == "first" and layer == "relu1_1")
        )
