"""Train mini, the feed-forward stylizer: content picture and style vector in, painted picture out.

    python training/mini.py --photos DIR --paintings DIR --teacher vgg19.h5 --slim vgg19_slim.safetensors \\
        --run training/runs/mini

The closed-form colour transfer comes first, the network adds strokes to its result. Stopped runs go on from their last
checkpoint.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from config import CONTENT_TAPS, STYLE_TAPS, TAPS, MiniConfig, Schedule
from data import Crops, read_folder
from keras import ops
from PIL import Image

from networks import (
    INPUT_MEAN,
    INPUT_STD,
    Convolution,
    Slim,
    Vgg19,
    mean_and_covariance,
    per_pixel,
    positions,
    relative_error,
    save_weights,
    symbolic_picture,
    write_json,
)

# Luma first, so that the triangular colour map below makes luma from luma alone and the drawing survives.
OPPONENT = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]], np.float32) / np.sqrt([[3], [2], [6]]).astype(np.float32)
COLOUR_EPSILON = 1e-3
COLOUR_NUMBERS = 9


def colour_statistics(images):
    """Mean (3) and covariance (6: yy, yu, yv, uu, uv, vv) of opponent colours: (N, H, W, 3) to (N, 9)."""
    mean, c = mean_and_covariance(positions(per_pixel(images, OPPONENT.T)))
    covariance = [c[:, 0, 0], c[:, 0, 1], c[:, 0, 2], c[:, 1, 1], c[:, 1, 2], c[:, 2, 2]]
    return ops.concatenate([mean, ops.stack(covariance, 1)], 1)


def cholesky(covariance):
    """Lower triangle (l11, l21, l31, l22, l32, l33) of regularised covariances (N, 6), each (N, 1, 1, 1)."""
    yy, yu, yv, uu, uv, vv = (ops.reshape(covariance[:, i], (-1, 1, 1, 1)) for i in range(6))

    def root(x):
        return ops.sqrt(ops.maximum(x, 0.0) + COLOUR_EPSILON)

    l11 = root(yy)
    l21, l31 = yu / l11, yv / l11
    l22 = root(uu - l21 * l21)
    l32 = (uv - l21 * l31) / l22
    return l11, l21, l31, l22, l32, root(vv - l31 * l31 - l32 * l32)


def recolour(images, style_colours):
    """Give pictures (N, H, W, 3) the colour mean and covariance (N, 9) of a style."""
    own = colour_statistics(images)
    opponent = per_pixel(images, OPPONENT.T) - ops.reshape(own[:, :3], (-1, 1, 1, 3))
    c11, c21, c31, c22, c32, c33 = cholesky(own[:, 3:])
    s11, s21, s31, s22, s32, s33 = cholesky(style_colours[:, 3:])
    y = opponent[..., 0:1] / c11
    u = (opponent[..., 1:2] - c21 * y) / c22
    v = (opponent[..., 2:3] - c31 * y - c32 * u) / c33
    mapped = ops.concatenate([s11 * y, s21 * y + s22 * u, s31 * y + s32 * u + s33 * v], -1)
    mapped = mapped + ops.reshape(style_colours[:, :3], (-1, 1, 1, 3))
    return ops.clip(per_pixel(mapped, OPPONENT), 0.0, 1.0)


def compress(x):
    """Inverse hyperbolic sine, written out since LiteRT has none: covariances span orders of magnitude."""
    size = ops.abs(x)
    return ops.sign(x) * ops.log(size + ops.sqrt(ops.square(size) + 1.0))


class StyleEncoder(keras.Model):
    """A style picture to its vector: colour statistics, then a code made from feature statistics."""

    def __init__(self, config: MiniConfig, slim: Path, dtype: str) -> None:
        super().__init__()  # itself in float32: pictures are not rounded, only activations
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
            # A plain matrix product, for the reason of `per_pixel`.
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
    """Instance normalisation whose scale and shift come from the style's code (arXiv 1610.07629)."""

    def __init__(self, channels: int, dtype: str) -> None:
        super().__init__(dtype=dtype)
        # Small at first: a painter that starts with wild scales learns to stay silent.
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

    In a flat area a convolutional painter has nothing to tell one place from the next and repeats one stroke; noise is
    the difference that it can grow strokes from.
    """

    def __init__(self, channels: int, dtype: str) -> None:
        super().__init__(dtype=dtype)
        self.amplitudes = keras.layers.Dense(channels, kernel_initializer="zeros", dtype="float32")

    def call(self, x, noise, code):
        scaled = ops.cast(noise, "float32") * self.amplitudes(code)[:, None, None, :]
        return x + ops.cast(scaled, x.dtype)


class ConditionalConvolution(keras.Model):
    """Convolution, conditional instance normalisation, and where asked relu."""

    def __init__(self, channels: int, dtype: str, strides: int = 1, activate: bool = True) -> None:
        super().__init__(dtype=dtype)
        self.convolution = Convolution(channels, strides=strides, edges=True, dtype=dtype)
        self.norm = ConditionalInstanceNorm(channels, dtype)
        self.activate = activate

    def call(self, x, code):
        x = self.norm(self.convolution(x), code)
        return ops.relu(x) if self.activate else x


class Painter(keras.Model):
    """The whole stylizer: `encode` makes a style's vector, `paint` paints content with it."""

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
        # On the way down at a half, a quarter, an eighth of the size, on the way up at a quarter and a half.
        self.noise = [NoiseInjection(c, dtype) for c in (half, quarter, eighth, quarter, half)]

    def encode(self, styles):
        return self.encoder(styles)

    def paint(self, contents, vectors, noise):
        """Contents (N, H, W, 3) in [0, 1], vectors (N, D), white noise (N, H, W, 1) to pictures around [0, 1]."""
        colours, code = vectors[:, :COLOUR_NUMBERS], vectors[:, COLOUR_NUMBERS:]
        recoloured = recolour(contents, colours)
        # Every second number of white noise is white noise.
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
        """Nearest resize to the height and width of `like`: no checkerboard, and odd sizes come out right."""
        return self.resize(x, ops.shape(like)[1:3], "nearest")

    def call(self, contents, styles):
        return self.paint(contents, self.encode(styles), white_noise(contents))


