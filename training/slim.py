"""Distil VGG-19 into vgg19-slim.

    python training/slim.py --photos DIR --paintings DIR --teacher vgg19.h5 --run training/runs/slim

A linear map (lift) W of the student's activations A approximates the teacher's activations T: each element, and the
covariance and mean, which a Gram loss depends on. |AW - T|^2 = tr(W'A'AW) - 2 tr(W'A'T) + |T|^2 needs small products
only, and no activations of the student with as many channels as the teacher's. A stopped run continues from its last
checkpoint.
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np
from config import TAPS, Schedule, SlimConfig
from keras import ops
from safetensors.numpy import save

from data import Augmentation, Crops, read_folder
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

WEIGHTS = "slim.weights.h5"  # the checkpoint in the folder of a run


class Teacher(keras.Model):
    """VGG-19, with the activations of each tap scaled to a root mean square of 1."""

    def __init__(self, weights: Path, pictures: np.ndarray) -> None:
        super().__init__()
        self.network = Vgg19(weights)
        activations = self.network.predict_on_batch(pictures)
        self.scales = [float(np.sqrt(np.square(a, dtype=np.float32).mean())) for a in activations]
        self.built = True

    def call(self, images):
        return [a / scale for a, scale in zip(self.network(images), self.scales, strict=True)]


class Distiller(keras.Model):
    """The student with its lifts. Computes and minimises the errors of its copy of the teacher's activations."""

    def __init__(self, config: SlimConfig, teacher: Teacher) -> None:
        super().__init__()
        self.config = config
        self.encoder = VggEncoder(config.widths, dtype="mixed_bfloat16")
        self.encoder(symbolic_picture())
        # A function hides the teacher from Keras, so that it is not saved in the checkpoint.
        self.teacher_of = lambda images: teacher(images)
        self.lifts = []
        for tap in TAPS:
            block = int(tap[len("relu")]) - 1
            shape = (config.widths[block], VGG19_WIDTHS[block])
            lift = self.add_weight(shape=shape, initializer="zeros", autocast=False, name=f"{tap}_lift")
            self.lifts.append(lift)
        self.built = True

    def call(self, images):
        """Return lists over TAPS for pictures (N, H, W, 3): unexplained variance, and errors of covariance and mean."""
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
    """Start from layer-sequential unit variance (arXiv 1511.06422) and least-squares lifts."""
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
    """Return the explained variance and the covariance error of each tap for held-out crops."""
    unexplained, covariances, _ = np.mean([model.predict_on_batch(batch) for batch in batches], 0)
    return {
        "explained": [round(float(v), 3) for v in 1 - unexplained],
        "covariance": [round(float(v), 3) for v in covariances],
    }


def export(model: Distiller, scales: list[float], path: Path) -> None:
    """Write float16 weights. conv1_1 takes over the normalisation, which is exact because conv1_1 repeats the edges."""
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
        # RR' = WW', so the Gram matrices of act @ R have the same inner products as those of act @ W.
        tensors[f"{tap}/lift"] = np.linalg.cholesky(product)
    tensors = {name: np.ascontiguousarray(value, np.float16) for name, value in tensors.items()}
    assert all(np.isfinite(value).all() for value in tensors.values()), "float16 overflow"
    path.write_bytes(
        save(tensors, {"input": "RGB in [0, 1]", "padding": "conv1_1 edge, others zero", "pool": "max 2x2"})
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--photos", "--paintings", "--teacher", "--run"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--steps", type=int, default=SlimConfig.steps, help="number of training steps in total")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end the training after this time")
    parser.add_argument("--export", type=Path, help="where to write the float16 weights at the end")
    parser.add_argument("--export-only", action="store_true", help="export the last checkpoint without training")
    args = parser.parse_args()
    if args.export_only and args.export is None:
        parser.error("--export-only needs --export FILE")
    if args.export_only and not (args.run / "state.json").exists():
        parser.error(f"--export-only needs a run with a checkpoint, received {args.run}")
    return args


def main() -> None:
    args = _arguments()
    config = SlimConfig()
    args.run.mkdir(parents=True, exist_ok=True)
    state_file = args.run / "state.json"
    state = json.loads(state_file.read_text()) if state_file.exists() else {"step": 0, "seconds": 0.0}

    keras.utils.set_random_seed(config.seed)
    folders = [read_folder(folder) for folder in (args.photos, args.paintings)]
    crops = Crops([p for training, _ in folders for p in training], config.seed + state["step"], config.crop_px)
    held_out_crops = Crops([p for _, kept in folders for p in kept], 0, config.crop_px)
    held_out = [held_out_crops.batch(config.batch_size) for _ in range(2)]
    first = ops.convert_to_numpy(held_out[0])
    teacher = Teacher(args.teacher, first)
    model = Distiller(config, teacher)
    model.compile(optimizer=keras.optimizers.Muon(config.learning_rate, weight_decay=0.0, adam_weight_decay=0.0))
    model.optimizer.build(model.trainable_variables)
    if state["step"]:
        model.load_weights(args.run / WEIGHTS)
        teacher.scales = state["scales"]
    else:
        initialize(model, teacher, first)
    if not args.export_only:
        _train(args, state, model, teacher, (crops, held_out))
    if args.export:
        export(model, teacher.scales, args.export)


def _train(args: argparse.Namespace, state: dict, model: Distiller, teacher: Teacher, data: tuple) -> None:
    """Train from the state of a run to the end. `data` is a source of crops, and the held-out batches."""
    config, (crops, held_out) = model.config, data
    schedule = Schedule(args.steps, config.learning_rate, seconds=args.seconds)
    augmented = Augmentation(config.crop_px, config.seed + state["step"])
    step, seconds, recent = state["step"], state["seconds"], []
    started = time.monotonic() - state["seconds"]
    while schedule.progress(step, seconds) < 1:
        model.optimizer.learning_rate = schedule.at(step, seconds)
        pictures = augmented(crops.batch(config.batch_size))
        recent.append(float(model.train_on_batch(pictures)))
        step, seconds = step + 1, round(time.monotonic() - started, 1)
        if step % config.checkpoint_every == 0 or schedule.progress(step, seconds) == 1:
            save_weights(model, args.run / WEIGHTS)
            write_json(args.run / "state.json", {"step": step, "seconds": seconds, "scales": teacher.scales})
            line = {"step": step, "seconds": seconds, "loss": round(float(np.mean(recent)), 4)}
            line |= evaluate(model, held_out)
            with (args.run / "log.jsonl").open("a") as log:
                print(json.dumps(line), file=log)
            print(json.dumps(line), flush=True)
            recent.clear()


if __name__ == "__main__":
    main()
