"""Stands in for `stylize.fast`, `refine` and `compare` in tests of the command line."""

from __future__ import annotations

import dataclasses
import hashlib
import html
import inspect
import os
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result

import stylize.api
from stylize import __version__
from stylize.cli.main import main
from stylize.config import INITS, FastConfig, RefineConfig
from stylize.images.picture import Picture
from stylize.optimize.checkpoint import Checkpoint, RunContext
from stylize.optimize.history import HistoryEntry, LossTerms
from stylize.optimize.iterate import Iterate
from stylize.optimize.pyramid import PyramidLevel
from stylize.styles import StyleName
from stylize.transfer.results import Comparison, NetworkUse, Scored, TransferResult

FEATURES = NetworkUse("vgg19-slim", "embedded", {"vgg19_slim.safetensors": "5" * 64})
STYLIZER = NetworkUse("mini", "embedded", {"mini.tflite": "7" * 64})
LOSSES = LossTerms(3.0, 1.0, 2.0, 0.5, {"relu4_2": 1.0}, {"relu1_1": 2.0})
CHECKPOINT = Checkpoint(
    RunContext("0" * 64, (4, 6), {"networks": []}), 1, 0.5, np.full((4, 6, 3), 0.5, np.float32),
    {"scalars": np.ones(2), **dict.fromkeys(("x", "trial", "gradient", "direction"), np.zeros((4, 6, 3), np.float32))},
    (HistoryEntry(1, 1, 0.1, LOSSES),),
)  # fmt: skip

_SIGNATURES = {name: inspect.signature(getattr(stylize.api, name)) for name in ("fast", "refine", "compare")}


def _unheard(message: str) -> None:
    """Receive what nobody is told."""


