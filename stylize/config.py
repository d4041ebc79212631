"""What a run asks for: frozen dataclasses and their defaults."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_type_hints

from stylize.errors import OptionError
from stylize.layers import GATYS_STYLE_LAYERS, PLACES_LAYERS, LayerWeights, canonical_layer
from stylize.output import check_size
from stylize.schema import checked, shown

__all__ = [
    "INITS",
    "SMALLEST_PX",
    "AppConfig",
    "FastConfig",
    "KeepColors",
    "OptimizationConfig",
    "PerceptualLossConfig",
    "PyramidConfig",
    "RefineConfig",
    "check_mask_count",
    "config_from_dict",
]

#: Whose colours the picture gets. False: the style's. `luminance`, `histogram`: the content's, see `FastConfig`.
KeepColors = bool | Literal["luminance", "histogram"]

Config = TypeVar("Config")

#: The values of `RefineConfig.init` that are not the path of a picture.
INITS = ("preview", "preview+content", "content", "noise", "content+noise")

#: Smallest side of a picture in px: the four poolings of VGG-19 leave a single position.
SMALLEST_PX = 16


def check_mask_count(masks: int, styles: int) -> None:
    """Raise OptionError unless there are no masks, one mask, or one mask for each style."""
    one_each = f", or {styles}, one for each style" if styles > 1 else ""
    _check(masks in (0, 1, styles), f"mask: expected one mask{one_each}; received {masks}")


def _check(condition: object, message: str) -> None:
    if not condition:
        raise OptionError(message)


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    _check(value in choices, f"{name}: expected {', '.join(choices[:-1])} or {choices[-1]}, received {shown(value)}")


def _checked_colors(keep_colors: KeepColors) -> KeepColors:
    if keep_colors is True:
        return "luminance"
    known = keep_colors in (False, "luminance", "histogram")
    _check(known, f"keep_colors: expected luminance or histogram, received {shown(keep_colors)}")
    return keep_colors


def _check_whole(name: str, value: Any, least: int, most: int | None, what: str = "a whole number of {}") -> None:
    """Raise OptionError unless `value` is a whole number from `least` to `most`; None is no limit."""
    limits = f"{least} or more" if most is None else f"{least} to {most}"
    fits = type(value) is int and least <= value <= (most or math.inf)  # True is no number
    _check(fits, f"{name}: expected {what.format(limits)}, received {shown(value)}")


@dataclass(frozen=True)
class FastConfig:
    """The options of `fast`.

    Attributes:
        network: name of a stylizer (`magenta`, `magenta-int8`, `mini`), or `auto`.
        size: long side of the output in px, 1 to 65535; `original` for the content's, or percent of it such as `200%`.
        strength: 0 (the content) to 1 (the full style).
        keep_colors: how the output keeps the colours of the content (Gatys et al. 2016, arXiv 1606.05897). False: the
            output has the colours of the style. `luminance`, or True: the style changes the luminance only.
            `histogram`: the style first gets the mean and covariance of the content's colours.
    """

    network: str = "auto"
    size: int | str = 512
    strength: float = 1.0
    keep_colors: KeepColors = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep_colors", _checked_colors(self.keep_colors))
        check_size(self.size)
        _check(0 <= self.strength <= 1, f"strength: expected 0 to 1, received {self.strength}")


@dataclass(frozen=True)
class PerceptualLossConfig:
    """The loss of Gatys, Ecker and Bethge (arXiv 1508.06576) and the terms that this project adds.

    F and F* are the activations of a layer for the painted picture and for its target, G and G* their Gram matrices.

    Attributes:
        content_layers: layers of the content loss with their weights. All weights are 0 or more.
        style_layers: layers of the style loss with their weights.
        content_weight: weight of the content loss.
        light_weight: weight of the differences in light from the content, relative to the content loss.
        light_detail: how much the light inside a large cell counts beside its mean: 0 to 100. 0: no small cells.
        saliency: where a viewer looks first, content counts up to 1 + 4 saliency times as much as elsewhere: 0 to 100.
        style_weight: weight of the style loss.
        total_variation_weight: weight of the differences between neighbouring pixels.
        frame_weight: weight of the colour differences between the border of the picture and the pixels beside it.
        places_weight: weight of the distances from places of the style, relative to the style loss.
        palette_weight: weight of the colour differences between the picture and the style, relative to the style loss.
        normalization: what the squared differences are divided by.

            `relative`: `|F - F*|^2 / |F*|^2` and `|G - G*|^2 / |G*|^2`, and the mean squared difference of neighbouring
            pixels, where chroma counts more than luma. A weight means the same for every picture and size.
            `mean`: means of squares of activations and of Gram matrices (each divided by its number of positions), and
            the sum of absolute differences of neighbouring pixels, as in TensorFlow's tutorial.
            `sum`: like `mean`, but the content loss is the sum of squares, as in the paper of 2015.
        statistics: what the style loss compares: means and covariances of the activations (`moments`), or their Gram
            matrices (`gram`).
        relative_to_content: divide the style loss of each layer by that of the content picture: near 1 for the content,
            0 for the style. The content loss gets less weight for styles that vary more than the content.
        contrast_limit: most contrast of the content relative to the style's, 1 to 1000; a content of more contrast is
            compared as if it had this much. 0: no limit.
        octaves: sizes (full, half, quarter, ...) of the style loss, 1 to 16; each weighs half of the larger one.
        enough_positions: style layers with fewer count less, region by region and octave by octave. 0: all in full.
        content_range_px: two long sides in px, 0 to 65535. Levels below the first, but for the last level, hold the
            content more (first / long side). Levels above the second compare with the picture that the first of them
            begins with; a run's first level only under `init=FILE`. (0, 65535): the same loss at all levels.
    """

    # relu4_2 alone, as in the paper, loses eyes and mouths at 256 px. relu3_1 keeps them, and the content's colours.
    content_layers: LayerWeights = (("relu3_1", 0.1), ("relu4_2", 0.9))
    style_layers: LayerWeights = (("relu1_1", 0.3), *((name, 0.2) for name in GATYS_STYLE_LAYERS[1:]))
    content_weight: float = 0.635
    # Without this loss, light and dark of the style lie anywhere: a spot on a nose, a wave where a forest was.
    light_weight: float = 0.8
    # With means alone, 0, a dark roof becomes a dark cloud around its ridge, and shutters fade on a bright wall.
    light_detail: float = 2.0
    # With 0, faces have creases around the mouth: they cover few positions of a picture.
    saliency: float = 0.5
    style_weight: float = 1.0
    # Below 4, flat areas show a pattern of single pixels. From 6 on, fine strokes blur; from 10 on, the whole picture.
    total_variation_weight: float = 4.0
    # Convolutions see the border from one side only: colours that the picture lacks cost least there.
    frame_weight: float = 2.0
    # Statistics of the whole picture leave houses a tinted photograph; this loss paints them. From 3 on, objects of the
    # style break up the scene.
    places_weight: float = 1.5
    # The network's layers hardly react to the palette of a whole picture. From 1 on, this loss harms the content.
    palette_weight: float = 0.5
    normalization: Literal["relative", "mean", "sum"] = "relative"
    statistics: Literal["moments", "gram"] = "moments"
    # The distance from photo to style differs between pictures and layers. The division makes weights comparable.
    relative_to_content: bool = True
    # A wall of low contrast shows no stones beside black letters. Photographs and paintings differ by up to 1.75.
    contrast_limit: float = 1.75
    # At full size alone, fine grain lowers the loss. Smaller sizes ask for long strokes and for the palette.
    octaves: int = 3
    # The covariance of few positions describes objects of the style, and the optimisation lays them out.
    enough_positions: int = 100
    # At 64 px, objects of the style are as small as strokes. With less content, they replace mountains and faces. At
    # 1024 px, the layers see single strokes. Beside the photo, which has none, strokes would break up into fine cells.
    content_range_px: tuple[int, int] = (512, 896)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that the loss reads, some of them twice."""
        places = PLACES_LAYERS if self.places_weight else ()
        return (*(name for name, _ in (*self.content_layers, *self.style_layers)), *places)

    def __post_init__(self) -> None:
        for field in ("content_layers", "style_layers"):
            layers = getattr(self, field)
            _check(len({name for name, _ in layers}) == len(layers), f"{field}: a layer is named twice")
            for name, weight in layers:
                _check(name == canonical_layer(name), f"{field}: expected {canonical_layer(name)}, received {name}")
                _check(0 <= weight < math.inf, f"{field}: expected a weight of 0 or more for {name}, received {weight}")
        for field in [each.name for each in dataclasses.fields(self) if each.name.endswith("_weight")]:
            fits = 0 <= (weight := getattr(self, field)) < math.inf
            _check(fits, f"{field}: expected a finite number of 0 or more, received {weight}")
        _check(self.content_weight or self.style_weight, "content_weight: expected more than 0 where style_weight is 0")
        _check(bool(self.content_layers) or self.content_weight == 0, "content_layers: expected at least one layer")
        has_style = bool(self.style_layers) or self.places_weight > 0
        _check(has_style or self.style_weight == 0, "style_layers: expected at least one layer")
        _check_choice("normalization", self.normalization, ("relative", "mean", "sum"))
        _check_choice("statistics", self.statistics, ("moments", "gram"))
        for field in ("light_detail", "saliency"):
            _check(0 <= (amount := getattr(self, field)) <= 100, f"{field}: expected 0 to 100, received {amount}")
        fits = 1 <= (limit := self.contrast_limit) <= 1000 or limit == 0
        _check(fits, f"contrast_limit: expected 1 to 1000, or 0, received {limit}")
        _check_whole("octaves", self.octaves, 1, 16)
        _check_whole("enough_positions", self.enough_positions, 0, None)
        px = self.content_range_px
        pair = isinstance(px, (list, tuple)) and [type(each) for each in px] == [int, int]
        fits = pair and 0 <= px[0] <= px[1] <= 65535
        _check(fits, f"content_range_px: expected two sizes of 0 to 65535 px, the smaller first; received {shown(px)}")
        object.__setattr__(self, "content_range_px", tuple(px))


