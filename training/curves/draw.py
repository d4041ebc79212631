"""Draw the curves of both trainings from the logs slim.jsonl and mini.jsonl in this folder.

    python training/curves/draw.py

The `log.jsonl` of a run has the same fields, and more. Needs matplotlib.
"""

import json
from pathlib import Path

from matplotlib import rcParams
from matplotlib.figure import Figure

rcParams["svg.hashsalt"] = "stylize"  # the same numbers give the same file
HERE = Path(__file__).parent
TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")


def main() -> None:
    slim, mini = ([json.loads(line) for line in (HERE / f"{name}.jsonl").open()] for name in ("slim", "mini"))
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = [line["step"] for line in slim]
    for index, tap in enumerate(TAPS):
        left.plot(steps, [line["explained"][index] for line in slim], label=tap)
    left.set(title="vgg19-slim: explained variance of VGG-19's activations", xlabel="step", ylim=(0, 1))
    steps = [line["step"] for line in mini]
    for name, label in (("style", "style"), ("content", "content"), ("loss", "training loss")):
        right.plot(steps, [line[name] for line in mini], label=label)
    right.set(title="mini: losses on held-out pairs, and in training", xlabel="step", ylim=(0, 1.1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", ncols=2)
    figure.savefig(HERE / "curves.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