def white_noise(pictures, seed=0):
    """Standard normal (N, H, W, 1) for pictures (N, H, W, 3); always the same for an integer seed."""
    return keras.random.normal((*ops.shape(pictures)[:3], 1), seed=seed)


def residual(blocks, x, code):
    for first, second in blocks:
        x = x + second(first(x, code), code)
    return x


class Targets(keras.Model):
    """What the losses ask of a picture: content features, and mean and covariance per style tap."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    def call(self, images):
        taps = dict(zip(TAPS, self.network(images), strict=True))
        return [positions(taps[tap]) for tap in CONTENT_TAPS], [
            mean_and_covariance(positions(taps[tap])) for tap in STYLE_TAPS
        ]


def style_errors(ours, styles):
    """Errors of Gram matrices and of covariances per picture, (N, layers) each; relative, so that no layer dominates.

    Arguments are statistics as `Targets` gives them.
    """
    grams, covariances = [], []
    for (our_mean, our_covariance), (mean, covariance) in zip(ours, styles, strict=True):
        our_gram = our_covariance + our_mean[:, :, None] * our_mean[:, None]
        gram = covariance + mean[:, :, None] * mean[:, None]
        grams.append(relative_error(our_gram, gram, (1, 2)))
        covariances.append(relative_error(our_covariance, covariance, (1, 2)))
    return ops.stack(grams, 1), ops.stack(covariances, 1)


def content_errors(ours, contents):
    """Per picture, relative errors of content features, (N, layers)."""
    return ops.stack([relative_error(a, b, (1, 2)) for a, b in zip(ours, contents, strict=True)], 1)


class PainterTraining(keras.Model):
    """Trains a painter on pairs of contents and styles."""

    def __init__(self, painter: Painter, targets: Targets, config: MiniConfig, seed: int) -> None:
        super().__init__()
        self.painter, self.config = painter, config
        self.noise = keras.random.SeedGenerator(seed)
        self.content_weight = self.add_weight(shape=(), trainable=False, autocast=False, name="content_weight")
        # Behind a closure, so that the loss network is no part of what is trained.
        self.targets_of = lambda images: targets(images)
        self.built = True

    def call(self, inputs):
        """(contents, styles) to the pictures painted, then some contents painted in their own style."""
        contents, styles = inputs
        vectors = self.painter.encode(ops.concatenate([styles, contents[: self.config.identities]], 0))
        contents = ops.concatenate([contents, contents[: self.config.identities]], 0)
        return self.painter.paint(contents, vectors, white_noise(contents, self.noise))

    def gram_loss(self, ours, styles):
        # Gram errors as they are: a logarithm would forgive relu5_1, which is worst, most. Covariances, whose errors
        # can be many times their size, under one: a clamp would leave hard styles without a gradient.
        gram, covariance = style_errors(ours, styles)
        return ops.mean(gram + self.config.covariance_weight * ops.log1p(covariance))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        (contents, styles), c = x, self.config
        count = contents.shape[0]
        outputs, identities = y_pred[:count], y_pred[count:]
        clipped = ops.clip(outputs, 0.0, 1.0)
        # Straight through: the loss sees the picture as shown, the gradient passes where it was cut off.
        shown = outputs + ops.stop_gradient(clipped - outputs)
        content_features, statistics = self.targets_of(shown)
        _, half_statistics = self.targets_of(halved(shown))
        wanted_features, _ = self.targets_of(contents)
        _, wanted = self.targets_of(styles)
        _, wanted_at_half = self.targets_of(halved(styles))
        variation = ops.mean(ops.abs(outputs[:, 1:] - outputs[:, :-1])) + ops.mean(
            ops.abs(outputs[:, :, 1:] - outputs[:, :, :-1])
        )
        return (
            c.style_weight * self.style_loss(statistics, wanted)
            + c.half_size_weight * self.style_loss(half_statistics, wanted_at_half)
            + self.content_weight * ops.mean(content_errors(content_features, wanted_features))
            + c.identity_weight * ops.mean(ops.abs(identities - contents[: c.identities]))
            + c.total_variation_weight * variation
            + c.range_weight * ops.mean(ops.square(outputs - clipped))
        )


class Evaluation(keras.Model):
    """Mean relative Gram errors (layers,) and content errors (layers,) of pairs of contents and styles."""

    def __init__(self, training: PainterTraining) -> None:
        super().__init__()
        self.painter, self.targets_of = training.painter, training.targets_of
        self.built = True

    def call(self, pairs):
        contents, styles = pairs
        outputs = ops.clip(self.painter(contents, styles), 0.0, 1.0)
        features, statistics = self.targets_of(outputs)
        gram, _ = style_errors(statistics, self.targets_of(styles)[1])
        content = content_errors(features, self.targets_of(contents)[0])
        return ops.mean(gram, 0), ops.mean(content, 0), outputs

    def line(self, pairs) -> dict:
        """The figures as a log has them; content at relu4_2, as it is judged."""
        gram, content, _ = self.predict_on_batch(pairs)
        return {
            "style": round(float(gram.mean()), 4),
            "content": round(float(content[CONTENT_TAPS.index("relu4_2")]), 4),
            "style_by_layer": [round(float(value), 3) for value in gram],
        }


def halved(images):
    return ops.average_pool(images, 2, 2)


def picture_grid(evaluation: Evaluation, pairs, path: Path) -> None:
    """Write a grid: six styles across the top, six contents down the left."""
    contents, styles = (ops.convert_to_numpy(pictures)[:6] for pictures in pairs)
    columns = [np.concatenate([np.ones_like(contents[:1]), contents], 0)]
    for style in styles:
        *_, painted = evaluation.predict_on_batch((contents, np.repeat(style[None], len(contents), 0)))
        columns.append(np.concatenate([style[None], painted], 0))
    grid = np.concatenate([np.concatenate(list(column), 0) for column in columns], 1)
    Image.fromarray((grid * 255).round().astype(np.uint8)).save(path)


def export(painter: Painter, folder: Path) -> None:
    """Write mini_style.tflite and mini_transfer.tflite: float16 weights, any height and width."""
    import tensorflow as tf  # the converter exists for TensorFlow alone

    painter.resize = tf.image.resize  # Keras' own refuses sizes known only at run time
    numbers = painter.encode(np.zeros((1, 32, 32, 3), np.float32)).shape[1]
    picture = tf.TensorSpec((1, None, None, 3), tf.float32)

    @tf.function(input_signature=[picture])
    def style(style_image):
        return painter.encode(style_image)

    @tf.function(
        input_signature=[
            picture,
            tf.TensorSpec((1, numbers), tf.float32),
            tf.TensorSpec((1, None, None, 1), tf.float32),
        ]
    )
    def transfer(content_image, style_vector, noise):
        return ops.clip(painter.paint(content_image, style_vector, noise), 0.0, 1.0)

    for name, function in (("style", style), ("transfer", transfer)):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], painter)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        (folder / f"mini_{name}.tflite").write_bytes(converter.convert())


def take_exported(painter: Painter, folder: Path) -> None:
    """Give `painter`, the first one built, the float16 weights that `export` wrote, for when the checkpoint is gone.

    A file's tensors bear the graph's names, not the variables'. So the painter is first filled with random numbers
    and exported, too: which variable a name stands for, and by what the converter multiplied it, is read off.
    """
    rng = np.random.default_rng(0)
    for variable in painter.weights:
        variable.assign(rng.normal(0, 0.5, variable.shape))
    with tempfile.TemporaryDirectory() as written:
        export(painter, Path(written))
        random = _exported_tensors(Path(written))
    shipped = _exported_tensors(folder)
    for variable in painter.weights:
        known, fits = ops.convert_to_numpy(variable), []
        for name, tensor in random.items():
            if tensor.size == known.size:
                tensor = _as_variable(tensor, known.shape)
                factor = float(np.vdot(tensor, known) / np.vdot(known, known))
                if factor > 0.1 and np.abs(tensor - factor * known).max() < 5e-3:
                    fits.append((name, factor))
        ((name, factor),) = fits
        variable.assign(_as_variable(shipped[name], known.shape) / factor)


def _exported_tensors(folder: Path) -> dict[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    tensors = {}
    for part in ("style", "transfer"):
        file = Interpreter(str(folder / f"mini_{part}.tflite"))
        for detail in file.get_tensor_details():
            if detail["dtype"] == np.float16:
                tensors[f"{part}/{detail['name']}"] = file.get_tensor(detail["index"]).astype(np.float32)
    return tensors


def _as_variable(tensor: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """LiteRT keeps kernels with the outputs first: (out, 3, 3, in) is (9 * in, out) here, (out, in) is (in, out)."""
    return (tensor.reshape(len(tensor), -1).T if len(shape) == 2 else tensor).reshape(shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--photos", "--paintings", "--teacher", "--slim", "--run"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--begin", type=Path, help="folder of two LiteRT files whose weights a new run goes on from")
    parser.add_argument("--begin-step", type=int, help="how many steps made these weights")
    parser.add_argument("--dtype", default="mixed_bfloat16", help="float32 is quicker on some CPUs")
    parser.add_argument("--steps", type=int, default=MiniConfig.steps, help="of training in all")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="the end comes by then")
    parser.add_argument("--export", type=Path, help="folder for the two LiteRT files, written at the end")
    parser.add_argument("--export-only", type=int, nargs="+", metavar="STEP", help="export these checkpoints' mean")
    args = parser.parse_args()
    if args.export_only and args.export is None:
        parser.error("--export-only needs --export FOLDER")
    if (args.begin is None) != (args.begin_step is None):
        parser.error("--begin and --begin-step go together")
    if args.begin_step is not None and not 0 < args.begin_step < args.steps:
        parser.error(f"--begin-step: expected 1 to {args.steps - 1}, below --steps, received {args.begin_step}")
    if (args.export or args.begin) and keras.backend.backend() != "tensorflow":
        parser.error("--export and --begin need KERAS_BACKEND=tensorflow, whose converter they use")
    if args.export:
        args.export.mkdir(parents=True, exist_ok=True)
    config = MiniConfig()
    keras.utils.set_random_seed(config.seed)
    args.run.mkdir(parents=True, exist_ok=True)
    state_file = args.run / "state.json"
    state = {"step": 0, "seconds": 0.0, "content_weight": config.content_weight}
    if state_file.exists():
        state |= json.loads(state_file.read_text())

    if args.export_only:
        export_mean(config, args.slim, args.run, tuple(args.export_only), args.export)
        return

    if args.begin and not state["step"]:
        painter = build_painter(config, args.slim, "float32")
        take_exported(painter, args.begin)
        state["step"] = args.begin_step
        save_weights(painter, checkpoint(args.run, args.begin_step))
        write_json(state_file, state)

    painter = build_painter(config, args.slim, args.dtype)
    if state["step"]:
        painter.load_weights(checkpoint(args.run, state["step"]))
    photos, held_photos = read_folder(args.photos)
    paintings, held_paintings = read_folder(args.paintings)

    def crops(pictures: list, seed: int) -> Crops:
        return Crops(pictures, seed, config.size_px, config.smallest_crop)

    seed = config.seed + state["step"]
    drawn = crops(photos, seed), crops(paintings, seed + 1)
    held_out = tuple(
        crops(pictures, seed).batch(config.batch_size) for seed, pictures in enumerate((held_photos, held_paintings))
    )
    targets = Targets(Vgg19(args.teacher, dtype=args.dtype))
    training = PainterTraining(painter, targets, config, seed)
    training.compile(optimizer=keras.optimizers.Muon(config.learning_rate, weight_decay=0.0, adam_weight_decay=0.0))
    evaluation = Evaluation(training)

    schedule = Schedule(args.steps, config.learning_rate, seconds=args.seconds)
    step, seconds, recent = state["step"], state["seconds"], []
    training.content_weight.assign(state["content_weight"])
    started = time.monotonic() - seconds
    while schedule.progress(step, seconds) < 1:
        training.optimizer.learning_rate = schedule.at(step, seconds, state["step"])
        pairs = tuple(each.batch(config.batch_size) for each in drawn)
        recent.append(float(training.train_on_batch(pairs)))
        step, seconds = step + 1, round(time.monotonic() - started, 1)
        if step % config.checkpoint_every == 0 or schedule.progress(step, seconds) == 1:
            save_weights(painter, checkpoint(args.run, step))
            line = {"step": step, "seconds": seconds, "loss": round(float(np.mean(recent)), 4)}
            line |= evaluation.line(held_out)
            weight = float(ops.convert_to_numpy(training.content_weight))
            line["content_weight"] = round(weight, 4)
            # What holds a scene by so much differs as strokes grow.
            weight *= np.clip(line["content"] / config.content_target, *config.content_changes)
            weight = float(np.clip(weight, *config.content_weights))
            training.content_weight.assign(weight)
            write_json(state_file, {"step": step, "seconds": seconds, "content_weight": weight})
            with (args.run / "log.jsonl").open("a") as log:
                print(json.dumps(line), file=log)
            print(json.dumps(line), flush=True)
            recent.clear()
    picture_grid(evaluation, held_out, args.run / "grid.png")
    if args.export:
        export_mean(config, args.slim, args.run, (step,), args.export)


def export_mean(config: MiniConfig, slim: Path, run: Path, steps: tuple[int, ...], folder: Path) -> None:
    """Export the mean of a run's checkpoints (arXiv 1803.05407)."""
    painter = build_painter(config, slim, "float32")
    total = [np.zeros(variable.shape, np.float32) for variable in painter.weights]
    for step in steps:
        painter.load_weights(checkpoint(run, step))
        for summed, variable in zip(total, painter.weights, strict=True):
            summed += ops.convert_to_numpy(variable)
    for summed, variable in zip(total, painter.weights, strict=True):
        variable.assign(summed / len(steps))
    export(painter, folder)


def checkpoint(run: Path, step: int) -> Path:
    return run / f"mini-{step}.weights.h5"


def build_painter(config: MiniConfig, slim: Path, dtype: str) -> Painter:
    painter = Painter(config, slim, dtype)
    painter(symbolic_picture(), symbolic_picture())
    return painter


if __name__ == "__main__":
    main()