def run(*arguments: object, exit_code: int = 0) -> Result:
    """Run the command line in this process, and check its exit code."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


def one_line(text: str) -> str:
    """Return the one line that a text is."""
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    return text[:-1]


def report_commands(report: Path) -> list[list[str]]:
    """Return the words of each command that a report shows."""
    page = report.read_text("utf-8")
    return [shlex.split(html.unescape(code)) for code in re.findall("<code>(.*?)</code>", page, re.DOTALL)]


def as_path(source: Any) -> Path:
    """Return the file of a picture, or the path."""
    return Path(str(source.path)) if isinstance(source, Picture) else source


def _recorded(source: Any) -> dict[str, str]:
    if isinstance(source, StyleName):
        return {"path": source, "sha256": hashlib.sha256(source.file.read_bytes()).hexdigest()}
    path = as_path(source)
    return {"path": os.fspath(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


class ApiStandIn:
    """Records the calls of the three functions, checks them against the real signatures, and returns flat pictures."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.masks: tuple[Path, ...] = ()
        self.on_step: Callable[[int], None] = lambda step: None
        self.steps = 4
        self.precision = "float32"
        self.stylizer = STYLIZER
        self.resumed_from: Checkpoint | None = None
        self.memory_gb: float | None = None

    def fast(self, content: Any, styles: Any, **keywords: Any) -> TransferResult:
        """Stand in for `stylize.fast`."""
        asked = self._bound("fast", content, styles, keywords)
        named = type(styles)((as_path(style), weight) for style, weight in styles)
        self.calls.append(("fast", as_path(content), named, asked["config"], asked["offline"]))
        (asked["on_message"] or _unheard)("using mini")
        return self._result("fast", asked, (self.stylizer,))

    def refine(self, content: Any, styles: Any, **keywords: Any) -> TransferResult:
        """Stand in for `stylize.refine`."""
        asked = self._bound("refine", content, styles, keywords)
        self.calls.append(("refine", content, styles, asked["config"], asked["offline"]))
        self.resumed_from, self.memory_gb = asked["resume_from"], asked["memory_gb"]
        (asked["on_message"] or _unheard)("using vgg19-slim")
        if asked["on_start"] is not None:
            asked["on_start"](np.full((4, 6, 3), 0.9, np.float32))
        self.on_step(0)
        history: list[HistoryEntry] = []
        for step in range(1, self.steps + 1):
            if asked["should_stop"]():
                break
            history.append(HistoryEntry(1, step, step / 10, LOSSES))
            asked["on_iterate"](self._iterate(step))
            self.on_step(step)
        stopped = len(history) < self.steps
        return self._result(
            "refine", asked, (FEATURES, self.stylizer), history=tuple(history),
            stopped="interrupted" if stopped else None, checkpoint=CHECKPOINT if stopped else None,
            levels=(PyramidLevel(6, self.steps),),
        )  # fmt: skip

    def compare(self, content: Any, styles: Any, **keywords: Any) -> Comparison:
        """Stand in for `stylize.compare`."""
        asked = self._bound("compare", content, styles, keywords)
        images, config = asked["images"], asked["config"]
        self.calls.append(("compare", content, styles, images, config))
        self.masks = tuple(asked["mask"])
        (asked["on_message"] or _unheard)("comparing")
        results: tuple[TransferResult, ...] = ()
        labels: Sequence[str] = [path.name for path in images or []]
        if not images:
            results = (
                self._result("fast", {**asked, "config": config.preview}, (STYLIZER,)),
                self._result(
                    "refine", asked, (FEATURES, STYLIZER),
                    history=(HistoryEntry(1, 1, 0.1, LOSSES),), levels=(PyramidLevel(6, 1),),
                ),
            )  # fmt: skip
            asked["on_start"](results[0].image)
            asked["on_iterate"](
                Iterate(1, 1, (4, 6), 1, 1, LOSSES, 0.1, 0.0, lambda: results[1].image, lambda: CHECKPOINT)
            )
            labels = ["fast", "refined"]
        image = np.full((4, 6, 3), 0.5, np.float32)
        return Comparison(
            content=Picture(image, path=str(content)),
            styles=tuple((Picture(image, path=str(path)), weight) for path, weight in styles),
            features=FEATURES,
            scores=tuple(Scored(label, image, 0.1, float("nan"), {"relu1_1": 0.3}, 0.4) for label in labels),
            results=results,
        )

    def _bound(self, name: str, content: Any, styles: Any, keywords: dict[str, Any]) -> dict[str, Any]:
        """Return the call's arguments by name, defaults included; fails as the real function for wrong names."""
        bound = _SIGNATURES[name].bind(content, styles, **keywords)
        bound.apply_defaults()
        return dict(bound.arguments)

    def _iterate(self, step: int) -> Iterate:
        pixels, remaining_s = np.full((4, 6, 3), step / 10, np.float32), (self.steps - step) / 10
        return Iterate(
            1, 1, (4, 6), step, self.steps, LOSSES, step / 10, remaining_s, lambda: pixels, lambda: CHECKPOINT
        )  # fmt: skip

    def _result(
        self, mode: str, asked: dict[str, Any], networks: tuple[NetworkUse, ...], **more: Any
    ) -> TransferResult:
        config: FastConfig | RefineConfig = asked["config"]
        self.masks = tuple(as_path(path) for path in asked["mask"])
        provenance = {
            "command": mode,
            "version": __version__,
            "content": _recorded(asked["content"]),
            "styles": [{**_recorded(path), "weight": weight} for path, weight in asked["style"]],
            "options": dataclasses.asdict(config),
            "seed": getattr(config, "seed", None),
            "networks": [dataclasses.asdict(network) for network in networks],
        }
        if self.masks:
            provenance["masks"] = [_recorded(path) for path in self.masks]
        if mode == "refine":
            provenance["precision_used"] = self.precision
        if isinstance(config, RefineConfig) and config.init not in INITS:
            provenance["init"] = {**_recorded(Path(config.init)), "long_side_px": 6}
        image = np.full((4, 6, 3), 0.5, np.float32)
        return TransferResult(mode, image, None, config, networks, 1.5, provenance, **more)
