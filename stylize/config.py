""""""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_type_hints

from stylize.errors import OptionError

__all__ = [
    "GATYS_STYLE_LAYERS",
    "INITS",
    "SMALLEST_PX",
    "VGG19_LAYERS",
    "AppConfig",
    "FastConfig",
    "KeepColors",
    "LayerWeights",
    "OptimizationConfig",
    "PerceptualLossConfig",
    "PyramidConfig",
    "RefineConfig",
    "canonical_layer",
    "check_mask_count",
    "config_from_dict",
]

LayerWeights = tuple[tuple[str, float], ...]

Config = TypeVar("Config")

_CONVOLUTIONS_PER_BLOCK = (2, 2, 4, 4, 4)

#: Every activation of VGG-19 in the papers' names, in the order of the forward pass.
VGG19_LAYERS = tuple(
    f"relu{block}_{index}"
    for block, count in enumerate(_CONVOLUTIONS_PER_BLOCK, start=1)
    for index in range(1, count + 1)
)

#: The layers of Gatys et al. 2015: the first activation of each block for style.
GATYS_STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")

#: What a refinement can start from, beside a picture of the user's.
INITS = ("preview", "preview+content", "content", "noise", "content+noise")

#: VGG-19 halves a picture four times before its last block: of a smaller one nothing arrives there.
SMALLEST_PX = 16


def canonical_layer(name: str) -> str:
    """Return the papers' name (`relu4_2`) of a VGG-19 layer; Keras' `block4_conv2` and Caffe's `conv4_2` will do.

    Frameworks and papers number the layers alike; all three names mean the activation after the ReLU, which is what
    Keras' `block4_conv2` returns. Raises OptionError for a name that VGG-19 does not have.
    """
    plain = name.strip().lower().replace("block", "relu").replace("_conv", "_")
    if plain.startswith("conv"):
        plain = "relu" + plain[len("conv") :]
    if plain not in VGG19_LAYERS:
        raise OptionError(f"layer {name!r}: expected one of VGG-19's activations, relu1_1 to relu5_4 (such as relu4_2)")
    return plain


def check_mask_count(masks: int, styles: int) -> None:
    """Raise OptionError unless there are no masks, one, or one for each style."""
    one_each = f" or {styles}, one for each style" if styles > 1 else ""
    _check(masks in (0, 1, styles), f"mask: expected 1{one_each}; received {masks}")


def _check(condition: bool, message: str) -> None:
    if not condition:
        raise OptionError(message)


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    _check(value in choices, f"{name}: expected {', '.join(choices[:-1])} or {choices[-1]}, received {value!r}")


#: Whose colours a picture is painted in: False is the style's; the others are explained at `FastConfig`.
KeepColors = bool | Literal["luminance", "histogram"]


def _checked_colors(keep_colors: KeepColors) -> KeepColors:
    if keep_colors is True:
        return "luminance"
    _check(
        keep_colors in (False, "luminance", "histogram"),
        f"keep colors: expected luminance or histogram, received {keep_colors!r}",
    )
    return keep_colors


def _check_size(size: int) -> None:
    whole = isinstance(size, int)
    _check(whole and 1 <= size <= 65535, f"size: expected a long side of 1 to 65535 px, received {size!r}")


