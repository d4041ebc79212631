"""The Magenta stylizers: small SavedModels of the same signature, converted and not, and the real int8 pair."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from samples import painting
from stylize.errors import WeightsError
from stylize.networks.magenta import Int8Stylizer, MagentaStylizer, _EndToEndStylizer


@pytest.fixture(scope="module")
def saved_model(tensorflow, tmp_path_factory):
    """A SavedModel of Magenta's signature: the content moved to the style's mean colour, cropped to multiples of 4."""
    tf = tensorflow

    class Module(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, None, None, 3], tf.float32, name="placeholder"),
                tf.TensorSpec([None, None, None, 3], tf.float32, name="placeholder_1"),
            ]
        )
        def __call__(self, content, style):
            # The real network rounds up to its strides; so does this one.
            up = -tf.shape(content)[1:3] % 4
            content = tf.pad(content, [[0, 0], [0, up[0]], [0, up[1]], [0, 0]])
            tf.debugging.assert_greater_equal(tf.shape(style)[1], 256)
            return [(content + tf.reduce_mean(style, [1, 2], keepdims=True)) / 2]

    folder = tmp_path_factory.mktemp("magenta")
    tf.saved_model.save(Module(), str(folder))
    return folder


def test_saved_model_keeps_the_size_and_blends_on_pixels(saved_model):
    stylizer = MagentaStylizer(saved_model)
    content, red, blue = painting(64, 96, 0), np.zeros((40, 60, 3), np.float32), np.zeros((90, 50, 3), np.float32)
    red[..., 0], blue[..., 2] = 1, 1
    painted = stylizer.stylize(content, [(red, 1.0)], 1.0)
    np.testing.assert_allclose(painted, (content + [1, 0, 0]) / 2, atol=1e-5)
    blend = stylizer.stylize(content, [(red, 0.25), (blue, 0.75)], 1.0)
    np.testing.assert_allclose(blend, (content + [0.25, 0, 0.75]) / 2, atol=1e-5)
    half = stylizer.stylize(content, [(red, 1.0)], 0.5)
    np.testing.assert_allclose(half, (content + painted) / 2, atol=1e-5)
    np.testing.assert_array_equal(stylizer.stylize(content, [(red, 1.0)], 0.0), content)
    odd = painting(61, 33, 1)
    assert stylizer.stylize(odd, [(red, 1.0)], 1.0).shape == odd.shape


@pytest.mark.parametrize("size", [(1024, 4), (4, 1024)])
def test_of_a_very_long_style_the_middle_is_read(size):
    class Seen(_EndToEndStylizer):
        def run(self, content, style):
            self.style = style
            return content

    style = np.zeros((*size, 3), np.float32)
    middle = tuple(slice(side // 2 - 2, side // 2 + 2) for side in size)
    style[middle] = 1
    stylizer = Seen()
    stylizer.stylize(painting(32, 32, 0), [(style, 1.0)], 1.0)
    assert sorted(stylizer.style.shape) == [1, 3, 256, 1024]
    assert stylizer.style.mean() == pytest.approx(0.25, abs=0.01), "a fourth of the middle is white"
    np.testing.assert_allclose(stylizer.style, stylizer.style[:, ::-1, ::-1], atol=1e-5)


def test_damaged_saved_models_are_one_line(saved_model, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    cut = tmp_path / "cut"
    shutil.copytree(saved_model, cut)
    (cut / "saved_model.pb").write_bytes(b"")
    for folder in (empty, cut):
        with pytest.raises(WeightsError, match="stylize models pull magenta") as caught:
            MagentaStylizer(folder)
        assert "\n" not in str(caught.value)


def test_damaged_tflite_is_one_line(tmp_path):
    path = tmp_path / "predict.tflite"
    path.write_bytes(b"not a flatbuffer")
    with pytest.raises(WeightsError, match="stylize models verify magenta-int8"):
        Int8Stylizer(path, path)


@pytest.mark.real
@pytest.mark.parametrize("size", [(96, 64), (64, 400), (1, 1), (384, 384), (700, 500)])
def test_int8_any_shape(shared, size):
    stylizer = _int8(shared)
    content = painting(*size, 3)
    painted = stylizer.stylize(content, [(painting(300, 200, 4), 1.0)], 1.0)
    assert painted.shape == content.shape
    assert 0 <= painted.min() <= painted.max() <= 1


@pytest.mark.real
def test_int8_strength_and_blend_act_on_the_bottleneck(shared):
    stylizer = _int8(shared)
    content, one, two = painting(128, 192, 0), painting(256, 256, 1), painting(256, 256, 2)
    np.testing.assert_array_equal(stylizer.stylize(content, [(one, 1.0)], 0.0), content)
    far = [np.abs(stylizer.stylize(content, [(one, 1.0)], s) - content).mean() for s in (0.05, 0.3, 0.6, 1.0)]
    assert far == sorted(far)
    blend = stylizer.stylize(content, [(one, 0.5), (two, 0.5)], 1.0)
    code = (stylizer.encode_style(one) + stylizer.encode_style(two)) / 2
    np.testing.assert_allclose(blend, stylizer.transfer(content, code), atol=1e-6)


def _int8(shared: Path) -> Int8Stylizer:
    folder = shared / "models"
    return Int8Stylizer(folder / "magenta_int8_predict.tflite", folder / "magenta_int8_transfer.tflite")


def test_a_large_content_is_painted_at_a_bounded_size(hub_network, monkeypatch):
    stylizer = MagentaStylizer(hub_network)
    sizes, run = [], stylizer.run
    monkeypatch.setattr(stylizer, "run", lambda content, style: sizes.append(content.shape) or run(content, style))
    monkeypatch.setattr("stylize.networks.magenta.MAX_CONTENT_PX", 64)
    content = painting(150, 201, 0)
    painted = stylizer.stylize(content, [(painting(64, 64, 1), 1.0)], 1.0)
    assert sizes == [(1, 48, 64, 3)]
    assert painted.shape == content.shape
    assert np.abs(painted - content).mean() > 0.02


def test_a_saved_model_without_tensorflow_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("stylize.networks.devices.runs_saved_models", lambda: False)
    with pytest.raises(WeightsError, match=r"^magenta: needs TensorFlow and tensorflow-hub, which are not installed; "):
        MagentaStylizer(tmp_path)
