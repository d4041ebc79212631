"""How long a preview takes, from the shell to the file: seconds, and as a ratio to `python -c "import tensorflow"`.

    python benchmarks/startup.py -o startup.json --rounds 7

Every round runs all commands once, one after the other, and a ratio is taken within its round. So a machine that is
slower for a while is slower for both. The first table has the medians over the rounds; processor seconds depend less on
what else the machine does. The second table has the milliseconds until an embedded network is loaded, after its
framework was imported. Nothing is downloaded: `magenta-int8` is measured where it is installed; TF-Hub's network is
replaced by `magenta_stand_in.py` where it is not installed.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import glob
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import tables
import timing

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples"
REFERENCE = 'python -c "import tensorflow"'
MANY = 8
HEADER = ("command", "seconds", "ratio", "processor seconds", "ratio", "pictures a second")
LOADING_HEADER = ("network", "milliseconds")
# Each prints the milliseconds until an embedded network is loaded; its framework is imported before.
LOADS = {
    "mini": """
import time
import numpy as np
from stylize.networks.loaded import LoadedNetworks
from stylize.networks import mini
networks = LoadedNetworks(cache_to_disk=False)
began = time.perf_counter()
stylizer = networks.stylizer(networks.find("mini", "stylizer"))
print(1000 * (time.perf_counter() - began))
""",
    "mini, and painting 16 x 16 px": """
import time
import numpy as np
from stylize.networks.loaded import LoadedNetworks
from stylize.networks import mini
networks, grey = LoadedNetworks(cache_to_disk=False), np.full((16, 16, 3), 0.5, np.float32)
began = time.perf_counter()
networks.stylizer(networks.find("mini", "stylizer")).stylize(grey, [(grey, 1.0)], 1.0)
print(1000 * (time.perf_counter() - began))
""",
    "vgg19-slim": """
import time
from stylize.layers import GATYS_STYLE_LAYERS
from stylize.networks.loaded import LoadedNetworks
from stylize.networks import vgg
networks = LoadedNetworks(cache_to_disk=False)
began = time.perf_counter()
networks.encoder(networks.find("vgg19-slim", "features"), ["relu4_2", *GATYS_STYLE_LAYERS])
print(1000 * (time.perf_counter() - began))
""",
}

#: Wall seconds and processor seconds.
Seconds = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of the first table."""

    run: Callable[[], Seconds]
    pictures: int
    """What the command paints."""


