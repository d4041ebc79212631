"""The options of fast and refine as columns of a table."""

from __future__ import annotations

import pytest

from stylize.batch.tables import subjects_of_manifest
from stylize.cli.columns import COLUMNS, batch_config, config_of_cells
from stylize.config import FastConfig, RefineConfig
from stylize.errors import OptionError


def test_a_row_replaces_the_options_of_the_run():
    config_of = config_of_cells("fast", {"size": 200})
    assert config_of((("size", "300"),)) == FastConfig(size=300)
    cells = (("keep_colors", "True"), ("strength", "0.5"))
    assert config_of(cells) == FastConfig(size=200, keep_colors=True, strength=0.5)
    assert config_of_cells("refine", {"strength": 0.25})(()) == RefineConfig(strength=0.25)


def test_a_spreadsheet_may_write_whole_numbers_with_a_point():
    cells = (("mode", "refine"), ("size", "64.0"), ("steps", "7."), ("seed", "3"), ("strength", "1.0"))
    assert config_of_cells("fast", {})(cells) == RefineConfig(size=64, strength=1.0, seed=3).replace(steps=7)


@pytest.mark.parametrize(("cell", "size"), [("original", "original"), ("Original", "original"), ("150%", "150%")])
def test_a_size_may_be_relative_to_the_photograph(cell, size):
    assert config_of_cells("refine", {})((("size", cell),)) == RefineConfig(size=size)


def test_a_table_may_name_the_mode_the_preset_and_layers(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_text(
        '{"content": "a.png", "mode": "refine", "preset": "gatys", '
        '"Style_Layer": ["relu1_1:2", "conv3_1:1"], "steps": 7}'
    )
    (subject,) = subjects_of_manifest(str(path), COLUMNS)
    config = config_of_cells("fast", {})(subject.cells)
    assert isinstance(config, RefineConfig)
    assert (config.pooling, config.steps) == ("avg", 7)
    assert config.loss.style_layers == (("relu1_1", 2.0), ("relu3_1", 1.0))


def test_refine_takes_all_that_fast_does():
    cells = (("mode", "refine"), ("strength", "0.5"), ("keep_colors", "true"), ("size", "99"), ("network", "mini"))
    expected = RefineConfig(strength=0.5, keep_colors=True, size=99, network="mini")
    assert config_of_cells("fast", {})(cells) == expected


def test_options_of_refine_do_not_apply_to_rows_of_fast():
    config_of = config_of_cells("refine", {"features": "vgg19-slim", "preset": "gatys", "size": 99, "seed": 3})
    assert config_of((("mode", "fast"), ("strength", "0.5"))) == FastConfig(size=99, strength=0.5)
    with pytest.raises(OptionError, match="--features: an option of --mode refine, received --mode fast"):
        config_of((("features", "vgg19-slim"), ("mode", "fast")))


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ((("size", "big"),), "size: .*'big'"),
        ((("size", "0"),), "size: expected a long side"),
        ((("steps", "5"),), "--steps: an option of --mode refine, received --mode fast"),
        ((("mode", "slow"),), "mode: expected fast or refine"),
        ((("network", "nope"),), "network: 'nope' is not one of"),
        ((("mode", "refine"), ("style_layers", "relu9_9")), "style-layer: .*relu9_9"),
        ((("size", "64.5"),), "size: .*'64.5'"),
        ((("strength", "0,5"),), r"strength: expected a number with a point, such as 0.5, received '0,5'"),
        ((("mode", "refine"), ("recolor", "perhaps")), "recolor: 'perhaps' is not a valid boolean"),
    ],
)
def test_a_bad_cell_is_told_with_its_column(cells, words):
    with pytest.raises(OptionError, match=words):
        config_of_cells("fast", {})(cells)


@pytest.mark.parametrize(
    ("run", "defaults", "cells", "expected"),
    [
        ({"steps": 7}, set(), {"time_budget": "9"}, RefineConfig(time_budget=9.0).replace(steps=7)),
        ({"time_budget": 9.0}, set(), {"steps": "7"}, RefineConfig().replace(steps=7)),
        ({"time_budget": 9.0}, {"time_budget"}, {"steps": "7"}, RefineConfig().replace(steps=7)),
        ({"time_budget": 9.0, "steps": 7}, {"time_budget"}, {}, RefineConfig().replace(steps=7)),
        ({"time_budget": 9.0, "steps": 7}, {"steps"}, {}, RefineConfig(time_budget=9.0).replace(steps=7)),
    ],
    ids=["time of the row", "steps of the row", "time by default", "steps of the run", "steps by default"],
)
def test_of_steps_and_time_the_nearer_counts(run, defaults, cells, expected):
    assert config_of_cells("refine", run, defaults)(tuple(cells.items())) == expected


def test_steps_and_time_of_one_row_are_refused():
    with pytest.raises(OptionError, match="time_budget: replaces steps"):
        config_of_cells("refine", {})((("steps", "7"), ("time_budget", "9")))


def test_a_column_is_named_after_the_flag_or_the_field():
    assert COLUMNS["tv-weight"] == COLUMNS["total-variation-weight"] == "total_variation_weight"
    assert COLUMNS["style-layer"] == COLUMNS["style-layers"] == "style_layers"
    assert set(COLUMNS.values()) >= {"preset", "size", "steps", "seed", "network"}


def test_a_seed_of_the_draw_is_no_mistake_of_fast():
    assert config_of_cells("fast", {"seed": 3})(()) == FastConfig()
    assert config_of_cells("fast", {"seed": 3})((("mode", "refine"),)) == RefineConfig(seed=3)
    assert batch_config("refine", {"seed": 3}) == RefineConfig(seed=3)


@pytest.mark.parametrize("mode", ["fast", "refine"])
def test_a_seed_of_a_row_of_fast_is_refused(mode):
    with pytest.raises(OptionError, match="--seed: an option of --mode refine, received --mode fast"):
        config_of_cells(mode, {})((("mode", "fast"), ("seed", "3")))
