"""Write a SavedModel with the signature and the architecture of Magenta's network, and random weights.

    python benchmarks/magenta_stand_in.py FOLDER

The architecture is that of Ghiasi et al. 2017: Inception-v3 for the style, 16 convolutions for the picture.
`startup.py` measures this network where the original is not installed.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

# Kernel side, channels in, channels out, stride.
DOWN = ((9, 3, 32, 1), (3, 32, 64, 2), (3, 64, 128, 2))
RESIDUAL = ((3, 128, 128, 1),) * 10
UP = ((3, 128, 64, 1), (3, 64, 32, 1), (9, 32, 3, 1))
STYLE_SIZE = 100
_PICTURES = [tf.TensorSpec([None, None, None, 3], tf.float32, name=name) for name in ("placeholder", "placeholder_1")]


class MagentaStandIn(tf.Module):
    """Paints a content in a style; both (1, H, W, 3) in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self._random = np.random.default_rng(0)
        inception = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(None, None, 3))
        self._predict = keras.Model(inception.input, inception.get_layer("mixed7").output)
        self._bottleneck = self._kernel(768, STYLE_SIZE)
        self._layers = [
            (self._kernel(side, side, inputs, outputs), self._kernel(STYLE_SIZE, 2 * outputs), stride)
            for side, inputs, outputs, stride in (*DOWN, *RESIDUAL, *UP)
        ]

    @tf.function(input_signature=_PICTURES)
    def __call__(self, content: tf.Tensor, style: tf.Tensor) -> list[tf.Tensor]:
        vector = tf.reduce_mean(self._predict(style * 2 - 1), [1, 2]) @ self._bottleneck * 0.01
        x = content
        for index in range(3):
            x = self._convolve(x, vector, index)
        for index in range(3, 13, 2):
            x = x + self._convolve(self._convolve(x, vector, index), vector, index + 1, activate=False)
        for index in (13, 14):
            size = tf.shape(x)
            x = self._convolve(tf.image.resize(x, [2 * size[1], 2 * size[2]], "nearest"), vector, index)
        return [tf.sigmoid(self._convolve(x, vector, 15, activate=False))]

    def _kernel(self, *shape: int) -> tf.Variable:
        return tf.Variable(self._random.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape).astype(np.float32))

    def _convolve(self, x: tf.Tensor, vector: tf.Tensor, index: int, activate: bool = True) -> tf.Tensor:
        """Convolve, then normalise each channel to the scale and shift that the style's vector gives."""
        kernel, parameters, stride = self._layers[index]
        margin = kernel.shape[0] // 2
        x = tf.pad(x, [[0, 0], [margin, margin], [margin, margin], [0, 0]], "REFLECT")
        x = tf.nn.conv2d(x, kernel, stride, "VALID")
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        scale, shift = tf.split((vector @ parameters)[:, None, None], 2, -1)
        x = (x - mean) * tf.math.rsqrt(variance + 1e-5) * (1 + scale) + shift
        return tf.nn.relu(x) if activate else x


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    tf.saved_model.save(MagentaStandIn(), sys.argv[1])
