"""The total loss: the equation, its gradient, and where both are zero."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from equation import Equation
from samples import left_half, painting, tiny_convolutions, tiny_objective
from stylize.config import PerceptualLossConfig
from stylize.layers import GATYS_STYLE_LAYERS
from stylize.losses.objective import Objective, structure_of
from stylize.losses.targets import Targets
from stylize.networks import devices
from stylize.networks.backend import framework, numpy_of
from stylize.networks.vgg import EncoderWeights, FeatureEncoder
from stylize.presets import PRESETS


@pytest.mark.parametrize("octaves", [1, 3])
@pytest.mark.parametrize("normalization", ["relative", "mean", "sum"])
def test_loss_is_zero_at_the_target(normalization: Literal["relative", "mean", "sum"], octaves: int) -> None:
    config = PerceptualLossConfig(normalization=normalization, octaves=octaves)
    loss = tiny_objective(config)
    picture = painting(64, 72, 0)[None]
    terms = loss.value(picture, loss.targets.encode(picture, [(picture, 1.0)]))
    assert config.content_weight * terms["content"] == pytest.approx(0, abs=1e-9)
    assert config.style_weight * terms["style"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("side", [47, 64])
def test_one_objective_serves_light_with_details_and_without(side: int) -> None:
    image, content, style = (painting(side, 40, seed)[None] for seed in range(3))
    shared = tiny_objective(structure_of(PerceptualLossConfig()))
    for detail in (2.0, 0.0, 1.0):
        config = PerceptualLossConfig(light_detail=detail, content_weight=100.0)
        totals = []
        for objective in (shared.with_weights(config), tiny_objective(config)):
            targets = objective.targets.encode(content, [(style, 1.0)])
            assert len(targets.lights) == (2 if detail and side >= 48 else 1)
            totals += [objective.value(image, targets, tile_px)["total"] for tile_px in (None, 32)]
        assert totals == pytest.approx([totals[-2]] * 4, rel=1e-3)


def test_other_weights_are_computed_by_what_is_compiled_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each visitor of the web page may choose other weights. What TensorFlow compiles stays until the process ends."""
    first, second = PerceptualLossConfig(), PerceptualLossConfig(
        content_weight=2.0, light_weight=3.0, style_weight=0.5, total_variation_weight=1.0, frame_weight=5.0,
        places_weight=0.25, palette_weight=2.0, content_layers=(("relu3_1", 0.7), ("relu4_2", 0.2)),
    )  # fmt: skip
    image, content, style = (painting(64, 72, seed)[None] for seed in range(3))
    shared = tiny_objective(structure_of(first))
    found = {}
    for name, config in {"first": first, "second": second}.items():
        objective = shared.with_weights(config)
        found[name] = objective.value_and_gradient(image, objective.targets.encode(content, [(style, 1.0)]))
        # From now on, nothing may be compiled.
        monkeypatch.setattr(type(framework), "compiled", None)
    monkeypatch.undo()
    for name, config in {"first": first, "second": second}.items():
        objective = tiny_objective(config)
        targets = objective.targets.encode(content, [(style, 1.0)])
        terms, gradient = objective.value_and_gradient(image, targets)
        assert found[name][0]["total"] == pytest.approx(terms["total"], rel=1e-5)
        in_tiles = shared.with_weights(config).value(image, targets, tile_px=48)
        assert in_tiles["total"] == pytest.approx(terms["total"], rel=1e-3)
        np.testing.assert_allclose(numpy_of(found[name][1]), numpy_of(gradient), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["content", "light", "style", "places", "palette", "total_variation", "frame"])
def test_a_compiled_step_serves_all_weights_of_a_term_but_none(name: str) -> None:
    ours, larger, none = (
        structure_of(dataclasses.replace(PerceptualLossConfig(), **{f"{name}_weight": weight}))
        for weight in (1.0, 9.0, 0.0)
    )
    assert ours == larger != none


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("relative_to_content", [False, True])
@pytest.mark.parametrize("statistics", ["gram", "moments"])
def test_the_total_is_the_equation_of_the_docstring(
    statistics: Literal["gram", "moments"], relative_to_content: bool, masked: bool
) -> None:
    """The equation of `stylize.losses.objective`, written out in NumPy."""
    config = PerceptualLossConfig(
        octaves=2, statistics=statistics, relative_to_content=relative_to_content,
        content_weight=40.0, total_variation_weight=10.0,
    )  # fmt: skip  # No term is much larger than the others.
    objective = tiny_objective(config)
    image, content, *styles = (painting(64, 128, seed)[None] for seed in range(4))
    # The styles vary less than the content, so that their spreads differ.
    weighted = [(0.5 * styles[0], 0.25), (0.2 + 0.3 * styles[1] ** 2, 0.75)]
    masks = np.stack([left_half(64, 128), 0.5 - 0.5 * left_half(64, 128)]) if masked else None
    targets = objective.targets.encode(content, weighted, masks=masks)
    prices = objective.targets.prices(targets, content)
    terms = objective.value(image, targets.with_prices(prices))
    equation = Equation(config, EncoderWeights(tiny_convolutions()), "zeros", content, weighted, masks)
    equation.prices = {name: each.astype(np.float64) for name, each in prices.items()}
    assert terms["total"] == pytest.approx(equation.terms(image)["total"], rel=2e-4)


