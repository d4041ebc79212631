"""Style augmentation: what is painted and what is not, seeds, graphs, saving."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import stylize
from samples import painting
from stylize.errors import ImageError, OptionError
from stylize.networks.devices import tensorflow

if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("TensorFlow is not installed", allow_module_level=True)

from stylize.augment import StyleAugment, random_style

tf = tensorflow()

SURELY = {"probability": 1.0, "strength": (1.0, 1.0)}


@pytest.fixture(autouse=True)
def offline(tiny_networks: object) -> None:
    """The embedded networks, and no internet."""


@pytest.fixture(scope="module")
def photos() -> NDArray[np.float32]:
    return np.stack([painting(24, 32, seed) for seed in range(4)]) * np.float32(255)


def test_pictures_are_painted_in_their_range(photos):
    painted = random_style(photos, [1, 2], **SURELY).numpy()
    assert painted.shape == photos.shape
    assert painted.dtype == np.float32
    assert 0 <= painted.min() < 100 < painted.max() <= 255
    assert np.abs(painted - photos).mean(axis=(1, 2, 3)).min() > 5
    unit = random_style(photos / 255, [1, 2], value_range=(0, 1), **SURELY).numpy()
    np.testing.assert_allclose(unit * 255, painted, atol=1e-2)


def test_the_seed_decides(photos):
    one, same, other = (random_style(photos, [1, seed]).numpy() for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    negative, positive, least = (random_style(photos, [n, 1], **SURELY).numpy() for n in (-1, 1, -(2**63)))
    assert not np.array_equal(negative, positive)
    assert least.shape == photos.shape


def test_probability_and_strength(photos):
    assert np.allclose(random_style(photos, [0, 0], probability=0.0), photos, atol=1e-3)
    assert np.allclose(random_style(photos, [0, 0], probability=1.0, strength=(0, 0)), photos, atol=1e-3)
    many = np.repeat(photos[:1, :16, :16], 200, axis=0)
    changed = np.abs(random_style(many, [0, 0], probability=0.3).numpy() - many).max(axis=(1, 2, 3)) > 0.5
    assert 35 <= changed.sum() <= 85
    half = random_style(photos, [0, 0], probability=1.0, strength=(0.5, 0.5)).numpy()
    full = random_style(photos, [0, 0], **SURELY).numpy()
    np.testing.assert_allclose(half, (photos + full) / 2, atol=1e-2)


def test_other_styles(photos, pictures):
    own = random_style(photos, [0, 0], styles=[str(pictures[1])], **SURELY).numpy()
    assert not np.array_equal(own, random_style(photos, [0, 0], **SURELY).numpy())


@pytest.mark.parametrize("style_px", [20, 256])
def test_a_picture_is_painted_as_by_fast(photos, tmp_path, style_px):
    Image.fromarray((painting(style_px, style_px, 1) * 255).astype(np.uint8)).save(tmp_path / "style.png")
    own = random_style(photos[0], [0, 0], styles=[str(tmp_path / "style.png")], **SURELY).numpy()
    expected = stylize.fast(photos[0] / 255, tmp_path / "style.png", size=32, network="mini", strength=1.0).image
    np.testing.assert_allclose(own / 255, expected, atol=0.51 / 255)


def test_in_a_pipeline(photos):
    augment = StyleAugment(seed=3, **SURELY)
    labels = np.arange(4)
    batches = tf.data.Dataset.from_tensor_slices((photos.astype(np.uint8), labels)).batch(2)
    batches = batches.map(lambda images, labels: (augment(images, training=True), labels), num_parallel_calls=2)
    assert batches.element_spec[0].shape.as_list() == [None, 24, 32, 3]
    seen = list(batches.as_numpy_iterator())
    assert [list(labels) for _, labels in seen] == [[0, 1], [2, 3]]
    assert all(images.dtype == np.float32 for images, _ in seen)
    numbered = tf.data.Dataset.from_tensor_slices(photos).enumerate()
    single = numbered.map(lambda number, image: random_style(image, [7, number]), num_parallel_calls=4)
    first, again = (np.stack(list(single.as_numpy_iterator())) for _ in range(2))
    assert np.array_equal(first, again)


def test_only_while_training(photos):
    augment = StyleAugment(seed=0, **SURELY)
    assert np.array_equal(augment(photos), photos)
    assert np.array_equal(augment(photos, training=False), photos)
    one, two = augment(photos, training=True), augment(photos, training=True)
    assert not np.array_equal(one, two)
    assert np.array_equal(one, StyleAugment(seed=0, **SURELY)(photos, training=True))


def test_in_a_model_that_is_trained_saved_and_loaded(photos, pictures, tmp_path):
    import keras

    augment = StyleAugment([str(pictures[1])], probability=1.0, strength=(0.2, 0.9), seed=5)
    model = keras.Sequential(
        [keras.Input((24, 32, 3)), augment, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    model.fit(photos / 255, np.ones((4, 1)), epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    layer = loaded.layers[0]
    assert layer.get_config() == augment.get_config()
    assert (layer.strength, layer.styles, layer.seed) == ((0.2, 0.9), [str(pictures[1])], 5)
    np.testing.assert_allclose(loaded.predict(photos, verbose=0), model.predict(photos, verbose=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"probability": 1.5}, "probability: expected 0 to 1"),
        ({"strength": (0.8, 0.2)}, "strength: expected a range"),
        ({"value_range": (1, 0)}, "value_range: expected black below white"),
    ],
)
def test_options_out_of_range(photos, options, words):
    with pytest.raises(OptionError, match=words):
        random_style(photos, [0, 0], **options)
    with pytest.raises(OptionError, match=words):
        StyleAugment(**options)


def test_styles_that_are_not_there(photos):
    with pytest.raises((ImageError, tf.errors.OpError), match="no such file"):
        random_style(photos, [0, 0], styles=["nowhere.jpg"], **SURELY)
    with pytest.raises((OptionError, tf.errors.OpError), match="at least one picture"):
        random_style(photos, [0, 0], styles=[], **SURELY)