@dataclass(frozen=True)
class FastConfig:
    """What `fast` is asked for."""

    network: str = "auto"
    """A stylizer of the registry (magenta, magenta-int8, mini), or auto."""
    size: int = 512
    """Long side of the output in px."""
    strength: float = 1.0
    """0 keeps the content, 1 is the full style."""
    keep_colors: KeepColors = False
    """How the content keeps its colours (Gatys et al. 2016, arXiv 1606.05897): with `luminance`, or True, only light
    and dark come from the style; with `histogram` the style is first moved to the mean and covariance of the content's
    colours, so that strokes still differ in colour, within the content's palette."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep_colors", _checked_colors(self.keep_colors))
        _check_size(self.size)
        _check(0 <= self.strength <= 1, f"strength: expected 0 to 1, received {self.strength}")


@dataclass(frozen=True)
class PerceptualLossConfig:
    """The loss of Gatys, Ecker and Bethge (arXiv 1508.06576): content, style and total variation terms.

    `normalization` says what the squares are divided by, so that presets are repeated exactly:

    - `relative`: |F - F*|^2 / |F*|^2 and |G - G*|^2 / |G*|^2 a layer, and the mean squared difference of neighbouring
      pixels, where chroma counts more than luma. Weights then mean the same for every picture, size and network.
    - `mean`: means of squares of activations and of Gram matrices (each divided by its number of positions), and the
      sum of absolute differences of neighbouring pixels, as in TensorFlow's tutorial.
    - `sum`: as `mean`, but the content term is the plain sum of squares, as in the 2015 paper.
    """

    # The papers' relu4_2 alone lets eyes and mouths go at 256 px; relu3_1 holds them, and the photo's colours, too.
    content_layers: LayerWeights = (("relu3_1", 0.1), ("relu4_2", 0.9))
    style_layers: LayerWeights = (("relu1_1", 0.3), *((name, 0.2) for name in GATYS_STYLE_LAYERS[1:]))
    content_weight: float = 0.635
    style_weight: float = 1.0
    # Below 4 a weave of single pixels shows in flat areas; from 6 the finest strokes suffer, from 10 all go soft.
    total_variation_weight: float = 4.0
    # Networks see a border from one side only, so it is the cheapest place for what a palette lacks: without this, rows
    # of white or stray colour, up to six pixels wide, run along it.
    frame_weight: float = 2.0
    # Of their pictures' palettes the network's layers are but faintly aware. From 1 on, the scene pays for it.
    palette_weight: float = 0.5
    normalization: Literal["relative", "mean", "sum"] = "relative"
    statistics: Literal["moments", "gram"] = "moments"
    """What the style loss compares: means and covariances of the activations, or their Gram matrices."""
    # Photos stand at different distances from a style, and so do their layers: weights then mean the same for all.
    relative_to_content: bool = True
    """Divide each layer's style loss by that of the content photo itself: near 1 where it starts, 0 at the style. The
    content loss gives way to styles whose activations vary more than the content's."""
    # At full size alone, grain over a photograph meets the loss; smaller sizes ask for long strokes and the palette.
    octaves: int = 3
    """The style loss is a mean over the picture at full size, half, quarter, ...: this many sizes, each weighing less
    than the one before."""

    def __post_init__(self) -> None:
        for field in ("content_layers", "style_layers"):
            layers = getattr(self, field)
            _check(len({name for name, _ in layers}) == len(layers), f"{field}: a layer is named twice")
            for name, weight in layers:
                _check(name == canonical_layer(name), f"{field}: expected {canonical_layer(name)}, received {name}")
                _check(
                    math.isfinite(weight) and weight >= 0, f"{name}: expected a weight of 0 or more, received {weight}"
                )
        for field in ("content_weight", "style_weight", "total_variation_weight", "frame_weight", "palette_weight"):
            weight = getattr(self, field)
            finite = math.isfinite(weight) and weight >= 0
            _check(finite, f"{field}: expected a finite number of 0 or more, received {weight}")
        _check(self.content_weight + self.style_weight > 0, "content and style weight are both 0: nothing to optimise")
        _check(bool(self.content_layers) or self.content_weight == 0, "content_layers: expected at least one layer")
        _check(bool(self.style_layers) or self.style_weight == 0, "style_layers: expected at least one layer")
        _check_choice("normalization", self.normalization, ("relative", "mean", "sum"))
        _check_choice("statistics", self.statistics, ("moments", "gram"))
        _check(self.octaves >= 1, f"octaves: expected 1 or more, received {self.octaves}")