@dataclasses.dataclass(frozen=True)
class Bench:
    """The networks and files that the commands use, in a folder of their own, and how to run the commands."""

    folder: Path
    style: str
    size: int

    @property
    def home(self) -> Path:
        """A home for networks and style vectors, so that the user's own stay untouched."""
        return self.folder / "home"

    @property
    def module(self) -> Path:
        """The folder of TF-Hub's network."""
        return self.folder / "module"

    def run(self, *command: object) -> timing.Usage:
        """Run Python with the bench's environment."""
        own = {"STYLIZE_HOME": str(self.home), "STYLIZE_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        return timing.run_python(*command, environment={**os.environ, **own})

    def seconds(self, *command: object) -> Seconds:
        """Run Python, and return what it took."""
        usage = self.run(*command)
        return usage.seconds, usage.processor_seconds

    def fast(self, network: str, *contents: Path | str, style_is_known: bool = True) -> Seconds:
        """Run `stylize fast` on all contents in one process."""
        if not style_is_known:
            for vector in (self.home / "vectors").glob("*"):
                vector.unlink()
        named = [part for path in contents for part in ("-c", path)]
        output = ["-o", self.folder / "painted.png"] if len(contents) == 1 else []
        options = ["-s", self.style, "--network", network, "--size", self.size, "--overwrite", *output]
        return self.seconds("-m", "stylize", "fast", *named, *options)

    def loop_of_fast(self, network: str, contents: Sequence[Path]) -> Seconds:
        """Run `stylize fast` once per content."""
        walls, processors = zip(*(self.fast(network, content) for content in contents), strict=True)
        return sum(walls), sum(processors)

    def tutorial(self, content: Path | str) -> Seconds:
        """Run TF-Hub's tutorial."""
        output = self.folder / "tutorial.png"
        return self.seconds(HERE / "hub_tutorial.py", self.module, content, self.style, output, self.size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contents", default=str(EXAMPLES / "scene_*.jpg"), help="a glob pattern")
    parser.add_argument("--style", default=str(EXAMPLES / "style_swirls.jpg"))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the JSON file to write")
    tables.add_write_option(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = _measure(Bench(Path(folder), args.style, args.size), sorted(glob.glob(args.contents)), args.rounds)
    args.output.write_text(json.dumps(report, indent=1))
    tables.publish("startup", tables.markdown(HEADER, map(_cells, report["rows"])), write=args.write)
    print()
    loading = [[row["network"], f"{row['median_ms']:.0f}"] for row in report["loads"]]
    tables.publish("loading", tables.markdown(LOADING_HEADER, loading), write=args.write)


def _measure(bench: Bench, contents: list[str], rounds: int) -> dict:
    """Run everything in rounds, and return all times."""
    installed, stand_in = _install(bench)
    many = []
    for number, path in enumerate((contents * MANY)[:MANY]):
        many.append(bench.folder / f"content{number}{Path(path).suffix}")
        many[-1].write_bytes(Path(path).read_bytes())
    for network in installed:  # compiles, fills the caches of files, and makes the style vectors
        bench.fast(network, *many)
    commands = _commands(bench, installed, contents[0], many)
    seconds: dict[str, list[Seconds]] = {name: [] for name in commands}
    loads: dict[str, list[float]] = {name: [] for name in LOADS}
    for number in range(1, rounds + 1):
        for name, command in commands.items():
            seconds[name].append(command.run())
            print(f"round {number}: {name}: {seconds[name][-1][0]:.2f} s", file=sys.stderr, flush=True)
        for name, code in LOADS.items():
            loads[name].append(float(bench.run("-c", code).output))
            print(f"round {number}: loading {name}: {loads[name][-1]:.0f} ms", file=sys.stderr, flush=True)
    return {
        "size": bench.size,
        "rounds": rounds,
        "stand_in": stand_in,
        "python": platform.python_version(),
        "cores": tables.available_cores(),
        "load_average": os.getloadavg(),
        "rows": [_row(name, seconds[name], seconds[REFERENCE], commands[name].pictures) for name in commands],
        "loads": [
            {"network": name, "milliseconds": times, "median_ms": statistics.median(times)}
            for name, times in loads.items()
        ],
    }


def _install(bench: Bench) -> tuple[list[str], bool]:
    """Install the networks into the bench's home; return their names, and whether `magenta` is the stand-in."""
    from stylize.networks import store

    def add(name: str, *paths: Path) -> None:
        bench.run("-m", "stylize", "models", "add", name, *paths)

    installed = ["mini"]
    if int8 := store.find("magenta-int8"):
        add("magenta-int8", *int8.files)
        installed.append("magenta-int8")
    magenta = store.find("magenta")
    if magenta is None:
        bench.run(HERE / "magenta_stand_in.py", bench.module)
    else:
        bench.module.symlink_to(magenta.folder)
    add("magenta", bench.module)
    return [*installed, "magenta"], magenta is None


def _commands(bench: Bench, installed: list[str], content: str, many: list[Path]) -> dict[str, Command]:
    """Return the commands of the first table by their names."""
    commands = {
        REFERENCE: Command(lambda: bench.seconds("-c", "import tensorflow"), 0),
        "stylize --help": Command(lambda: bench.seconds("-m", "stylize", "--help"), 0),
    }
    for network in installed:
        known = functools.partial(bench.fast, network, content)
        if network == "magenta":
            commands["fast, magenta, second and later runs"] = Command(known, 1)
        else:
            commands[f"fast, {network}"] = Command(functools.partial(known, style_is_known=False), 1)
            commands[f"fast, {network}, the style seen before"] = Command(known, 1)
    commands["TF-Hub's tutorial, one picture"] = Command(lambda: bench.tutorial(content), 1)
    for network in installed:
        together = functools.partial(bench.fast, network, *many)
        commands[f"fast, {network}, {MANY} contents"] = Command(together, MANY)
        loop = functools.partial(bench.loop_of_fast, network, many)
        commands[f"a loop of {MANY} processes, {network}"] = Command(loop, MANY)
    return commands


def _row(name: str, seconds: list[Seconds], reference: list[Seconds], pictures: int) -> dict:
    """Return the times of a command, their medians, and their ratios to the reference of the same round."""
    wall, processor = zip(*seconds, strict=True)
    reference_wall, reference_processor = zip(*reference, strict=True)
    return {
        "command": name,
        "seconds": wall,
        "processor_seconds": processor,
        "median_s": statistics.median(wall),
        "ratio": _median_ratio(wall, reference_wall),
        "processor_median_s": statistics.median(processor),
        "processor_ratio": _median_ratio(processor, reference_processor),
        "pictures_per_s": pictures / statistics.median(wall) if pictures else None,
    }


def _median_ratio(ours: Sequence[float], reference: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(ours, reference, strict=True))


def _cells(row: dict) -> list[str]:
    """Return a row of the first table."""
    rate = "" if row["pictures_per_s"] is None else f"{row['pictures_per_s']:.2f}"
    figures = [f"{row['median_s']:.2f}", f"{row['ratio']:.3f}"]
    return [row["command"], *figures, f"{row['processor_median_s']:.2f}", f"{row['processor_ratio']:.3f}", rate]


if __name__ == "__main__":
    main()