@dataclass(frozen=True)
class OptimizationConfig:
    """The optimizer of the pixels, which are in [0, 1].

    Attributes:
        optimizer: `lbfgs` or `adam` (arXiv 1412.6980).
        learning_rate: over 0 and up to 1. For L-BFGS, the mean change of a pixel in the first step and in steps after
            the history was dropped; L-BFGS finds the other step lengths. Levels after the coarsest use 0.3 of it.
        beta_1: Adam's decay rate of the mean gradient, 0 up to below 1.
        beta_2: Adam's decay rate of the mean squared gradient, 0 up to below 1.
        epsilon: Adam's addend in the divisor, over 0. Where the gradients are far smaller, the steps are tiny.
        keep_best: return the iterate with the lowest loss, not the last one. For L-BFGS both are the same.
    """

    optimizer: Literal["lbfgs", "adam"] = "lbfgs"
    learning_rate: float = 0.02
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-10
    keep_best: bool = False

    def __post_init__(self) -> None:
        _check_choice("optimizer", self.optimizer, ("lbfgs", "adam"))
        _check(0 < (rate := self.learning_rate) <= 1, f"learning_rate: expected over 0 and up to 1, received {rate}")
        for name in ("beta_1", "beta_2"):
            _check(0 <= getattr(self, name) < 1, f"{name}: expected 0 up to below 1, received {getattr(self, name)}")
        _check(self.epsilon > 0, f"epsilon: expected more than 0, received {self.epsilon}")