@dataclass(frozen=True)
class OptimizationConfig:
    """How the pixels are moved.

    `learning_rate`, `beta_1`, `beta_2` and `epsilon` are Adam's (arXiv 1412.6980), for pixels in [0, 1]; L-BFGS finds
    its own step, and there `learning_rate` is the mean change of a pixel in the first one, and in each that follows
    where its history was no help and was dropped; levels after the coarsest take a third of it.
    """

    optimizer: Literal["lbfgs", "adam"] = "lbfgs"
    learning_rate: float = 0.02
    beta_1: float = 0.99
    beta_2: float = 0.999
    epsilon: float = 1e-1
    keep_best: bool = False
    """Return the iterate of the lowest loss rather than the last (for L-BFGS they are the same)."""

    def __post_init__(self) -> None:
        _check_choice("optimizer", self.optimizer, ("lbfgs", "adam"))
        rate = self.learning_rate
        _check(0 < rate <= 1, f"learning rate: expected over 0 and up to 1, received {rate}")
        for name in ("beta_1", "beta_2"):
            _check(0 <= getattr(self, name) < 1, f"{name}: expected 0 up to below 1, received {getattr(self, name)}")
        _check(self.epsilon > 0, f"epsilon: expected more than 0, received {self.epsilon}")


@dataclass(frozen=True)
class PyramidConfig:
    """From coarse to fine: sizes in steps of `ratio` from `coarsest_px` up to the output's long side.

    Each gets the same number of steps. A pyramid of one level (`coarsest_px` None) is plain optimisation at full size.
    """

    # Swirls and stars form where they are a few pixels wide, and a step there costs a sixteenth of one at 256 px.
    coarsest_px: int | None = 64
    ratio: float = 2**0.5

    def __post_init__(self) -> None:
        coarsest = self.coarsest_px
        _check(
            coarsest is None or coarsest >= SMALLEST_PX,
            f"coarsest_px: expected {SMALLEST_PX} px or more, or none; received {coarsest}",
        )
        # From 1.1 on, whole numbers of pixels differ from level to level.
        _check(1.1 <= self.ratio <= 65535, f"ratio: expected 1.1 or more, received {self.ratio}")


