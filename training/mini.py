r"""Train mini, the feed-forward stylizer. It makes a painted picture from a content picture and a style vector.

    python training/mini.py --photos DIR --paintings DIR --teacher vgg19.h5 --slim vgg19_slim.safetensors \
        --run training/runs/mini

First, a formula transfers the colours of the style. Then, the network adds strokes. A stopped run continues from its
last checkpoint.
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np
from config import CONTENT_TAPS, STYLE_TAPS, TAPS, MiniConfig, Schedule
from export import checkpoint, export_mean, take_exported
from keras import ops
from painter import Painter, build_painter, white_noise
from PIL import Image

from data import Crops, read_folder
from networks import Vgg19, mean_and_covariance, positions, relative_error, save_weights, write_json


class Targets(keras.Model):
    """The features that losses compare: content features, and the mean and covariance of each style layer."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    def call(self, images):
        taps = dict(zip(TAPS, self.network(images), strict=True))
        return [positions(taps[tap]) for tap in CONTENT_TAPS], [
            mean_and_covariance(positions(taps[tap])) for tap in STYLE_TAPS
        ]


def style_errors(ours, styles):
    """Return the relative errors of Gram matrices and of covariances, (N, layers) each.

    Both arguments are statistics from `Targets`. Relative errors keep any single layer from dominating.
    """
    grams, covariances = [], []
    for (our_mean, our_covariance), (mean, covariance) in zip(ours, styles, strict=True):
        our_gram = our_covariance + our_mean[:, :, None] * our_mean[:, None]
        gram = covariance + mean[:, :, None] * mean[:, None]
        grams.append(relative_error(our_gram, gram, (1, 2)))
        covariances.append(relative_error(our_covariance, covariance, (1, 2)))
    return ops.stack(grams, 1), ops.stack(covariances, 1)


def content_errors(ours, contents):
    """Return the relative errors of content features (N, layers)."""
    return ops.stack([relative_error(a, b, (1, 2)) for a, b in zip(ours, contents, strict=True)], 1)


class PainterTraining(keras.Model):
    """Trains a painter on pairs of contents and styles."""

    def __init__(self, painter: Painter, targets: Targets, config: MiniConfig, seed: int) -> None:
        super().__init__()
        self.painter, self.config = painter, config
        self.noise = keras.random.SeedGenerator(seed)
        self.content_weight = self.add_weight(shape=(), trainable=False, autocast=False, name="content_weight")
        # A function hides the loss network from Keras, so that it is not trained and not saved.
        self.targets_of = lambda images: targets(images)
        self.built = True

    def call(self, inputs):
        """Turn (contents, styles) into painted pictures, followed by some contents painted in their own style."""
        contents, styles = inputs
        vectors = self.painter.encode(ops.concatenate([styles, contents[: self.config.identities]], 0))
        contents = ops.concatenate([contents, contents[: self.config.identities]], 0)
        return self.painter.paint(contents, vectors, white_noise(contents, self.noise))

    def style_loss(self, ours, styles):
        # No logarithm for Gram errors: it would weaken relu5_1, which has the largest error. A logarithm for covariance
        # errors, which can be very large. A clamp instead would leave difficult styles without a gradient.
        gram, covariance = style_errors(ours, styles)
        return ops.mean(gram + self.config.covariance_weight * ops.log1p(covariance))

    def follow_content(self, held_out_loss: float) -> float:
        """Move the content weight towards the target of the held-out content loss, and return the new weight.

        The weight that keeps the content grows with the strokes, so a constant weight does not work.
        """
        c, weight = self.config, float(ops.convert_to_numpy(self.content_weight))
        weight *= np.clip(held_out_loss / c.content_target, *c.content_changes)
        weight = float(np.clip(weight, *c.content_weights))
        self.content_weight.assign(weight)
        return weight

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        (contents, styles), c = x, self.config
        count = contents.shape[0]
        outputs, identities = y_pred[:count], y_pred[count:]
        clipped = ops.clip(outputs, 0.0, 1.0)
        # Straight-through estimator: the loss sees clipped pixels, the gradient ignores the clipping.
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
    """Computes mean relative Gram errors (layers,) and content errors (layers,) for pairs of contents and styles."""

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
        """Return the figures for the log. The content loss is that of relu4_2, as in the model card."""
        gram, content, _ = self.predict_on_batch(pairs)
        return {
            "style": round(float(gram.mean()), 4),
            "content": round(float(content[CONTENT_TAPS.index("relu4_2")]), 4),
            "style_by_layer": [round(float(value), 3) for value in gram],
        }


