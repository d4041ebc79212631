"""Distil VGG-19 into vgg19-slim.

    python training/slim.py --photos DIR --paintings DIR --teacher vgg19.h5 --run training/runs/slim

The student's activations times a linear lift regress the teacher's, element by element and in the covariance and mean
that a Gram loss sees. Errors are taken from small products: |AW - T|^2 = tr(W'A'AW) - 2 tr(W'A'T) + |T|^2, so that no
teacher-wide activation of the student is ever made. Stopped runs go on from their last checkpoint.
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np
from config import TAPS, Schedule, SlimConfig
from data import Augmentation, Crops, read_folder
from keras import ops
from safetensors.numpy import save

from networks import (
    INPUT_MEAN,
    INPUT_STD,
    VGG19_WIDTHS,
    Vgg19,
    VggEncoder,
    mean_and_covariance,
    positions,
    relative_error,
    save_weights,
    symbolic_picture,
    write_json,
)


class Teacher(keras.Model):
    """VGG-19 scaled to unit root mean square per tap."""

    def __init__(self, weights: Path, pictures: np.ndarray) -> None:
        super().__init__()
        self.network = Vgg19(weights)
        activations = self.network.predict_on_batch(pictures)
        self.scales = [float(np.sqrt(np.square(a, dtype=np.float32).mean())) for a in activations]
        self.built = True

    def call(self, images):
        return [a / scale for a, scale in zip(self.network(images), self.scales, strict=True)]


class Distiller(keras.Model):
    """The student with its lifts; gives the errors of its copy of the teacher's activations, and learns from them."""

    def __init__(self, config: SlimConfig, teacher: Teacher) -> None:
        super().__init__()
        self.config = config
        self.encoder = VggEncoder(config.widths, dtype="mixed_bfloat16")
        self.encoder(symbolic_picture())
        # Behind a closure, so that the teacher is no part of the checkpoint.
        self.teacher_of = lambda images: teacher(images)
        self.lifts = []
        for tap in TAPS:
            block = int(tap[len("relu")]) - 1
            shape = (config.widths[block], VGG19_WIDTHS[block])
            lift = self.add_weight(shape=shape, initializer="zeros", autocast=False, name=f"{tap}_lift")
            self.lifts.append(lift)
        self.built = True

    def call(self, images):
        """(N, H, W, 3) to lists over TAPS: unexplained variance, relative covariance error, relative mean error."""
        unexplained, covariances, means = [], [], []
        for lift, activation, target in zip(self.lifts, self.encoder(images), self.teacher_of(images), strict=True):
            ours, target = positions(activation), ops.stop_gradient(positions(target))
            mean, covariance = mean_and_covariance(ours)
            t_mean, t_covariance = mean_and_covariance(target)
            count = ours.shape[0] * ours.shape[1]
            own = ops.reshape(ours, (count, ours.shape[-1]))
            target = ops.reshape(target, (count, target.shape[-1]))
            both = ops.matmul(ops.transpose(own), target) / count
            second = ops.matmul(ops.transpose(own), own) / count
            energy = ops.mean(ops.sum(ops.square(target), -1))
            variance = energy - ops.sum(ops.square(ops.mean(t_mean, 0)))
            error = ops.sum(lift * ops.matmul(second, lift)) - 2 * ops.sum(lift * both) + energy
            unexplained.append(error / variance)

            lifted = ops.matmul(ops.matmul(ops.transpose(lift), covariance), lift)
            covariances.append(ops.mean(relative_error(lifted, t_covariance, (1, 2))))
            means.append(ops.mean(relative_error(ops.matmul(mean, lift), t_mean, 1)))
        return unexplained, covariances, means

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        c = self.config
        return sum(
            weight * (u + c.covariance_weight * v + c.mean_weight * m)
            for weight, u, v, m in zip(c.tap_weights, *y_pred, strict=True)
        )


def initialize(model: Distiller, teacher: Teacher, pictures: np.ndarray) -> None:
    """Layer-sequential unit variance (arXiv 1511.06422), then least-squares lifts."""
    x = model.encoder.normalize(pictures)
    for layer in model.encoder.convolutions:
        if layer.name.endswith("_1") and layer.name != "conv1_1":
            x = ops.max_pool(x, 2, 2, "valid")
        kernel, bias = layer.get_weights()
        output = ops.convert_to_numpy(ops.cast(layer(ops.cast(x, layer.compute_dtype)), "float32"))
        layer.set_weights([kernel / output.std(), bias - output.mean() / output.std()])
        x = ops.relu(layer(ops.cast(x, layer.compute_dtype)))
    activations = [np.asarray(a, np.float32) for a in model.encoder.predict_on_batch(pictures)]
    targets = [np.asarray(t, np.float32) for t in teacher.predict_on_batch(pictures)]
    for lift, a, t in zip(model.lifts, activations, targets, strict=True):
        a, t = a.reshape(-1, a.shape[-1]), t.reshape(-1, t.shape[-1])
        second = a.T @ a / len(a)
        ridge = 1e-2 * np.trace(second) / len(second) * np.eye(len(second))
        lift.assign(np.linalg.solve(second + ridge, a.T @ t / len(a)))


