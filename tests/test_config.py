"""Configs: presets through JSON and back, layers by any name, and one line for what has no meaning."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from stylize.config import (
    FastConfig,
    OptimizationConfig,
    PerceptualLossConfig,
    PyramidConfig,
    RefineConfig,
    config_from_dict,
)
from stylize.earlier import with_earlier_options, without_later_options
from stylize.errors import OptionError
from stylize.layers import VGG19_LAYERS, canonical_layer
from stylize.presets import PRESETS, config_of

CONFIGS = {
    **{name: preset.config for name, preset in PRESETS.items()},
    "fast": FastConfig(network="mini", size=99, strength=0.5, keep_colors=True),
    "relative": FastConfig(size="12.5%"),
    "original": RefineConfig(size="original"),
    "budget": RefineConfig(time_budget=2.5, init="photo.jpg", seed=3),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_a_config_comes_back_from_json(config):
    text = json.dumps(dataclasses.asdict(config))
    again = config_from_dict(type(config), json.loads(text))
    assert again == config
    assert hash(again) == hash(config)  # tuples all the way down


def test_what_json_does_not_name_keeps_its_default():
    assert config_from_dict(FastConfig, {"size": 64}) == FastConfig(size=64)
    loss = {"octaves": 2, "style_layers": [["relu1_1", 1.0]]}
    expected = RefineConfig().replace(octaves=2, style_layers=(("relu1_1", 1.0),))
    assert config_from_dict(RefineConfig, {"loss": loss}) == expected


@pytest.mark.parametrize("name", ["relu4_2", "conv4_2", "block4_conv2", " ReLU4_2 "])
def test_a_layer_has_one_name(name):
    assert canonical_layer(name) == "relu4_2"


def test_every_layer_of_vgg19_keeps_its_name():
    assert len(VGG19_LAYERS) == 16
    assert [canonical_layer(name) for name in VGG19_LAYERS] == list(VGG19_LAYERS)


@pytest.mark.parametrize("name", ["", "relu", "relu1_3", "relu6_1", "block4_pool", "conv4_2:1", "relu4_2_1"])
def test_no_other_layer_is_taken(name):
    with pytest.raises(OptionError, match="expected one of VGG-19's activations") as caught:
        canonical_layer(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(("normalization", "padding"), [("relative", "first"), ("mean", "zeros"), ("sum", "zeros")])
def test_recorded_options_of_earlier_versions_mean_what_they_meant(normalization, padding):
    completed = with_earlier_options({"steps": 3, "loss": {"normalization": normalization}})
    config = config_from_dict(RefineConfig, completed)
    loss = config.loss
    assert (config.steps, config.padding) == (3, padding)
    assert (loss.places_weight, loss.light_weight, loss.light_detail, loss.contrast_limit) == (0.0, 0.0, 0.0, 0.0)
    assert (loss.saliency, loss.enough_positions, loss.content_range_px) == (0.0, 0, (0, 65535))
    recorded = dataclasses.asdict(RefineConfig(padding="edge"))
    assert with_earlier_options(recorded) == recorded
    assert with_earlier_options({"loss": "none"}) == {"loss": "none"}


def test_small_levels_of_earlier_versions_are_the_first_of_the_range():
    before, now = {"loss": {"full_style_px": 512}}, {"loss": {"content_range_px": [512, 65535]}}
    assert with_earlier_options(before)["loss"] == with_earlier_options(now)["loss"]
    config = config_from_dict(RefineConfig, with_earlier_options(before))
    assert config.loss.content_range_px == (512, 65535)
    as_before = without_later_options(dataclasses.asdict(config))["loss"]
    assert (as_before["full_style_px"], "content_range_px" in as_before) == (512, False)
    assert "full_style_px" not in without_later_options(dataclasses.asdict(RefineConfig()))["loss"]


def test_numbers_of_numpy_and_paths_are_recorded_as_those_of_python():
    arguments = {"strength": np.float32(0.5), "steps": np.int64(10), "init": Path("x.png"), "content_weight": 2}
    arguments["content_range_px"] = np.array([256, 512])
    config = config_of("default", None, {**arguments, "style_layers": [("relu1_1", np.float32(1))], "seed": None})
    assert (config.strength, config.steps, config.init) == (0.5, 10, "x.png")
    assert config.loss.content_range_px == (256, 512)
    assert {type(each) for each in (config.steps, config.loss.content_weight)} == {int}, "a whole number stays one"
    json.dumps(dataclasses.asdict(config))


def test_layers_cannot_share_the_weight_of_no_layers():
    with pytest.raises(OptionError, match="style_layers: expected a weight for every layer, because the preset has no"):
        config_of("neighbors", None, {"style_layers": [("relu1_1", None)]})


def test_replace_reaches_every_part():
    config = RefineConfig().replace(size=64, content_weight=2.0, optimizer="adam", coarsest_px=None)
    assert (config.size, config.loss.content_weight) == (64, 2.0)
    assert (config.optimization.optimizer, config.pyramid.coarsest_px) == ("adam", None)
    assert RefineConfig().replace() == RefineConfig()


def test_replace_takes_a_part_and_fields_of_it_together():
    adam = OptimizationConfig(optimizer="adam", beta_1=0.5)
    config = RefineConfig().replace(optimization=adam, learning_rate=0.5)
    assert config.optimization == dataclasses.replace(adam, learning_rate=0.5)


NONSENSE = {
    "an unknown option": lambda: RefineConfig().replace(brush=3),
    "an unknown option in a dict": lambda: config_from_dict(FastConfig, {"brush": 3}),
    "an unknown option in a part": lambda: config_from_dict(RefineConfig, {"loss": {"brush": 3}}),
    "an option of refine for fast": lambda: config_from_dict(FastConfig, {"steps": 3}),
    "fewer than no positions": lambda: RefineConfig().replace(enough_positions=-1),
    "light against the photo": lambda: RefineConfig().replace(light_detail=-1.0),
    "a subject that counts less": lambda: RefineConfig().replace(saliency=-0.1),
    "a subject that counts too much": lambda: RefineConfig().replace(saliency=101.0),
    "light that is not a number": lambda: RefineConfig().replace(light_detail=math.nan),
    "a content range below no size": lambda: RefineConfig().replace(content_range_px=(-1, 896)),
    "a content range beyond any size": lambda: RefineConfig().replace(content_range_px=(512, 65536)),
    "a content range from large to small": lambda: RefineConfig().replace(content_range_px=(896, 512)),
    "a content range of one size": lambda: RefineConfig().replace(content_range_px=(512,)),
    "a content range of a number": lambda: RefineConfig().replace(content_range_px=896),
    "a content range of parts": lambda: RefineConfig().replace(content_range_px=(0.5, 700.5)),
    "a content range of truths": lambda: RefineConfig().replace(content_range_px=(True, True)),
    "a content range of a text": lambda: RefineConfig().replace(content_range_px="59"),
    "less contrast than the style": lambda: RefineConfig().replace(contrast_limit=0.5),
    "contrast that is not a number": lambda: RefineConfig().replace(contrast_limit=math.nan),
    "contrast without bounds": lambda: RefineConfig().replace(contrast_limit=math.inf),
    "no size": lambda: FastConfig(size=0),
    "a size that is no number": lambda: FastConfig(size="large"),
    "no percent": lambda: FastConfig(size="0%"),
    "percent of nothing": lambda: RefineConfig(size="%"),
    "percent beyond all pictures": lambda: FastConfig(size="6553501%"),
    "a size beyond JPEG's": lambda: RefineConfig().replace(size=70_000),
    "a strength over 1": lambda: FastConfig(strength=1.5),
    "a strength that is no number": lambda: FastConfig(strength=float("nan")),
    "no steps": lambda: RefineConfig(steps=0),
    "no time": lambda: RefineConfig().replace(time_budget=0.0),
    "a pooling": lambda: RefineConfig().replace(pooling="median"),
    "a style scale": lambda: RefineConfig().replace(style_scale=0.0),
    "an optimizer": lambda: OptimizationConfig(optimizer="sgd"),
    "a learning rate": lambda: OptimizationConfig(learning_rate=0.0),
    "a weight below 0": lambda: RefineConfig().replace(total_variation_weight=-1.0),
    "a weight without end": lambda: RefineConfig().replace(style_weight=float("inf")),
    "nothing to optimise": lambda: RefineConfig().replace(content_weight=0.0, style_weight=0.0),
    "a layer twice": lambda: PerceptualLossConfig(style_layers=(("relu1_1", 1.0), ("relu1_1", 2.0))),
    "a layer by another name": lambda: PerceptualLossConfig(content_layers=(("conv4_2", 1.0),)),
    "a layer's weight below 0": lambda: PerceptualLossConfig(content_layers=(("relu4_2", -1.0),)),
    "no layers": lambda: PerceptualLossConfig(style_layers=(), places_weight=0.0),
    "a padding": lambda: RefineConfig(padding="reflect"),
    "statistics": lambda: PerceptualLossConfig(statistics="grams"),
    "a normalization": lambda: PerceptualLossConfig(normalization="none"),
    "no octaves": lambda: PerceptualLossConfig(octaves=0),
    "a momentum that never forgets": lambda: OptimizationConfig(beta_1=1.0),
    "no epsilon": lambda: OptimizationConfig(epsilon=0.0),
    "a time without end": lambda: RefineConfig(time_budget=float("inf")),
    "a precision": lambda: RefineConfig(precision="float16"),
    "a pyramid without a bottom": lambda: RefineConfig().replace(coarsest_px=0),
    "a pyramid that does not rise": lambda: PyramidConfig(ratio=1.005),
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE.keys())
def test_what_has_no_meaning_is_one_line(nonsense):
    with pytest.raises(OptionError) as caught:
        nonsense()
    message = str(caught.value)
    assert message
    assert "\n" not in message


def test_the_numbers_of_adam_mean_nothing_in_runs_of_l_bfgs() -> None:
    now = dataclasses.asdict(RefineConfig(padding="edge"))
    before = {**now, "optimization": {**now["optimization"], "beta_1": 0.99, "epsilon": 0.1}}
    assert with_earlier_options(before) == now
    assert without_later_options(now) == without_later_options(before)
    adam = {**before, "optimization": {**before["optimization"], "optimizer": "adam"}}
    assert with_earlier_options(adam) == adam
    assert without_later_options(adam)["optimization"] == adam["optimization"]
