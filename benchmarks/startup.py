"""How long a preview takes, from the shell to the file: seconds, and as a ratio to `python -c "import tensorflow"`.

    python benchmarks/startup.py -o startup.json --rounds 7

Every round runs all commands once, one after the other, and a ratio is taken within its round, so that a machine which
is slower for a while is slower for both; medians over the rounds are printed as a table. Processor seconds (where the
system tells them) depend less on what else the machine does. A second table has the milliseconds until our own networks
are loaded, once what they run on is imported. Nothing is downloaded: `magenta-int8` is measured where it
is installed; in place of TF-Hub's network, where that is not installed, stands a SavedModel of its signature and
architecture with random weights.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
BASELINE = 'python -c "import tensorflow"'
MANY = 8
# TensorFlow Hub's tutorial "Fast style transfer for arbitrary styles", for one pair.
TUTORIAL = """
import sys
import tensorflow as tf
import tensorflow_hub as hub
def load(path, size):
    image = tf.io.decode_image(tf.io.read_file(path), channels=3, dtype=tf.float32, expand_animations=False)[None]
    return tf.image.resize(image, size, preserve_aspect_ratio=True)
module, content, style, output, size = sys.argv[1:]
stylized = hub.load(module)(load(content, [int(size)] * 2), load(style, [256, 256]))[0]
tf.io.write_file(output, tf.io.encode_png(tf.cast(tf.clip_by_value(stylized[0], 0, 1) * 255, tf.uint8)))
"""
# The networks of Ghiasi et al. 2017: Inception-v3 for the style, 16 convolutions for the picture; weights at random.
STAND_IN = """
import sys
import keras
import numpy as np
import tensorflow as tf
keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
predict = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(None, None, 3))
predict = keras.Model(predict.input, predict.get_layer("mixed7").output)
def kernel(*shape):
    return tf.Variable(random.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape).astype(np.float32))
class Module(tf.Module):
    def __init__(self):
        self.predict = predict
        self.bottleneck = kernel(768, 100)
        down = [(9, 3, 32, 1), (3, 32, 64, 2), (3, 64, 128, 2)]
        sizes = [*down, *[(3, 128, 128, 1)] * 10, (3, 128, 64, 1), (3, 64, 32, 1), (9, 32, 3, 1)]
        self.layers = [(kernel(k, k, a, b), kernel(100, 2 * b), s) for k, a, b, s in sizes]
    def convolution(self, x, code, index, activate=True):
        weights, parameters, stride = self.layers[index]
        side = weights.shape[0] // 2
        x = tf.pad(x, [[0, 0], [side, side], [side, side], [0, 0]], "REFLECT")
        x = tf.nn.conv2d(x, weights, stride, "VALID")
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        scale, shift = tf.split((code @ parameters)[:, None, None], 2, -1)
        x = (x - mean) * tf.math.rsqrt(variance + 1e-5) * (1 + scale) + shift
        return tf.nn.relu(x) if activate else x
    @tf.function(input_signature=[
        tf.TensorSpec([None, None, None, 3], tf.float32, name=name) for name in ("placeholder", "placeholder_1")])
    def __call__(self, content, style):
        code = tf.reduce_mean(self.predict(style * 2 - 1), [1, 2]) @ self.bottleneck * 0.01
        x = content
        for index in range(3):
            x = self.convolution(x, code, index)
        for index in range(3, 13, 2):
            x = x + self.convolution(self.convolution(x, code, index), code, index + 1, activate=False)
        for index in (13, 14):
            size = tf.shape(x)
            x = self.convolution(tf.image.resize(x, [2 * size[1], 2 * size[2]], "nearest"), code, index)
        return [tf.sigmoid(self.convolution(x, code, 15, activate=False))]
tf.saved_model.save(Module(), sys.argv[1])
"""
# Each prints the milliseconds until a network of our own is loaded, its framework imported before.
LOADS = {
    "mini": """
import time
import numpy as np
from stylize.loaded import Networks
from stylize.networks import mini
networks = Networks(leave_traces=False)
began = time.perf_counter()
stylizer = networks.stylizer(networks.find("mini", "stylizer"))
print(1000 * (time.perf_counter() - began))
""",
    "mini, and painting 16 x 16 px": """
import time
import numpy as np
from stylize.loaded import Networks
from stylize.networks import mini
networks, grey = Networks(leave_traces=False), np.full((16, 16, 3), 0.5, np.float32)
began = time.perf_counter()
networks.stylizer(networks.find("mini", "stylizer")).stylize(grey, [(grey, 1.0)], 1.0)
print(1000 * (time.perf_counter() - began))
""",
    "vgg19-slim": """
