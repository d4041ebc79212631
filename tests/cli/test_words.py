"""A config becomes the words of the command line, and the words become the same config."""

from __future__ import annotations

import pytest

from api_stand_in import run
from stylize.cli.words import arguments_of, arguments_of_output
from stylize.config import RefineConfig
from stylize.errors import OptionError
from stylize.output import OutputConfig
from stylize.presets import PRESETS


@pytest.mark.parametrize(
    "config",
    [*(preset.config for preset in PRESETS.values()),
     RefineConfig().replace(time_budget=2.5, init="content", seed=3, keep_colors=True, recolor=False),
     PRESETS["gatys"].config.replace(content_weight=1 / 3, style_layers=(("relu1_1", 0.1), ("relu2_1", 1 / 7))),
     PRESETS["tf-tutorial"].config.replace(size=96, optimizer="lbfgs", recolor=True)],
    ids=[*PRESETS, "default with options", "gatys with layers", "tf-tutorial with options"],
)  # fmt: skip
def test_a_config_is_typed_as_it_was_read(config, inputs, fake):
    run("refine", *inputs, *arguments_of(config))
    assert fake.calls[-1][3] == config


def test_a_config_is_typed_over_the_preset_that_is_nearest():
    assert arguments_of(RefineConfig()) == []
    assert arguments_of(PRESETS["gatys"].config.replace(steps=7)) == ["--preset", "gatys", "--steps", "7"]
    with pytest.raises(OptionError, match="expected a config that options of refine make"):
        arguments_of(RefineConfig().replace(beta_1=0.5))


def test_the_options_of_an_output_come_back():
    assert arguments_of_output(OutputConfig()) == []
    output = OutputConfig(quality=50, bit_depth=16, metadata="none", provenance=False)
    expected = "--quality 50 --bit-depth 16 --keep-metadata none --no-provenance"
    assert arguments_of_output(output) == expected.split()


def test_a_time_budget_stands_alone():
    assert arguments_of(RefineConfig(time_budget=5.0).replace(steps=9)) == ["--time-budget", "5"]
