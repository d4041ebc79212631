"""`refine` on a device: first whether it is right, then how fast it is, beside the floor of the same run.

    python benchmarks/devices.py --backend torch -o results/devices-torch.json
    python benchmarks/devices.py --backend jax --sizes 512 1024

The script takes at most `--minutes`; what does not fit is left out and said. `--sizes 64` is a trial on a CPU. It needs
no picture and no network connection: it paints the project's own examples. Without VGG-19 on the machine (`stylize
models add vgg19 PATH`) a network of VGG-19's shape with random weights takes its place: times are the same, pictures
mean nothing.

It runs in a copy of this repository, beside PyTorch or JAX, without TensorFlow. stylize must be installed, for its
networks. For a machine without a network connection, fetch the packages elsewhere, with the same system and version of
Python, and install them there:

    pip wheel -w wheels --no-deps .
    pip download -d wheels keras msgspec pillow safetensors filelock platformdirs psutil ai-edge-litert h5py
    pip install --no-index --find-links wheels keras msgspec pillow safetensors filelock platformdirs psutil \
        ai-edge-litert h5py
    pip install --no-index --find-links wheels --no-deps stylize-art

1. Loss and gradient on the device against the same backend's float32 on the CPU, whole and in tiles.
2. Whole calls of `stylize.refine` with the preset `default`: the first at its size, and once compiled.
3. The device's rate of matrix products.
4. A step at each size (4096 px: 4096 x 3072), as a share of that rate, and as a multiple of the floor: VGG-19 to
   relu5_1 forward and back with five Gram matrices.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tables
import timing

import stylize
from stylize.config import PerceptualLossConfig, RefineConfig
from stylize.layers import GATYS_STYLE_LAYERS, VGG19_LAYERS
from stylize.networks import devices, store, vgg19_file
from stylize.networks.devices import Device

if TYPE_CHECKING:
    from stylize.networks.vgg import EncoderWeights  # imports Keras, before which the backend is chosen

EXAMPLES = Path(__file__).parents[1] / "examples"
MATRIX_SIDE = 8192
REPEATS = 10
SCENE, STYLE = EXAMPLES / "scene_lake.jpg", EXAMPLES / "style_swirls.jpg"


@dataclasses.dataclass
class Clock:
    """The time that is left."""

    ends: float
    left_out: list[str] = dataclasses.field(default_factory=list)

    def allows(self, what: str, seconds: float) -> bool:
        """Return whether there is time for a measurement, and note the measurement if there is not."""
        if time.perf_counter() + seconds < self.ends:
            return True
        self.left_out.append(what)
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sizes", nargs="+", type=int, default=[512, 1024, 2048, 4096])
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("-o", "--output", type=Path, help="also write all figures as JSON")
    args = parser.parse_args()
    clock = Clock(time.perf_counter() + 60 * args.minutes)
    device = devices.choose(args.backend, args.device)
    report: dict[str, Any] = {"device": devices.device_label(device), "backend": device.backend}
    print(report["device"], flush=True)
    report["vgg19"] = "published" if store.find("vgg19") else "random"
    report["agreement"] = agreement(device)
    show("largest relative difference from the CPU", report["agreement"])
    with tempfile.TemporaryDirectory() as folder:
        if report["vgg19"] == "random":
            add_random_vgg19(Path(folder))
        calls = [*(("vgg19", size) for size in args.sizes), ("vgg19-slim", min(512, max(args.sizes)))]
        report["refine"] = [whole_call(args, clock, *call) for call in calls]
    report["matrix_rate"] = {precision: matrix_rate(device, precision) for precision in ("float32", "bfloat16")}
    show("matrix products, TFLOP/s", {key: value / 1e12 for key, value in report["matrix_rate"].items()})
    report["steps"] = [steps_at(device, size, report["matrix_rate"], clock) for size in args.sizes]
    publish(report)
    report["left_out"] = clock.left_out
    print("left out for lack of time:", ", ".join(clock.left_out) or "nothing")
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(report, indent=1))
    worst = max(report["agreement"].values())
    if not worst <= 1e-3:  # also where it is not a number
        sys.exit(f"loss and gradient differ from the CPU's by {worst:.1e}, more than 1e-3")


def agreement(device: Device) -> dict[str, float]:
    """Return the relative differences of loss and gradient from float32 on the CPU, at 96 x 128 px."""
    from stylize.losses.objective import Objective
    from stylize.networks.backend import numpy_of, on
    from stylize.networks.vgg import FeatureEncoder

    config = RefineConfig().loss
    pictures = np.random.default_rng(0).random((3, 1, 96, 128, 3), np.float32)
    prices: dict[str, Any] = {}

    def measured(place: Device, precision: Any, tile_px: int | None) -> tuple[float, Any]:
        with on(place):
            objective = Objective(
                FeatureEncoder(random_vgg19(), config.layers, precision=precision, padding="edge"), config
            )
            targets = objective.targets.encode(pictures[0], [(pictures[1], 1.0)], tile_px)
            # All with the prices that the first one finds.
            prices.update(prices or objective.targets.prices(targets, pictures[0], tile_px))
            terms, gradient = objective.value_and_gradient(pictures[2], targets.with_prices(prices), tile_px)
            return terms["total"], numpy_of(gradient)

    loss, gradient = measured(Device(device.backend, "cpu:0"), "float32", None)
    differences = {}
    for name, precision, tile_px in (("float32", "float32", None), ("float32, tiles", "float32", 64)):
        other_loss, other_gradient = measured(device, precision, tile_px)
        differences[f"{name}: loss"] = abs(other_loss - loss) / loss
        differences[f"{name}: gradient"] = float(np.linalg.norm(other_gradient - gradient) / np.linalg.norm(gradient))
    return differences


def random_vgg19() -> EncoderWeights:
    """Return a network of VGG-19's shape with random weights that keep activations at their size."""
    from stylize.networks.vgg import EncoderWeights

    random, channels, convolutions = np.random.default_rng(1), 3, {}
    for layer in VGG19_LAYERS:
        width = min(512, 64 * 2 ** (int(layer[len("relu")]) - 1))
        kernel = random.standard_normal((3, 3, channels, width), np.float32) * np.float32((2 / (9 * channels)) ** 0.5)
        convolutions[layer.replace("relu", "conv")] = (kernel, np.zeros(width, np.float32))
        channels = width
    return EncoderWeights(convolutions, scale=(2.0, 2.0, 2.0), offset=(-1.0, -1.0, -1.0))


