"""Presets: named sets of options of `refine`, as pure data."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from stylize.config import FastConfig, OptimizationConfig, PerceptualLossConfig, PyramidConfig, RefineConfig
from stylize.errors import OptionError
from stylize.layers import GATYS_STYLE_LAYERS, LayerWeights
from stylize.schema import shown

__all__ = ["PRESETS", "Preset", "check_number", "chosen", "config_of", "preset_config", "with_options"]


@dataclass(frozen=True)
class Preset:
    """A named set of options of `refine`.

    Attributes:
        description: one line for the help: the source, and what the preset sets.
        config: the options.
    """

    description: str
    config: RefineConfig


_SINGLE_LEVEL = PyramidConfig(coarsest_px=None)

# The terms that this project adds to the loss of the literature, switched off.
_PLAIN_LOSS = PerceptualLossConfig(
    light_weight=0.0,
    light_detail=0.0,
    saliency=0.0,
    total_variation_weight=0.0,
    frame_weight=0.0,
    palette_weight=0.0,
    places_weight=0.0,
    octaves=1,
    enough_positions=0,
    contrast_limit=0.0,
    content_range_px=(0, 65535),
    statistics="gram",
    relative_to_content=False,
)


def _style(*weights: float) -> LayerWeights:
    return tuple(zip(GATYS_STYLE_LAYERS, weights, strict=True))


PRESETS: Mapping[str, Preset] = {
    "default": Preset(
        "This project's: from the preview, coarse to fine, bounded L-BFGS; statistics of the style at three sizes, and "
        "strokes place by place; losses relative to their targets.",
        RefineConfig(),
    ),
    "faithful": Preset(
        "The default with more of the scene: twice its content weight, half its places weight.",
        RefineConfig(loss=PerceptualLossConfig(content_weight=1.27, places_weight=0.75)),
    ),
    "bold": Preset(
        "The default with more of the style: half its content weight, twice its places weight.",
        RefineConfig(loss=PerceptualLossConfig(content_weight=0.32, places_weight=3.0)),
    ),
    "neighbors": Preset(
        "Places alone, after Kolkin et al. 2022 (arXiv 2203.13215): every place looks like some place of "
        "the style, without statistics or palette; from the content, at 256 px and up.",
        RefineConfig(
            steps=90,
            init="content",
            loss=dataclasses.replace(
                _PLAIN_LOSS,
                style_layers=(),
                content_weight=0.1,
                total_variation_weight=4.0,
                frame_weight=2.0,
                places_weight=1.0,
            ),
            pyramid=PyramidConfig(coarsest_px=256),
        ),
    ),
    "gatys": Preset(
        "Gatys, Ecker, Bethge 2015 (arXiv 1508.06576): average pooling, content relu4_2, style relu1_1 to relu5_1 "
        "equally weighted, alpha/beta 1e-3, from noise, L-BFGS.",
        RefineConfig(
            steps=500,
            init="noise",
            # The layer weights include the factors 1/2 (content) and 1/4 (style) of the paper's formulas.
            loss=dataclasses.replace(
                _PLAIN_LOSS,
                content_layers=(("relu4_2", 0.5),),
                style_layers=_style(*[0.2 / 4] * 5),
                content_weight=1e-3,
                style_weight=1.0,
                normalization="sum",
            ),
            pyramid=_SINGLE_LEVEL,
            recolor=False,
            pooling="avg",
            padding="zeros",
        ),
    ),
    "tf-tutorial": Preset(
        "TensorFlow's tutorial, also the Streamlit project's: content block5_conv2, Adam .02 (beta1 "
        ".99, eps .1), weights 1e4 and 1e-2, total variation 30, 1000 steps from the content.",
        RefineConfig(
            steps=1000,
            init="content",
            loss=dataclasses.replace(
                _PLAIN_LOSS,
                content_layers=(("relu5_2", 1.0),),
                style_layers=_style(*[0.2] * 5),
                content_weight=1e4,
                style_weight=1e-2,
                total_variation_weight=30.0,
                normalization="mean",
            ),
            optimization=OptimizationConfig(optimizer="adam", learning_rate=0.02, beta_1=0.99, epsilon=1e-1),
            pyramid=_SINGLE_LEVEL,
            recolor=False,
            padding="zeros",
            precision="float32",
        ),
    ),
    "ml-art-combine": Preset(
        "aiden200/ml_art_combine: content block5_conv4, J = 1/(4HWD) sum of squares; style J = 1/(4 D^2 (HW)^2) sum of "
        "squared Gram differences, conv1_1 to conv5_1 weighted .1 .2 .4 .2 .1; alpha 10, beta 40; Adam .01, 2500 steps "
        "from content plus noise; with the VGG preprocessing that the original forgot.",
        RefineConfig(
            steps=2500,
            init="content+noise",
            # Both formulas are means of squares divided by 4. The layer weights include the 1/4.
            loss=dataclasses.replace(
                _PLAIN_LOSS,
                content_layers=(("relu5_4", 1 / 4),),
                style_layers=_style(0.1 / 4, 0.2 / 4, 0.4 / 4, 0.2 / 4, 0.1 / 4),
                content_weight=10.0,
                style_weight=40.0,
                normalization="mean",
            ),
            optimization=OptimizationConfig(optimizer="adam", learning_rate=0.01, beta_1=0.9, epsilon=1e-7),
            pyramid=_SINGLE_LEVEL,
            recolor=False,
            padding="zeros",
            precision="float32",
        ),
    ),
    "nst-notebook": Preset(
        "teyang-lau's notebook: content block5_conv2, weights 1e3 and 1e-3, Adam 5 on 0 to 255 (beta1 .99, eps .1), "
        "500 steps from the content, best iterate kept.",
        RefineConfig(
            steps=500,
            init="content",
            loss=dataclasses.replace(
                _PLAIN_LOSS,
                content_layers=(("relu5_2", 1.0),),
                style_layers=_style(*[0.2] * 5),
                content_weight=1e3,
                style_weight=1e-3,
                normalization="mean",
            ),
            # Here pixels are in [0, 1], not in [0, 255]. So the step is 255 times smaller (5 / 255). Gradients are 255
            # times larger, and so is epsilon (0.1 * 255).
            optimization=OptimizationConfig(
                optimizer="adam", learning_rate=5 / 255, beta_1=0.99, epsilon=0.1 * 255, keep_best=True
            ),
            pyramid=_SINGLE_LEVEL,
            recolor=False,
            padding="zeros",
            precision="float32",
        ),
    ),
}


def preset_config(preset: str, options: Mapping[str, Any]) -> RefineConfig:
    """Return the config of a preset with `options` over it, as of `with_options`.

    Args:
        preset: a name of `PRESETS`.
        options: fields of `RefineConfig` and of its parts.

    Raises:
        OptionError: the preset or an option is unknown, or a value is out of range.
    """
    if preset not in PRESETS:
        raise OptionError(f"preset: expected one of {', '.join(PRESETS)}, received {preset!r}")
    return with_options(PRESETS[preset].config, options)


def config_of(preset: str, config: RefineConfig | None, arguments: Mapping[str, Any]) -> RefineConfig:
    """Return the config that keywords of `refine` or `compare` ask for.

    Args:
        preset: a name of `PRESETS`.
        config: all options at once, instead of a preset.
        arguments: the keywords; options among them that are not None replace those of the preset or config.

    Raises:
        OptionError: there is a preset beside a config, the preset is unknown, or a value is out of range.
    """
    options = chosen(RefineConfig(), arguments)
    if options.get("coarsest_px") == "none":
        options["coarsest_px"] = None
    if config is None:
        return preset_config(preset, options)
    if preset != "default":
        raise OptionError(f"preset: expected a preset or a config, received {preset!r} beside a config")
    return with_options(config, options)


def chosen(defaults: FastConfig | RefineConfig, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a function's arguments that are options of the config, or of its parts, and are not None.

    Raises:
        OptionError: an option that is a number has another kind of value.
    """
    parts = [value for value in vars(defaults).values() if dataclasses.is_dataclass(value)]
    kinds = {field.name: str(field.type) for part in (defaults, *parts) for field in dataclasses.fields(part)}
    options = {name: _plain(value) for name, value in arguments.items() if name in kinds and value is not None}
    for name, value in options.items():
        if kinds[name].startswith("float"):
            check_number(name, value)
        # True counts as 1 otherwise.
        elif kinds[name].startswith("int") and isinstance(value, bool):
            raise _no_number(name, value)
    return options