def halved(images):
    """Return pictures at half the size."""
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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--photos", "--paintings", "--teacher", "--slim", "--run"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--begin", type=Path, help="folder of two LiteRT files that a new run starts from")
    parser.add_argument("--begin-step", type=int, help="number of steps in which these weights were trained")
    parser.add_argument("--dtype", default="mixed_bfloat16", help="float32 is faster on some CPUs")
    parser.add_argument("--steps", type=int, default=MiniConfig.steps, help="number of training steps in total")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end the training after this time")
    parser.add_argument("--export", type=Path, help="folder for the two LiteRT files, written at the end")
    parser.add_argument(
        "--export-only", type=int, nargs="+", metavar="STEP", help="export the mean of these checkpoints"
    )
    args = parser.parse_args()
    if args.export_only and args.export is None:
        parser.error("--export-only needs --export FOLDER")
    if (args.begin is None) != (args.begin_step is None):
        parser.error("--begin and --begin-step go together")
    if args.begin_step is not None and not 0 < args.begin_step < args.steps:
        parser.error(f"--begin-step: expected 1 to {args.steps - 1}, below --steps, received {args.begin_step}")
    if (args.export or args.begin) and keras.backend.backend() != "tensorflow":
        parser.error("--export and --begin need KERAS_BACKEND=tensorflow, because of its converter")
    return args


def main() -> None:
    args = _arguments()
    if args.export:
        args.export.mkdir(parents=True, exist_ok=True)
    config = MiniConfig()
    keras.utils.set_random_seed(config.seed)
    args.run.mkdir(parents=True, exist_ok=True)
    state = {"step": 0, "seconds": 0.0, "content_weight": config.content_weight}
    state_file = args.run / "state.json"
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
    step = _train(args, config, state)
    if args.export:
        export_mean(config, args.slim, args.run, (step,), args.export)


def _train(args: argparse.Namespace, config: MiniConfig, state: dict) -> int:
    """Train from the state of a run to the end, and return the number of the last step."""
    painter = build_painter(config, args.slim, args.dtype)
    if state["step"]:
        painter.load_weights(checkpoint(args.run, state["step"]))
    drawn, held_out = _pairs(args, config, config.seed + state["step"])
    targets = Targets(Vgg19(args.teacher, dtype=args.dtype))
    training = PainterTraining(painter, targets, config, config.seed + state["step"])
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
            line["content_weight"] = round(float(ops.convert_to_numpy(training.content_weight)), 4)
            weight = training.follow_content(line["content"])
            write_json(args.run / "state.json", {"step": step, "seconds": seconds, "content_weight": weight})
            with (args.run / "log.jsonl").open("a") as log:
                print(json.dumps(line), file=log)
            print(json.dumps(line), flush=True)
            recent.clear()
    picture_grid(evaluation, held_out, args.run / "grid.png")
    return step


def _pairs(args: argparse.Namespace, config: MiniConfig, seed: int) -> tuple[tuple[Crops, Crops], tuple]:
    """Return the sources of photos and paintings for the training, and the held-out pairs."""
    photos, held_photos = read_folder(args.photos)
    paintings, held_paintings = read_folder(args.paintings)

    def crops(pictures: list, seed: int) -> Crops:
        return Crops(pictures, seed, config.size_px, config.smallest_crop)

    drawn = crops(photos, seed), crops(paintings, seed + 1)
    held_out = tuple(
        crops(pictures, number).batch(config.batch_size)
        for number, pictures in enumerate((held_photos, held_paintings))
    )
    return drawn, held_out


if __name__ == "__main__":
    main()