_Image = NDArray[np.float32]


@settings(max_examples=8)
@given(seed=st.integers(0, 1000), octaves=st.sampled_from([1, 2]), edge=st.booleans())
def test_gradient_agrees_with_finite_differences(seed: int, octaves: int, edge: bool) -> None:
    # Where the nearest place changes, the places loss has kinks, too.
    config = PerceptualLossConfig(total_variation_weight=0.1, octaves=octaves, places_weight=0.1)
    loss = tiny_objective(config, padding="edge" if edge else "zeros")
    content, style, image = (painting(40, 32, seed + i)[None] for i in range(3))
    targets = loss.targets.encode(content, [(style, 1.0)])
    terms, gradient = _value_and_gradient(loss, image, targets)
    direction = gradient / np.abs(gradient).max() + np.random.default_rng(seed).normal(0, 0.1, image.shape)
    direction = direction.astype(np.float32)
    step = 2e-4  # small enough to cross few kinks of ReLU and max pooling, large enough for float32
    ahead, behind = (loss.value_and_gradient(image + sign * step * direction, targets)[0]["total"] for sign in (1, -1))
    assert (ahead - behind) / (2 * step) == pytest.approx(float((gradient * direction).sum()), rel=0.08)
    equation = Equation(
        config, EncoderWeights(tiny_convolutions()), "edge" if edge else "zeros", content, [(style, 1.0)]
    )
    # JAX adds float32 in another order: 1.04e-5 in one of these cases.
    tolerance = 2e-5 if devices.chosen().backend == "jax" else 1e-5
    assert terms["total"] == pytest.approx(equation.terms(image)["total"], rel=tolerance)


def _value_and_gradient(
    objective: Objective, image: _Image, targets: Targets, tile_px: int | None = None
) -> tuple[dict[str, Any], _Image]:
    terms, gradient = objective.value_and_gradient(image, targets, tile_px)
    return terms, numpy_of(gradient)


@pytest.mark.parametrize("normalization", ["relative", "mean"])
@pytest.mark.parametrize("tile_px", [None, 48])
def test_gradient_within_masks_agrees_with_finite_differences(
    tile_px: int | None, normalization: Literal["relative", "mean"]
) -> None:
    config = PerceptualLossConfig(octaves=2, normalization=normalization, places_weight=0.1)
    objective = tiny_objective(config, padding="edge")
    image, content, *styles = (painting(80, 96, seed)[None] for seed in range(4))
    masks = np.stack([left_half(80, 96), 0.5 - 0.5 * left_half(80, 96)])
    targets = objective.targets.encode(content, [(style, 0.5) for style in styles], tile_px, masks)
    _, gradient = _value_and_gradient(objective, image, targets, tile_px)
    direction = gradient / np.abs(gradient).max()
    step = 2e-4  # small enough to cross few kinks of ReLU and max pooling, large enough for float32
    ahead, behind = (objective.value(image + sign * step * direction, targets, tile_px)["total"] for sign in (1, -1))
    assert (ahead - behind) / (2 * step) == pytest.approx(float((gradient * direction).sum()), rel=0.08)


def test_style_loss_does_not_depend_on_positions() -> None:
    """A picture and its mirror image have the same style where kernels are mirror images of themselves."""
    convolutions = {
        name: ((kernel + kernel[:, ::-1]) / 2, bias) for name, (kernel, bias) in tiny_convolutions().items()
    }
    encoder = FeatureEncoder(EncoderWeights(convolutions), [*GATYS_STYLE_LAYERS, "relu4_2"], precision="float32")
    loss = Objective(encoder, PerceptualLossConfig(octaves=2))
    picture = painting(64, 64, 3)[None]
    mirrored = np.ascontiguousarray(picture[:, :, ::-1])
    terms = loss.value(mirrored, loss.targets.encode(picture, [(picture, 1.0)]))
    assert terms["style"] < 1e-6 < terms["content"]


@pytest.mark.real
def test_tf_tutorial_preset_is_the_objective_of_the_tutorial(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preset `tf-tutorial` against another implementation of the objective of the tutorial."""
    monkeypatch.syspath_prepend(str(shared / "bench"))
    import vgg_objective

    from stylize.networks import store
    from stylize.networks.vgg import load_encoder_weights

    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path))
    found = store.add("vgg19", shared / "models" / "vgg19_imagenet_notop.h5")
    config = PRESETS["tf-tutorial"].config.loss
    loss = Objective(FeatureEncoder(load_encoder_weights(found), config.layers, precision="float32"), config)
    content, style, image = (painting(96, 128, seed)[None] for seed in range(3))
    terms = loss.value(image, loss.targets.encode(content, [(style, 1.0)]))
    ours = config.content_weight * terms["content"] + config.style_weight * terms["style"]
    network = vgg_objective.build_vgg19()
    theirs = float(vgg_objective.losses(network, image, vgg_objective.Targets(network, content, style))[2])
    assert ours == pytest.approx(theirs, rel=1e-3)