def _plain(value: Any) -> Any:
    """Return numbers and arrays of NumPy, and paths, as the values of Python that the provenance records."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    if hasattr(value, "tolist"):
        return value.tolist()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def check_number(name: str, value: Any) -> None:
    """Raise OptionError unless `value` is a number."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise _no_number(name, value)


def _no_number(name: str, value: Any) -> OptionError:
    return OptionError(f"{name}: expected a number, received {shown(value)}")


def with_options(config: RefineConfig, options: Mapping[str, Any]) -> RefineConfig:
    """Return a config with `options` set.

    Args:
        config: what the options replace.
        options: fields of `RefineConfig` and of its parts. Layers may be pairs of a name and None: they share the
            total weight of the config's layers.

    Raises:
        OptionError: an option is unknown, or a value is out of range.
    """
    chosen = dict(options)
    for field in ("content_layers", "style_layers"):
        if field in chosen:
            chosen[field] = _layer_weights(field, chosen[field], getattr(config.loss, field))
    return config.replace(**chosen)


def _layer_weights(field: str, layers: Sequence[tuple[str, float | None]], preset: LayerWeights) -> LayerWeights:
    pairs = isinstance(layers, Sequence) and all(isinstance(each, (tuple, list)) and len(each) == 2 for each in layers)
    if not pairs:
        raise OptionError(f"{field}: expected pairs such as ('relu4_2', 1.0), received {shown(layers)}")
    weighted = [(name, weight) for name, weight in layers if weight is not None]
    if not layers:
        return ()
    for _, weight in weighted:
        check_number(field, weight)
    if not weighted:
        share = sum(weight for _, weight in preset) / len(layers)
        if not share:
            raise OptionError(f"{field}: expected a weight for every layer, because the preset has no layers to share")
        return tuple((name, share) for name, _ in layers)
    if len(weighted) < len(layers):
        raise OptionError(f"{field}: expected a weight for every layer or for none")
    return tuple(weighted)
