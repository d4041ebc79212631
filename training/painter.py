"""The stylizer `mini`: a style encoder, and a painter that adds strokes to the recoloured content."""

from pathlib import Path

import keras
from colour import COLOUR_NUMBERS, colour_statistics, compress, recolour
from config import MiniConfig
from keras import ops

from networks import INPUT_MEAN, INPUT_STD, Convolution, Slim, mean_and_covariance, symbolic_picture


class StyleEncoder(keras.Model):
    """Turns style pictures into vectors: colour statistics, then a code computed from feature statistics."""

    def __init__(self, config: MiniConfig, slim: Path, dtype: str) -> None:
        super().__init__()  # in float32, so that pictures are not rounded; activations may be
        self.features = Slim(slim, last="conv4_1", dtype=dtype)
        self.projections = [keras.layers.Dense(k, use_bias=False, dtype=dtype) for k in config.projections]
        self.scale = keras.layers.LayerNormalization(dtype="float32")
        self.hidden = keras.layers.Dense(config.hidden, activation="gelu", dtype="float32")
        self.code = keras.layers.Dense(config.code, dtype="float32")

    def call(self, images):
        descriptor = []
        for activation, projection in zip(self.features(images), self.projections, strict=True):
            mean = ops.mean(ops.cast(activation, "float32"), (1, 2), keepdims=True)
            centred = ops.cast(activation, "float32") - mean
            deviation = ops.sqrt(ops.mean(ops.square(centred), (1, 2)) + 1e-4)
            channels = centred.shape[-1]
            # A product of matrices: LiteRT is faster if it knows the shapes, see `per_pixel`.
            projected = projection(ops.reshape(centred, (-1, channels)))
            _, covariance = mean_and_covariance(
                ops.cast(ops.reshape(projected, (ops.shape(images)[0], -1, projection.units)), "float32")
            )
            descriptor += [
                mean[:, 0, 0],
                ops.log(deviation),
                compress(ops.reshape(covariance, (-1, projection.units**2))),
            ]
        code = self.code(self.hidden(self.scale(ops.concatenate(descriptor, 1))))
        return ops.concatenate([colour_statistics(images), code], 1)


class ConditionalInstanceNorm(keras.layers.Layer):
    """Instance normalisation with a scale and a shift that depend on the style's code (arXiv 1610.07629)."""

    def __init__(self, channels: int, dtype: str) -> None:
        super().__init__(dtype=dtype)
        # Small initial weights: with large scales at the start, the painter learns to add nothing.
        small = keras.initializers.RandomNormal(stddev=0.03)
        self.scale_and_shift = keras.layers.Dense(2 * channels, kernel_initializer=small, dtype="float32")

    def call(self, x, code):
        x32 = ops.cast(x, "float32")
        centred = x32 - ops.mean(x32, (1, 2), keepdims=True)
        variance = ops.mean(ops.square(centred), (1, 2), keepdims=True)
        scale, shift = ops.split(self.scale_and_shift(code)[:, None, None, :], 2, axis=-1)
        normalized = centred * (ops.rsqrt(variance + 1e-4) * (1 + scale)) + shift
        return ops.cast(normalized, x.dtype)


class NoiseInjection(keras.layers.Layer):
    """Adds white noise, scaled per channel by the style's code (arXiv 1812.04948).

    In a flat area, all positions look the same to a convolutional network, so it would repeat a single stroke. Noise
    makes the positions differ.
    """

    def __init__(self, channels: int, dtype: str) -> None:
        super().__init__(dtype=dtype)
        self.amplitudes = keras.layers.Dense(channels, kernel_initializer="zeros", dtype="float32")

    def call(self, x, noise, code):
        scaled = ops.cast(noise, "float32") * self.amplitudes(code)[:, None, None, :]
        return x + ops.cast(scaled, x.dtype)