@dataclass(frozen=True)
class PyramidConfig:
    """The sizes at which a picture is optimised, coarse to fine; their steps differ by a remainder.

    Attributes:
        coarsest_px: the least long side of the first level in px, 16 or more. None: a single level at full size.
        ratio: size of a level relative to the level before, 1.1 to 65535.
    """

    # Large shapes such as swirls form where they are a few pixels wide. A step at 64 px costs 1/12 of a step at 256 px.
    coarsest_px: int | None = 64
    ratio: float = 2**0.5

    def __post_init__(self) -> None:
        if self.coarsest_px is not None:
            _check_whole("coarsest_px", self.coarsest_px, SMALLEST_PX, None, "{} px, or none")
        # Below 1.1, two levels could round to the same number of pixels.
        _check(1.1 <= self.ratio <= 65535, f"ratio: expected 1.1 or more, received {self.ratio}")


@dataclass(frozen=True)
class RefineConfig:
    """The options of `refine`. The defaults are the preset `default`.

    Attributes:
        features: name of a feature network (`vgg19`, `vgg19-slim`), or `auto`.
        size: long side of the output in px, 1 to 65535; `original` for the content's, or percent of it such as `200%`.
        steps: evaluations of loss and gradient over all levels of the pyramid, 1 to 100000.
        time_budget: seconds for the whole refinement, over 0; replaces `steps`.
        init: the picture that the optimisation starts from: `preview`, `preview+content`, `content`, `noise`,
            `content+noise`, or the path of a picture. `preview` is the output of `fast`. `preview+content` has the
            colours and light of the preview and the details of the content; it is faster if there is only one pyramid
            level. Levels up to the size of a given picture are skipped.
        loss: the loss that is minimised.
        optimization: the optimizer and its settings.
        pyramid: the sizes at which the picture is optimised.
        pooling: `max` or `avg`, for the pooling layers of the feature network.
        padding: what convolutions see beyond a border: `edge` the border again, `zeros` zeros, `first` the border in
            the first, then zeros. `mirror`: `edge`, and a mirrored margin of 8 px is painted, too, and cut off.
        recolor: recolour the target of the content loss: give it the mean and covariance of the style's colours.
        strength: 0 (the content) to 1 (the full style). Other values blend the targets of both.
        style_scale: long side of the style picture relative to the output's, 0.05 to 20. Larger gives larger strokes.
        keep_colors: how the output keeps the colours of the content, see `FastConfig`.
        seed: seed of the random numbers, 0 or more.
        network: name of the stylizer that makes the preview, see `FastConfig`.
        precision: numeric precision of the convolutions. `auto` takes bfloat16 if it is faster in a trial on this
            machine. Statistics are always float32.
    """

    features: str = "auto"
    size: int | str = 512
    steps: int = 140
    time_budget: float | None = None
    init: str = "preview"
    loss: PerceptualLossConfig = PerceptualLossConfig()
    optimization: OptimizationConfig = OptimizationConfig()
    pyramid: PyramidConfig = PyramidConfig()
    pooling: Literal["max", "avg"] = "max"
    padding: Literal["mirror", "edge", "first", "zeros"] = "mirror"
    # The palette loss has the same effect on the palette, and harms the content less (benchmarks/notes/023).
    recolor: bool = False
    strength: float = 1.0
    style_scale: float = 1.0
    keep_colors: KeepColors = False
    seed: int = 0
    network: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep_colors", _checked_colors(self.keep_colors))
        check_size(self.size)
        _check_whole("steps", self.steps, 1, 100_000)
        fits = self.time_budget is None or 0 < self.time_budget < math.inf
        _check(fits, f"time_budget: expected more than 0 seconds, and an end; received {self.time_budget}")
        _check_whole("seed", self.seed, 0, None)
        _check_choice("pooling", self.pooling, ("max", "avg"))
        _check_choice("padding", self.padding, ("mirror", "edge", "first", "zeros"))
        _check_choice("precision", self.precision, ("auto", "float32", "bfloat16"))
        _check(0 <= self.strength <= 1, f"strength: expected 0 to 1, received {self.strength}")
        _check(0.05 <= self.style_scale <= 20, f"style_scale: expected 0.05 to 20, received {self.style_scale}")

    @property
    def starts_from_preview(self) -> bool:
        """Whether the optimisation starts from the output of a stylizer."""
        return self.init in ("preview", "preview+content")

    @property
    def margin_px(self) -> int:
        """Width of the margin. Stripes that convolutions leave at a border are about as wide."""
        return 8 if self.padding == "mirror" else 0

    @property
    def preview(self) -> FastConfig:
        """The options of `fast` for the preview, which the refinement starts from and is compared with."""
        return FastConfig(self.network, self.size, self.strength, self.keep_colors)

    def replace(self, **options: Any) -> RefineConfig:
        """Return a copy with changed fields: those of this class, of the loss, of the optimizer or of the pyramid.

        Raises:
            OptionError: an option is unknown, or a value is out of range.
        """
        parts: dict[str, Any] = {"loss": self.loss, "optimization": self.optimization, "pyramid": self.pyramid}
        own_fields = {field.name for field in dataclasses.fields(self)}
        changed, in_parts = dict[str, Any](), {name: dict[str, Any]() for name in parts}
        for key, value in options.items():
            if key in own_fields:
                changed[key] = value
                continue
            homes = [n for n, part in parts.items() if key in {f.name for f in dataclasses.fields(part)}]
            _check(bool(homes), f"option {key!r}: not an option of refine")
            in_parts[homes[0]][key] = value
        for name, part in parts.items():
            if in_parts[name]:
                changed[name] = dataclasses.replace(changed.get(name, part), **in_parts[name])
        return dataclasses.replace(self, **changed)