def evaluate(model: Distiller, batches: list) -> dict[str, list[float]]:
    """Explained variance and covariance error per tap, over held-out crops."""
    unexplained, covariances, _ = np.mean([model.predict_on_batch(batch) for batch in batches], 0)
    return {
        "explained": [round(float(v), 3) for v in 1 - unexplained],
        "covariance": [round(float(v), 3) for v in covariances],
    }


def export(model: Distiller, scales: list[float], path: Path) -> None:
    """Write float16 weights; the input's normalisation goes into conv1_1, exactly, since its edges are repeated."""
    tensors = {}
    for layer in model.encoder.convolutions:
        kernel, bias = layer.get_weights()
        kernel = kernel.reshape(layer.kernel_shape)
        if layer.name == "conv1_1":
            bias = bias - kernel.sum((0, 1, 2)) * INPUT_MEAN / INPUT_STD
            kernel = kernel / INPUT_STD
        tensors[f"{layer.name}/kernel"], tensors[f"{layer.name}/bias"] = kernel, bias
    for tap, lift, scale in zip(TAPS, model.lifts, scales, strict=True):
        wide = ops.convert_to_numpy(lift).astype(np.float64) * scale
        product = wide @ wide.T
        product += 1e-6 * np.trace(product) / len(product) * np.eye(len(product))
        # act @ R has the Gram matrices' inner products of act @ W, since RR' = WW'.
        tensors[f"{tap}/lift"] = np.linalg.cholesky(product)
    tensors = {name: np.ascontiguousarray(value, np.float16) for name, value in tensors.items()}
    assert all(np.isfinite(value).all() for value in tensors.values()), "float16 overflow"
    path.write_bytes(
        save(tensors, {"input": "RGB in [0, 1]", "padding": "conv1_1 edge, others zero", "pool": "max 2x2"})
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--photos", "--paintings", "--teacher", "--run"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--steps", type=int, default=SlimConfig.steps, help="of training in all")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="the end comes by then")
    parser.add_argument("--export", type=Path, help="where to write the float16 weights at the end")
    parser.add_argument("--export-only", action="store_true", help="export the last checkpoint without training")
    args = parser.parse_args()
    if args.export_only and args.export is None:
        parser.error("--export-only needs --export FILE")
    config = SlimConfig()
    schedule = Schedule(args.steps, config.learning_rate, seconds=args.seconds)
    args.run.mkdir(parents=True, exist_ok=True)
    weights, state_file = args.run / "slim.weights.h5", args.run / "state.json"
    state = json.loads(state_file.read_text()) if state_file.exists() else {"step": 0, "seconds": 0.0}
    if args.export_only and not state["step"]:
        parser.error(f"--export-only needs a run with a checkpoint, received {args.run}")

    keras.utils.set_random_seed(config.seed)
    folders = [read_folder(folder) for folder in (args.photos, args.paintings)]
    crops = Crops([p for training, _ in folders for p in training], config.seed + state["step"], config.crop_px)
    augmented = Augmentation(config.crop_px, config.seed + state["step"])
    held_out_crops = Crops([p for _, kept in folders for p in kept], 0, config.crop_px)
    held_out = [held_out_crops.batch(config.batch_size) for _ in range(2)]
    first = ops.convert_to_numpy(held_out[0])
    teacher = Teacher(args.teacher, first)
    model = Distiller(config, teacher)
    model.compile(optimizer=keras.optimizers.Muon(config.learning_rate, weight_decay=0.0, adam_weight_decay=0.0))
    model.optimizer.build(model.trainable_variables)
    if state["step"]:
        model.load_weights(weights)
        teacher.scales = state["scales"]
    else:
        initialize(model, teacher, first)
    if args.export_only:
        export(model, teacher.scales, args.export)
        return

    step, recent = state["step"], []
    started = time.monotonic() - state["seconds"]
    seconds = state["seconds"]
    while schedule.progress(step, seconds) < 1:
        model.optimizer.learning_rate = schedule.at(step, seconds)
        pictures = augmented(crops.batch(config.batch_size))
        recent.append(float(model.train_on_batch(pictures)))
        step, seconds = step + 1, round(time.monotonic() - started, 1)
        if step % config.checkpoint_every == 0 or schedule.progress(step, seconds) == 1:
            save_weights(model, weights)
            write_json(state_file, {"step": step, "seconds": seconds, "scales": teacher.scales})
            line = {"step": step, "seconds": seconds, "loss": round(float(np.mean(recent)), 4)}
            line |= evaluate(model, held_out)
            with (args.run / "log.jsonl").open("a") as log:
                print(json.dumps(line), file=log)
            print(json.dumps(line), flush=True)
            recent.clear()
    if args.export:
        export(model, teacher.scales, args.export)


if __name__ == "__main__":
    main()
