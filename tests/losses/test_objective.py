"""The total loss: the equation, its gradient, and where both are zero."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samples import left_half, painting, tiny_convolutions, tiny_encoder, tiny_objective
from stylize.config import PerceptualLossConfig
from stylize.layers import GATYS_STYLE_LAYERS
from stylize.losses.objective import Objective
from stylize.losses.pixels import border, frame_loss, palette, palette_loss, total_variation
from stylize.losses.places import StylePlaces
from stylize.losses.targets import Targets
from stylize.networks.backend import array_of, numpy_of
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


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("relative_to_content", [False, True])
@pytest.mark.parametrize("statistics", ["gram", "moments"])
def test_the_total_is_the_equation_of_the_docstring(
    statistics: Literal["gram", "moments"], relative_to_content: bool, masked: bool
) -> None:
    """The equation of `stylize.losses.objective`, written out in NumPy on the activations of the same encoder."""
    config = PerceptualLossConfig(
        octaves=2, statistics=statistics, relative_to_content=relative_to_content,
        content_weight=40.0, total_variation_weight=10.0,
    )  # fmt: skip  # No term is much larger than the others.
    objective, encoder = tiny_objective(config), tiny_encoder(config)
    image, content, *styles = (painting(64, 128, seed)[None] for seed in range(4))
    # The styles vary less than the content, so that their spreads differ.
    weighted = [(0.5 * styles[0], 0.25), (0.2 + 0.3 * styles[1] ** 2, 0.75)]
    masks = np.stack([left_half(64, 128), 0.5 - 0.5 * left_half(64, 128)]) if masked else None
    targets = objective.targets.encode(content, weighted, masks=masks)
    targets = targets.with_prices(objective.targets.prices(targets, content))
    terms = objective.value(image, targets)
    expected = _equation(config, encoder, image, content, weighted, masks=masks, places=targets.places)
    assert terms["total"] == pytest.approx(expected, rel=2e-4)


_Image = NDArray[np.float32]
_Statistics = list[list[dict[str, NDArray[np.float64]]]]


def _equation(
    config: PerceptualLossConfig,
    encoder: FeatureEncoder,
    image: _Image,
    content: _Image,
    styles: list[tuple[_Image, float]],
    *,
    masks: _Image | None,
    places: Mapping[str, Sequence[StylePlaces]],
) -> float:
    """Return total(x) for relative losses. Statistics G are indexed by octave, region and layer."""
    everywhere = np.ones((1, *image.shape[1:3]), np.float32)
    regions = everywhere if masks is None else masks
    statistics = functools.partial(_statistics, config, encoder)
    ours, own = statistics(image, regions), statistics(content, regions)
    of_styles = [statistics(style, np.ones((1, *style.shape[1:3]), np.float32)) for style, _ in styles]
    wanted: _Statistics = [[] for _ in range(config.octaves)]
    for o in range(config.octaves):
        if masks is None:  # The weighted mean of the styles; with masks, each region has its own style.
            layers = of_styles[0][o][0]
            blend = {
                layer: sum(w * g[o][0][layer] for g, (_, w) in zip(of_styles, styles, strict=True)) for layer in layers
            }
            wanted[o] = [cast("dict[str, NDArray[np.float64]]", blend)]
        else:
            wanted[o] = [g[o][0] for g in of_styles]

    areas = regions.sum((1, 2)) / regions.sum() * regions.any(axis=0).mean()
    octave_shares = 0.5 ** np.arange(config.octaves) / (0.5 ** np.arange(config.octaves)).sum()
    style, k = 0.0, 1.0
    for layer, w in config.style_layers:
        for o, r in itertools.product(range(config.octaves), range(len(regions))):
            q = areas[r] * octave_shares[o]
            if config.relative_to_content:
                q /= 0.1 + _distance(config, own[o][r][layer], wanted[o][r][layer])
            style += w * q * _distance(config, ours[o][r][layer], wanted[o][r][layer])
        spreads = [
            sum(areas[r] * np.linalg.norm(_covariance(config, g[0][r][layer])) for r in range(len(regions)))
            for g in (wanted, own)
        ]
        k *= np.clip(spreads[0] / spreads[1], 0.1, 10) ** (1 / len(config.style_layers))

    activations, targets = (_activations(encoder, picture) for picture in (image, content))
    losses = {
        layer: np.square(activations[layer] - targets[layer]).sum() / np.square(targets[layer]).sum()
        for layer in targets
    }
    content_loss = sum(v * losses[layer] for layer, v in config.content_layers)
    if config.relative_to_content:
        content_loss /= np.sqrt(k)

    of_places = [
        a * _places_loss(encoder, image, {layer: each[r] for layer, each in places.items()}, mask)
        for r, (a, mask) in enumerate(zip(areas, regions, strict=True))
    ]
    palettes = [palette(style) for style, _ in styles]
    if masks is None:
        palettes = [sum((w * each for each, (_, w) in zip(palettes, styles, strict=True)), np.float32(0))]
    palette_terms = [a * _palette_loss(image, p, m) for a, p, m in zip(areas, palettes, regions, strict=True)]
    return float(
        config.content_weight * (content_loss + config.light_weight * _light_loss(image, content))
        + config.style_weight
        * (style + config.places_weight * sum(of_places) + config.palette_weight * sum(palette_terms))
        + config.total_variation_weight * float(total_variation(array_of(image), "relative"))
        + config.frame_weight * _frame_loss(image)
    )


def _places_loss(encoder: FeatureEncoder, image: _Image, places: Mapping[str, StylePlaces], mask: _Image) -> float:
    """Return P of one region."""
    activations, total = _activations(encoder, image), 0.0
    for layer, style in places.items():
        directions, mean, prices = (numpy_of(each).astype(np.float64) for each in style)
        f = activations[layer].reshape(-1, len(mean)) - mean
        distances = 1 - (f / np.linalg.norm(f, axis=1, keepdims=True)) @ directions.T + prices
        weights = _means(mask, encoder.strides[layer]).ravel()
        total += float((distances.min(1) * weights).sum() / weights.sum() / len(places))
    return total


def _light_loss(image: _Image, content: _Image) -> float:
    """Return 1 - the correlation of luma around the middles of cells, a dozen along the long side."""
    size = np.array(image.shape[1:3])
    counts = [max(1, round(side / (size.max() / 12))) for side in size]
    lights = []
    for picture in (image, content):
        luma = picture[0].astype(np.float64) @ (0.299, 0.587, 0.114)
        for axis, (side, count) in enumerate(zip(size, counts, strict=True)):
            cell_px = side / count
            fall = np.array(
                [[1 - abs(p + 0.5 - (n + 0.5) * cell_px) / cell_px for p in range(side)] for n in range(count)]
            )
            weights = fall.clip(0) / fall.clip(0).sum(1, keepdims=True)
            luma = np.moveaxis(np.tensordot(weights, luma, (1, axis)), 0, axis)
        lights.append(luma.ravel())
    return float(1 - np.corrcoef(lights)[0, 1])


def _palette_loss(image: _Image, *target_and_mask: _Image) -> float:
    return float(palette_loss(array_of(image), *map(array_of, target_and_mask)))


def _frame_loss(image: _Image) -> float:
    return float(frame_loss(*border(array_of(image))))


def _activations(encoder: FeatureEncoder, picture: _Image) -> dict[str, NDArray[np.float64]]:
    return {name: numpy_of(each)[0].astype(np.float64) for name, each in encoder(array_of(picture)).items()}


def _statistics(config: PerceptualLossConfig, encoder: FeatureEncoder, picture: _Image, masks: _Image) -> _Statistics:
    """Return the Gram matrices or second moments of every octave, region and layer."""
    found: _Statistics = []
    for _ in range(config.octaves):
        features = _activations(encoder, picture)
        found.append([{} for _ in masks])
        for (r, mask), (layer, _) in itertools.product(enumerate(masks), config.style_layers):
            f = features[layer].reshape(-1, features[layer].shape[-1])
            if config.statistics == "moments":
                f = np.hstack([f, np.ones((len(f), 1))])
            weights = _means(mask, encoder.strides[layer]).reshape(-1, 1)
            found[-1][r][layer] = (weights * f).T @ f / weights.sum()
        picture = _means(picture[0], 2)[None]
        masks = np.stack([_means(mask, 2) for mask in masks])
    return found


def _means(pixels: _Image, side: int) -> _Image:
    """Return the means over squares of a picture (h, w, ...), which both sides are multiples of."""
    height, width = pixels.shape[0] // side, pixels.shape[1] // side
    means: _Image = pixels.reshape(height, side, width, side, *pixels.shape[2:]).mean((1, 3))
    return means


def _covariance(config: PerceptualLossConfig, g: NDArray[np.float64]) -> NDArray[np.float64]:
    return g if config.statistics == "gram" else g[:-1, :-1] - np.outer(g[:-1, -1], g[:-1, -1])


def _distance(config: PerceptualLossConfig, g: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Return D for relative losses."""
    ours, wanted = _covariance(config, g), _covariance(config, target)
    squares, energy = np.square(ours - wanted).sum(), np.square(wanted).sum()
    if config.statistics == "gram":
        return float(squares / energy)
    mean, mean_wanted = g[:-1, -1], target[:-1, -1]
    mean_energy = np.square(mean_wanted).sum()
    return float(np.square(mean - mean_wanted).sum() / mean_energy + squares / (energy + 0.01 * mean_energy**2))


@settings(max_examples=8, deadline=None, derandomize=True)
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
    light = _light_loss(image, content)
    weighted = config.content_weight * (terms["content"] + config.light_weight * light)
    weighted += terms["style"] + 0.1 * terms["total_variation"]
    weighted += config.palette_weight * _palette_loss(image, targets.palettes[0])
    places = {layer: each[0] for layer, each in targets.places.items()}
    everywhere = np.ones(image.shape[1:3], np.float32)
    weighted += config.places_weight * _places_loss(
        tiny_encoder(config, padding="edge" if edge else "zeros"), image, places, everywhere
    )
    assert terms["total"] == pytest.approx(weighted + config.frame_weight * _frame_loss(image), rel=1e-5)


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