def add_random_vgg19(folder: Path) -> None:
    """Make `folder` the home of the networks, with random weights in the place of VGG-19's."""
    import h5py

    random = np.random.default_rng(1)
    with h5py.File(folder / "random.h5", "w") as file:
        file.attrs["layer_names"] = list(vgg19_file.shapes())
        for layer, (kernel, bias) in vgg19_file.shapes().items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = ["kernel", "bias"]
            # Activations keep their size.
            group["kernel"] = random.standard_normal(kernel, np.float32) * np.float32((2 / np.prod(kernel[:3])) ** 0.5)
            group["bias"] = np.zeros(bias, np.float32)
    os.environ["STYLIZE_HOME"] = str(folder / "home")
    store.add("vgg19", folder / "random.h5")


def whole_call(args: argparse.Namespace, clock: Clock, features: str, size: int) -> dict[str, Any]:
    """Return the seconds of two whole calls of `stylize.refine`, and the memory of the device."""
    row: dict[str, Any] = {"features": features, "size": size}
    loaded = stylize.LoadedNetworks()
    expected = 20.0
    for name in ("first", "again"):
        if not clock.allows(f"{features} at {size} px, {name}", expected):
            break
        began = time.perf_counter()
        result = stylize.refine(
            SCENE, STYLE, size=size, features=features, network="mini", backend=args.backend, device=args.device,
            loaded=loaded, offline=True, on_message=print,
        )  # fmt: skip
        row[name] = expected = time.perf_counter() - began
        row["loss"] = result.history[-1].losses.total
    row["peak_gb"] = peak_gb()
    show(f"refine {features} {size} px", row)
    return row


def peak_gb() -> float | None:
    """Return the most memory of the device that this process has held, in GB."""
    device = devices.chosen()
    if not device.is_gpu:
        return None
    if device.backend == "torch":
        import torch

        return torch.cuda.max_memory_allocated(device.index) / 1e9
    if device.backend == "jax":
        return (devices.jax().devices()[device.index].memory_stats() or {}).get("peak_bytes_in_use", 0) / 1e9
    return devices.tensorflow().config.experimental.get_memory_info(device.name.upper())["peak"] / 1e9