@dataclass(frozen=True)
class AppConfig:
    """The options of `app`, the web page.

    Attributes:
        host: address to listen on. The default accepts connections from this machine only.
        port: port to listen on, 1 to 65535.
        max_refinements: refinements of all visitors that run at the same time, 1 or more.
        max_queue: refinements that may wait, 0 or more.
        max_upload_mb: largest upload in MB, 1 or more.
        max_megapixels: largest uploaded picture in megapixels, 1 or more; checked before the picture is decoded.
        grace_s: seconds without a connection after which a visitor counts as gone. Phones reconnect after moments.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    max_refinements: int = 1
    max_queue: int = 8
    max_upload_mb: int = 20
    max_megapixels: int = 40
    grace_s: float = 20.0

    def __post_init__(self) -> None:
        _check_whole("port", self.port, 1, 65535)
        _check_whole("max_refinements", self.max_refinements, 1, None)
        _check_whole("max_queue", self.max_queue, 0, None)
        _check_whole("max_upload_mb", self.max_upload_mb, 1, None, "{} MB")
        _check_whole("max_megapixels", self.max_megapixels, 1, None)


def config_from_dict(kind: type[Config], options: Mapping[str, Any]) -> Config:
    """Return the config that `dataclasses.asdict` turned into a dictionary, for example one from a picture's metadata.

    Args:
        kind: the class of the config.
        options: values by field name. JSON lists become tuples. Fields without a value keep their defaults.

    Raises:
        OptionError: `kind` has no such field, or a value has another type or is out of range.
    """
    config = checked(dict(options), kind, OptionError)
    _check_names(options, kind)
    return config


def _check_names(options: Mapping[str, Any], kind: type[Any]) -> None:
    fields = get_type_hints(kind)
    for name, value in options.items():
        _check(name in fields, f"option {shown(name)}: not an option of {kind.__name__}")
        if dataclasses.is_dataclass(fields[name]):
            _check_names(value, fields[name])
