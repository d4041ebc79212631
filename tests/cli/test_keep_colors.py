"""Commands and table cells with --keep-colors."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from stylize.cli.columns import config_of_cells
from stylize.cli.main import main
from stylize.errors import OptionError


def run(*arguments: object, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ([], False),
        (["--keep-colors"], "luminance"),
        (["--keep-colors", "luminance"], "luminance"),
        (["--keep-colors", "histogram"], "histogram"),
        (["--keep-colors", "histogram", "--no-keep-colors"], False),
        (["--no-keep-colors", "--keep-colors"], "luminance"),
    ],
)
def test_keep_colors_takes_a_word_or_none(tiny_networks, pictures, tmp_path, words, kept):
    for tail in ([*words, "--size", "16"], ["--size", "16", *words]):
        run("fast", "-c", pictures[0], "-s", pictures[1], "-o", tmp_path / "out.png", "--overwrite", *tail)
        provenance = json.loads(run("info", tmp_path / "out.png", "--json").stdout)
        assert provenance["options"]["keep_colors"] == kept


def test_a_tables_cell_keeps_colors_as_the_option_does():
    config_of = config_of_cells("fast", {})
    words = {"histogram": "histogram", "luminance": "luminance", "yes": "luminance", "True": "luminance", "no": False}
    assert {word: config_of((("keep_colors", word),)).keep_colors for word in words} == words
    with pytest.raises(OptionError, match="keep-colors: expected luminance or histogram, received 'palette'"):
        config_of((("keep_colors", "palette"),))


def test_keep_colors_knows_its_words(pictures):
    inputs = ["-c", pictures[0], "-s", pictures[1]]
    message = run("fast", *inputs, "--keep-colors", "palette", exit_code=2).stderr
    assert "expected luminance or histogram, received 'palette'" in message
    assert "--keep-colors [luminance|histogram] / --no-keep-colors" in run("refine", "--help").stdout
