"""The public surface: every name, every option a keyword, and the same signatures until somebody changes them."""

from __future__ import annotations

import base64
import dataclasses
import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylize
from samples import painting

SNAPSHOT = Path(__file__).parent / "golden" / "signatures.json"


def _signatures() -> dict[str, list[str]]:
    """Return each public name's parameters and return type, or the fields of a dataclass, as text."""
    found: dict[str, list[str]] = {}
    for name in sorted(stylize.__all__):
        thing = getattr(stylize, name)
        if dataclasses.is_dataclass(thing):
            found[name] = [f"{field.name}: {field.type}" for field in dataclasses.fields(thing)]
        elif inspect.isfunction(thing) or (inspect.isclass(thing) and "__init__" in vars(thing)):
            signature = inspect.signature(thing)
            found[name] = [re.sub(r" at 0x\w+", "", str(each)) for each in signature.parameters.values()]
            found[name].append(f"-> {signature.return_annotation}")
        else:
            found[name] = []
    return found


def test_the_signatures_are_those_of_the_snapshot() -> None:
    """To change the public surface on purpose, write the new signatures: `python tests/test_api.py`."""
    assert _signatures() == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


@pytest.mark.parametrize("function", [stylize.fast, stylize.refine, stylize.compare])
def test_every_option_is_a_documented_keyword(function: Callable[..., Any]) -> None:
    parameters = inspect.signature(function).parameters
    assert not [each for each in parameters.values() if each.kind is each.VAR_KEYWORD]
    for name in parameters:
        assert re.search(rf"^ +{name}: \w", function.__doc__ or "", re.MULTILINE), name
    config = stylize.FastConfig() if function is stylize.fast else stylize.RefineConfig()
    parts = [value for value in vars(config).values() if dataclasses.is_dataclass(value)]
    fields = {field.name for part in (config, *parts) for field in dataclasses.fields(part)}
    parts_of_config = {name for name, value in vars(config).items() if dataclasses.is_dataclass(value)}
    assert fields - parts_of_config <= set(parameters)


@pytest.mark.parametrize("function", [stylize.fast, stylize.refine, stylize.compare])
def test_a_misspelt_option_is_a_type_error(
    tiny_networks: Path, pictures: tuple[Path, Path], function: Callable[..., Any]
) -> None:
    with pytest.raises(TypeError, match="strenght"):
        function(*pictures, strenght=1.0)


def test_an_option_given_wins_over_config_and_preset(tiny_networks: Path) -> None:
    content, style = painting(24, 32, 0), painting(32, 32, 1)
    config = stylize.RefineConfig(size=32, steps=3)
    result = stylize.refine(content, style, config=config, steps=2, content_layers=[("relu2_1", None)])
    assert isinstance(result.config, stylize.RefineConfig)
    assert (result.config.size, result.config.steps) == (32, 2)
    assert result.config.loss.content_layers == (("relu2_1", 1.0),)
    result = stylize.refine(content, style, preset="gatys", size=32, steps=2, keep_colors=False, coarsest_px="none")
    assert isinstance(result.config, stylize.RefineConfig)
    assert result.config.loss.statistics == "gram"
    assert result.config.pyramid.coarsest_px is None


WRONG_KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "strength": ({"strength": "0.5"}, "strength: expected a number, received '0.5'"),
    "size": ({"size": True}, "size: expected a number, received True"),
    "weight": ({"content_weight": True}, "content_weight: expected a number, received True"),
    "budget": ({"time_budget": "1"}, "time_budget: expected a number, received '1'"),
    "memory": ({"memory_gb": "2"}, "memory_gb: expected a number, received '2'"),
    "layer": ({"content_layers": ["relu4_2"]}, "content_layers: expected pairs such as"),
    "layers": ({"style_layers": "relu4_2"}, "style_layers: expected pairs such as"),
    "layer weight": ({"style_layers": [("relu4_2", "1")]}, "style_layers: expected a number, received '1'"),
    "checkpoint": ({"resume_from": "x.npz"}, "resume_from: expected a Checkpoint, as of read_checkpoint; received 'x"),
    "device": ({"device": 0}, "device: expected auto, cpu or a name such as gpu:1, received 0"),
    "preset": ({"preset": "nope"}, "preset: expected one of default"),
    "preset and config": (
        {"preset": "nope", "config": stylize.RefineConfig()}, "preset: expected a preset or a config, received 'nope'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("options", "message"), WRONG_KINDS.values(), ids=WRONG_KINDS)
def test_a_value_of_the_wrong_kind_is_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(stylize.OptionError, match=f"^{re.escape(message)}"):
        stylize.refine("absent.png", "absent.png", **options)
    if "strength" in options or "size" in options:
        with pytest.raises(stylize.OptionError, match=f"^{re.escape(message)}"):
            stylize.fast("absent.png", "absent.png", **options)


def test_a_number_of_numpy_is_a_number(tiny_networks: Path) -> None:
    content = painting(24, 32, 0)
    result = stylize.fast(content, content, strength=np.float32(0), size=32)  # type: ignore[arg-type]
    np.testing.assert_allclose(result.image, content, atol=1e-6)


def test_results_show_themselves_in_a_notebook(tiny_networks: Path) -> None:
    content, style = painting(24, 32, 0), painting(32, 32, 1)
    preview = stylize.fast(content, style, size=32)
    shown = stylize.read_image(preview._repr_png_()).pixels
    np.testing.assert_allclose(shown, preview.image, atol=0.6 / 255)
    comparison = stylize.compare(content, style, images=[preview.image, content], size=32)
    html = comparison._repr_html_()
    assert html.count('src="data:image/jpeg;base64,') == 3
    assert re.findall('<img alt="(.*?)"', html) == ["content", "image 1", "image 2"]
    assert f"SSIM {comparison.scores[0].ssim:.3f}" in html


def test_a_notebook_shows_transparent_parts_as_white(tiny_networks: Path) -> None:
    content = np.zeros((24, 32, 4), np.float32)
    content[:, :16, 3] = 1
    comparison = stylize.compare(content, painting(32, 32, 1), images=[content[..., :3]], size=32)
    shown = re.findall('base64,(.*?)"', comparison._repr_html_())
    assert len(shown) == 2
    for data in shown:
        pixels = stylize.read_image(base64.b64decode(data)).pixels
        assert pixels[:, 20:].min() > 0.9
        assert pixels[:, :12].max() < 0.1


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(_signatures(), indent=1) + "\n", encoding="utf-8")