class ConditionalConvolution(keras.Model):
    """Convolution, conditional instance normalisation, and ReLU if `activate`."""

    def __init__(self, channels: int, dtype: str, strides: int = 1, activate: bool = True) -> None:
        super().__init__(dtype=dtype)
        self.convolution = Convolution(channels, strides=strides, edges=True, dtype=dtype)
        self.norm = ConditionalInstanceNorm(channels, dtype)
        self.activate = activate

    def call(self, x, code):
        x = self.norm(self.convolution(x), code)
        return ops.relu(x) if self.activate else x


class Painter(keras.Model):
    """The whole stylizer: `encode` computes the vector of a style, `paint` paints a content with the vector."""

    resize = staticmethod(ops.image.resize)

    def __init__(self, config: MiniConfig, slim: Path, dtype: str = "mixed_bfloat16") -> None:
        super().__init__()
        half, quarter, eighth = config.channels
        self.encoder = StyleEncoder(config, slim, dtype)

        def convolution(channels, **options):
            return ConditionalConvolution(channels, dtype, **options)

        def block(channels):
            return [convolution(channels), convolution(channels, activate=False)]

        self.down = [convolution(c, strides=2) for c in config.channels]
        self.bottom = [block(eighth) for _ in range(config.blocks_at_bottom)]
        self.after = [block(quarter) for _ in range(config.blocks_after)]
        self.up = [convolution(c) for c in (quarter, half, config.painted)]
        self.last = Convolution(3, edges=True, initializer="zeros", dtype=dtype)
        # At 1/2, 1/4 and 1/8 of the size on the way down, at 1/4 and 1/2 on the way up.
        self.noise = [NoiseInjection(c, dtype) for c in (half, quarter, eighth, quarter, half)]

    def encode(self, styles):
        return self.encoder(styles)

    def paint(self, contents, vectors, noise):
        """Paint contents.

        Args:
            contents: (N, H, W, 3) in [0, 1].
            vectors: (N, D) from `encode`.
            noise: white noise (N, H, W, 1).

        Returns:
            Pictures (N, H, W, 3), mostly in [0, 1].
        """
        colours, code = vectors[:, :COLOUR_NUMBERS], vectors[:, COLOUR_NUMBERS:]
        recoloured = recolour(contents, colours)
        # A part of white noise is white noise, too.
        at_half, at_quarter, at_eighth = noise[:, ::2, ::2], noise[:, ::4, ::4], noise[:, ::8, ::8]
        x = (ops.concatenate([recoloured, contents], -1) - INPUT_MEAN) / INPUT_STD
        x = half = self.noise[0](self.down[0](x, code), at_half, code)
        x = quarter = self.noise[1](self.down[1](x, code), at_quarter, code)
        x = self.noise[2](self.down[2](x, code), at_eighth, code)
        x = residual(self.bottom, x, code)
        x = self.noise[3](self.up[0](self.enlarge(x, quarter), code) + quarter, at_quarter, code)
        x = residual(self.after, x, code)
        x = self.noise[4](self.up[1](self.enlarge(x, half), code) + half, at_half, code)
        x = self.last(self.enlarge(self.up[2](x, code), contents))
        return recoloured + 0.25 * ops.cast(x, "float32")

    def enlarge(self, x, like):
        """Enlarge to the height and width of `like` by repeating pixels. This avoids checkerboard patterns."""
        return self.resize(x, ops.shape(like)[1:3], "nearest")

    def call(self, contents, styles):
        return self.paint(contents, self.encode(styles), white_noise(contents))


def white_noise(pictures, seed=0):
    """Return standard normal noise (N, H, W, 1) for pictures (N, H, W, 3), always the same for an integer seed."""
    return keras.random.normal((*ops.shape(pictures)[:3], 1), seed=seed)


def residual(blocks, x, code):
    """Apply residual blocks of two conditional convolutions each."""
    for first, second in blocks:
        x = x + second(first(x, code), code)
    return x


def build_painter(config: MiniConfig, slim: Path, dtype: str) -> Painter:
    """Return a painter with all its weights created; `slim` is the file of vgg19-slim."""
    painter = Painter(config, slim, dtype)
    painter(symbolic_picture(), symbolic_picture())
    return painter