def matrix_rate(device: Device, precision: str) -> float:
    """Return the operations a second that products of large matrices reach."""
    from stylize.networks.backend import framework, on, ops, spec

    with on(device):
        side = MATRIX_SIDE if device.is_gpu else 1024
        matrix = ops.ones((side, side), precision)
        product = framework.compiled(
            lambda a: ops.cast(ops.max(ops.matmul(a, a)), "float32"), [spec(side, side, dtype=precision)]
        )
        return 2 * side**3 / timing.median_seconds(lambda: float(product(matrix)), REPEATS)


def steps_at(device: Device, size: int, rates: dict[str, float], clock: Clock) -> dict[str, Any]:
    """Return the seconds of a step and of the floor at a size, in the faster precision."""
    from stylize.losses.objective import Objective
    from stylize.networks.backend import array_of, numpy_of, on
    from stylize.networks.precision import faster_precision
    from stylize.networks.vgg import FeatureEncoder
    from stylize.optimize.lbfgs import LBFGS

    precision = faster_precision(device)
    row: dict[str, Any] = {"size": size, "precision": precision}
    if not clock.allows(f"steps at {size} px", 40):
        return row
    pictures = np.random.default_rng(0).random((3, 1, size * 3 // 4, size, 3), np.float32)
    weights, config = random_vgg19(), RefineConfig()
    with on(device):
        objective = Objective(
            FeatureEncoder(weights, config.loss.layers, precision=precision, padding="edge"), config.loss
        )
        targets = objective.targets.encode(pictures[0], [(pictures[1], 1.0)])
        optimizer = LBFGS(pictures[2, 0], config.optimization)

        def step() -> None:
            terms, gradient = objective.value_and_gradient(optimizer.ask()[None], targets)
            optimizer.tell(terms["total"], gradient[0])

        step()  # The first step has no direction; the second one compiles it.
        row["step_s"] = timing.median_seconds(step, REPEATS)
        floor_loss = PerceptualLossConfig(
            content_layers=(), style_layers=tuple((name, 0.2) for name in GATYS_STYLE_LAYERS), octaves=1,
            statistics="gram", relative_to_content=False, content_weight=0, light_weight=0, places_weight=0,
            palette_weight=0, frame_weight=0, total_variation_weight=0,
        )  # fmt: skip
        floor = Objective(FeatureEncoder(weights, list(GATYS_STYLE_LAYERS), precision=precision), floor_loss)
        wanted = floor.targets.encode(pictures[0], [(pictures[1], 1.0)])
        picture = array_of(pictures[2])
        row["floor_s"] = timing.median_seconds(
            lambda: numpy_of(floor.value_and_gradient(picture, wanted)[1][0, 0, 0]), REPEATS
        )
    row["ratio"] = row["step_s"] / row["floor_s"]
    row["share"] = operations(size * 3 // 4, size, config.loss.octaves) / row["step_s"] / rates[precision]
    show(f"steps at {size} px", row)
    return row


def operations(height: int, width: int, octaves: int) -> float:
    """Return the operations of VGG-19's convolutions up to relu5_1, forward and back to their inputs."""
    total, channels = 0.0, 3
    for layer in VGG19_LAYERS[: VGG19_LAYERS.index("relu5_1") + 1]:
        filters = min(512, 64 * 2 ** (int(layer[len("relu")]) - 1))
        for octave in range(octaves):
            stride = 2 ** (octave + int(layer[len("relu")]) - 1)
            total += 2 * 2 * 9 * channels * filters * (height // stride) * (width // stride)
        channels = filters
    return total


def show(what: str, figures: dict[str, Any]) -> None:
    parts = [f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items()]
    print(f"{what}: {', '.join(parts)}", flush=True)


def publish(report: dict[str, Any]) -> None:
    calls = [
        [row["features"], row["size"], *(f"{row[key]:.1f}" if key in row else "-" for key in ("first", "again")),
         "-" if row["peak_gb"] is None else f"{row['peak_gb']:.1f}"]
        for row in report["refine"]
    ]  # fmt: skip
    print(tables.markdown(("network", "px", "first call, s", "again, s", "peak, GB"), calls))
    steps = [
        [row["size"], row["precision"], f"{1e3 * row['step_s']:.1f}", f"{1e3 * row['floor_s']:.1f}",
         f"{row['ratio']:.2f}", f"{row['share']:.2f}"]
        for row in report["steps"] if "step_s" in row
    ]  # fmt: skip
    print(tables.markdown(("px", "precision", "step, ms", "floor, ms", "ratio", "share of the matrix rate"), steps))


if __name__ == "__main__":
    main()
