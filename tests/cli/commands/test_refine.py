"""`stylize refine`: presets and options become a config."""

from __future__ import annotations

import pytest

from api_stand_in import ApiStandIn, run
from stylize.config import RefineConfig
from stylize.presets import PRESETS


def refined(fake: ApiStandIn) -> RefineConfig:
    config: RefineConfig = fake.calls[-1][3]
    return config


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_preset_sets_everything(preset, inputs, fake):
    run("refine", *inputs, "--preset", preset)
    assert refined(fake) == PRESETS[preset].config


def test_explicit_options_win_over_the_preset(inputs, fake):
    run(
        "refine", *inputs, "--preset", "tf-tutorial", "--steps", "7", "--optimizer", "lbfgs",
        "--tv-weight", "0", "--content-layer", "block4_conv2", "--style-layer", "conv1_1:1",
        "--style-layer", "relu2_1:3", "--no-keep-colors", "--seed", "5",
    )  # fmt: skip
    base = PRESETS["tf-tutorial"].config
    assert refined(fake) == base.replace(
        steps=7,
        optimizer="lbfgs",
        total_variation_weight=0.0,
        content_layers=(("relu4_2", 1.0),),
        style_layers=(("relu1_1", 1.0), ("relu2_1", 3.0)),
        seed=5,
    )


def test_layers_without_weights_share_those_of_the_preset(inputs, fake):
    run("refine", *inputs, "--preset", "gatys", "--content-layer", "relu4_2", "--style-layer", "relu1_1")
    assert refined(fake).loss.content_layers == PRESETS["gatys"].config.loss.content_layers
    assert refined(fake).loss.style_layers == (("relu1_1", pytest.approx(0.25)),)


def test_every_option_reaches_the_config(inputs, pictures, fake):
    """Each field that an option names differs from its default, in a value of its own type."""
    options = {
        "features": "vgg19", "network": "mini", "init": str(pictures[1]), "size": 64, "time_budget": 3.0,
        "learning_rate": 0.5, "content_weight": 2.0, "style_weight": 4.0, "pooling": "avg",
        "style_scale": 2.0, "precision": "float32", "keep_colors": True,
    }  # fmt: skip
    arguments = []
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", *([] if value is True else [value])]
    run("refine", *inputs, *arguments)
    assert refined(fake) == RefineConfig().replace(**options)


def test_memory_reaches_the_refinement(fake, inputs):
    run("refine", *inputs, "--memory", "3.5")
    assert fake.memory_gb == 3.5
    for memory in ("0", "inf", "nan"):
        assert "'--memory': expected a finite" in run("refine", *inputs, "--memory", memory, exit_code=2).stderr


def test_there_is_one_cpu(inputs, fake):
    for device in ("cpu:7", "tpu"):
        message = run("refine", *inputs, "--device", device, exit_code=2).stderr
        assert f"'--device': expected auto, cpu, gpu, gpu:1 or mps; received '{device}'" in message
    assert fake.calls == []
    run("refine", *inputs, "--device", "cpu:0")