@dataclass(frozen=True)
class RefineConfig:
    """What `refine` is asked for. The defaults are the preset `default`."""

    features: str = "auto"
    """A feature network of the registry (vgg19, vgg19-slim), or auto."""
    size: int = 512
    steps: int = 140
    """Evaluations of loss and gradient over all levels of the pyramid."""
    time_budget: float | None = None
    """Seconds for the whole refinement; replaces `steps`."""
    init: str = "preview"
    """preview (what `fast` makes), preview+content (its colours and light, the content's detail: the quicker start
    where there is but one size), content, noise, content+noise, or the path of a picture: what is smaller than that
    is taken as painted, and the pyramid begins above its size."""
    loss: PerceptualLossConfig = PerceptualLossConfig()
    optimization: OptimizationConfig = OptimizationConfig()
    pyramid: PyramidConfig = PyramidConfig()
    pooling: Literal["max", "avg"] = "max"
    # What the loss on the pixels does for the palette as a whole, at less cost in content (benchmarks/README.md).
    recolor: bool = False
    """Hold on to the content as it looks in the style's colours: moved to their mean and covariance."""
    strength: float = 1.0
    """0 keeps the content, 1 is the full style; between them the content's own style is blended in."""
    style_scale: float = 1.0
    """Long side of the style picture, relative to the output's: larger gives larger strokes."""
    keep_colors: KeepColors = False
    """As of `FastConfig`."""
    seed: int = 0
    network: str = "auto"
    """The stylizer that makes the preview."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the convolutions; auto takes bfloat16 where a trial shows that it is faster here. Statistics stay float32."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep_colors", _checked_colors(self.keep_colors))
        _check_size(self.size)
        _check(self.steps >= 1, f"steps: expected 1 or more, received {self.steps}")
        _check(
            self.time_budget is None or 0 < self.time_budget < math.inf,
            f"time budget: expected more than 0 seconds, and an end; received {self.time_budget}",
        )
        _check(self.seed >= 0, f"seed: expected 0 or more, received {self.seed}")
        _check_choice("pooling", self.pooling, ("max", "avg"))
        _check_choice("precision", self.precision, ("auto", "float32", "bfloat16"))
        _check(0 <= self.strength <= 1, f"strength: expected 0 to 1, received {self.strength}")
        _check(0.05 <= self.style_scale <= 20, f"style scale: expected 0.05 to 20, received {self.style_scale}")

    @property
    def starts_from_preview(self) -> bool:
        """Whether a stylizer paints what the optimisation starts from."""
        return self.init in ("preview", "preview+content")

    @property
    def preview(self) -> FastConfig:
        """What `fast` is asked for, for the preview that the refinement starts from and is compared with."""
        return FastConfig(self.network, self.size, self.strength, self.keep_colors)

    def replace(self, **options: Any) -> RefineConfig:
        """Return a copy with `options` set; fields of the loss and of the optimiser are named directly.

        Raises OptionError for a name that no part has, or a value out of range.
        """
        parts: dict[str, Any] = {"loss": self.loss, "optimization": self.optimization, "pyramid": self.pyramid}
        own = {field.name for field in dataclasses.fields(self)}
        mine: dict[str, Any] = {}
        theirs: dict[str, dict[str, Any]] = {name: {} for name in parts}
        for key, value in options.items():
            if key in own:
                mine[key] = value
                continue
            homes = [n for n, part in parts.items() if key in {f.name for f in dataclasses.fields(part)}]
            _check(bool(homes), f"option {key!r}: not an option of refine")
            theirs[homes[0]][key] = value
        for name, part in parts.items():
            if theirs[name]:
                mine[name] = dataclasses.replace(mine.get(name, part), **theirs[name])
        return dataclasses.replace(self, **mine)


@dataclass(frozen=True)
class AppConfig:
    """What `app`, the web page, is asked for."""

    host: str = "127.0.0.1"
    """The address to listen on; the default is reached from this machine alone."""
    port: int = 8501
    max_refinements: int = 1
    """That run at a time, of all visitors."""
    max_queue: int = 8
    """Refinements that may wait for their turn."""
    max_upload_mb: int = 20
    max_megapixels: int = 40
    """Of an uploaded picture, checked before it is decoded."""
    grace_s: float = 20.0
    """A visitor whose connection is gone for longer has left: phones drop it for moments."""

    def __post_init__(self) -> None:
        _check(1 <= self.port <= 65535, f"port: expected 1 to 65535, received {self.port}")
        _check(self.max_refinements >= 1, f"max refinements: expected 1 or more, received {self.max_refinements}")
        _check(self.max_queue >= 0, f"max queue: expected 0 or more, received {self.max_queue}")
        _check(self.max_upload_mb >= 1, f"max upload: expected 1 MB or more, received {self.max_upload_mb}")
        _check(self.max_megapixels >= 1, f"max megapixels: expected 1 or more, received {self.max_megapixels}")


def config_from_dict(kind: type[Config], options: Mapping[str, Any]) -> Config:
    """Return the config of which `options` are the `dataclasses.asdict`, also after a way through JSON.

    What is not named keeps its default. Raises OptionError for a name that `kind` does not have, or a value out
    of range.
    """
    fields, values = get_type_hints(kind), {}
    for name, value in options.items():
        _check(name in fields, f"option {name!r}: not an option of {kind.__name__}")
        is_part = dataclasses.is_dataclass(fields[name])
        values[name] = config_from_dict(fields[name], value) if is_part else _tuples(value)
    return kind(**values)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