import time
from stylize.config import GATYS_STYLE_LAYERS
from stylize.loaded import Networks
from stylize.networks import vgg
networks = Networks(leave_traces=False)
began = time.perf_counter()
networks.encoder(networks.find("vgg19-slim", "features"), ["relu4_2", *GATYS_STYLE_LAYERS])
print(1000 * (time.perf_counter() - began))
""",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contents", default=str(EXAMPLES / "scene_*.jpg"), help="a glob pattern")
    parser.add_argument("--style", default=str(EXAMPLES / "style_swirls.jpg"))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the JSON file to write")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), args)
    args.output.write_text(json.dumps(report, indent=1))
    print(markdown(report))


def measure(folder: Path, args: argparse.Namespace) -> dict:
    home, module = folder / "home", folder / "module"
    environment = {**os.environ, "STYLIZE_HOME": str(home), "STYLIZE_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    installed, stand_in = install(home, module, environment)
    contents = sorted(glob.glob(args.contents))
    content, style = contents[0], args.style
    many = (contents * MANY)[:MANY]
    links = [folder / f"content{number}{Path(path).suffix}" for number, path in enumerate(many)]
    for link, path in zip(links, many, strict=True):
        link.write_bytes(Path(path).read_bytes())

    def timed(*command: object) -> tuple[float, float]:
        began, before = time.perf_counter(), _children_s()
        subprocess.run([sys.executable, *map(str, command)], check=True, capture_output=True, env=environment)
        return time.perf_counter() - began, _children_s() - before

    def fast(network: str, *inputs: Path | str, known: bool = True) -> tuple[float, float]:
        if not known:
            for vector in (home / "vectors").glob("*"):
                vector.unlink()
        named = [part for path in inputs for part in ("-c", path)]
        output = ["-o", folder / "painted.png"] if len(inputs) == 1 else []
        common = ["-s", style, "--network", network, "--size", args.size, "--overwrite", *output]
        return timed("-m", "stylize", "fast", *named, *common)

    def tutorial(path: Path | str) -> tuple[float, float]:
        return timed("-c", TUTORIAL, module, path, style, folder / "tutorial.png", args.size)

    commands = {
        BASELINE: lambda: timed("-c", "import tensorflow"),
        "stylize --help": lambda: timed("-m", "stylize", "--help"),
    }
    for network in installed:
        if network != "magenta":
            commands[f"fast, {network}"] = lambda network=network: fast(network, content, known=False)
            commands[f"fast, {network}, the style seen before"] = lambda network=network: fast(network, content)
    commands["fast, magenta, second and later runs"] = lambda: fast("magenta", content)
    commands["TF-Hub's tutorial, one picture"] = lambda: tutorial(content)
    per_picture = {}
    for network in installed:
        name = f"fast, {network}, {MANY} contents"
        commands[name] = lambda network=network: fast(network, *links)
        per_picture[name] = MANY
        name = f"a loop of {MANY} processes, {network}"
        commands[name] = lambda network=network: tuple(
            map(sum, zip(*(fast(network, link) for link in links), strict=True))
        )
        per_picture[name] = MANY
    for network in installed:  # compiles, fills caches of files, and makes the vectors
        fast(network, *links)

    loads: dict[str, list[float]] = {name: [] for name in LOADS}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(args.rounds):
        for name, command in commands.items():
            seconds[name].append(command())
            print(f"round {number + 1}: {name}: {seconds[name][-1][0]:.2f} s", file=sys.stderr, flush=True)
        for name, code in LOADS.items():
            process = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment)
            loads[name].append(float(process.stdout))
            print(f"round {number + 1}: loading {name}: {loads[name][-1]:.0f} ms", file=sys.stderr, flush=True)
    rows = []
    for name, pairs in seconds.items():
        (wall, processor), base = zip(*pairs, strict=True), list(zip(*seconds[BASELINE], strict=True))
        pictures = per_picture.get(name, 1 if "fast" in name or "tutorial" in name else 0)
        rows.append(
            {
                "command": name,
                "seconds": wall,
                "processor_seconds": processor,
                "median_s": statistics.median(wall),
                "ratio": _median_ratio(wall, base[0]),
                "processor_median_s": statistics.median(processor),
                "processor_ratio": _median_ratio(processor, base[1]),
                "pictures_per_s": pictures / statistics.median(wall) if pictures else None,
            }
        )
    return {
        "size": args.size,
        "rounds": args.rounds,
        "stand_in": stand_in,
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "rows": rows,
        "loads": [
            {"network": name, "milliseconds": times, "median_ms": statistics.median(times)}
            for name, times in loads.items()
        ],
    }


def _children_s() -> float:
    """Processor seconds of all processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _median_ratio(ours: tuple[float, ...], base: tuple[float, ...]) -> float:
    return statistics.median(one / other if other else 0.0 for one, other in zip(ours, base, strict=True))


def install(home: Path, module: Path, environment: dict[str, str]) -> tuple[list[str], bool]:
    """Make a home of our own, so that style vectors of the user's stay; return its networks."""
    from stylize.networks import store

    def add(name: str, *paths: Path) -> None:
        command = [sys.executable, "-m", "stylize", "models", "add", name, *map(str, paths)]
        subprocess.run(command, check=True, capture_output=True, env=environment)

    installed = ["mini"]
    if int8 := store.find("magenta-int8"):
        add("magenta-int8", *int8.files)
        installed.append("magenta-int8")
    magenta = store.find("magenta")
    if magenta is None:
        subprocess.run([sys.executable, "-c", STAND_IN, str(module)], check=True, capture_output=True, env=environment)
    else:
        module.symlink_to(magenta.folder)
    add("magenta", module)
    return [*installed, "magenta"], magenta is None


def markdown(report: dict) -> str:
    lines = [
        "| command | seconds | ratio | processor seconds | ratio | pictures a second |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in report["rows"]:
        rate = "" if row["pictures_per_s"] is None else f"{row['pictures_per_s']:.2f}"
        lines.append(
            f"| {row['command']} | {row['median_s']:.2f} | {row['ratio']:.3f} | {row['processor_median_s']:.2f} "
            f"| {row['processor_ratio']:.3f} | {rate} |"
        )
    lines += ["", "| loading | milliseconds |", "| --- | --- |"]
    lines += [f"| {row['network']} | {row['median_ms']:.0f} |" for row in report["loads"]]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
