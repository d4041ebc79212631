"""The losses of pixels alone, band by band: in memory that does not grow with the picture."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from stylize.config import PerceptualLossConfig
from stylize.losses import pixels
from stylize.losses.light import LIGHT, LIGHT_SUMS, Light, light_loss_of_sums, light_sums
from stylize.losses.targets import Targets
from stylize.losses.tiles import PICTURE, row_bands
from stylize.networks.backend import Array, framework, ops, spec

__all__ = ["add_gradient"]


def add_gradient(
    image: Array, targets: Targets, config: PerceptualLossConfig, weights: Mapping[str, Any], gradient: Array
) -> tuple[Array, Array, Array]:
    """Add the gradient of the weighted losses of pixels.

    Args:
        image: (1, H, W, 3), sRGB in [0, 1].
        targets: hold light, palettes and masks.
        config: the normalization, and whether there is a frame loss.
        weights: of the terms, by name.
        gradient: (H, W, 3), on the device; written in place.

    Returns:
        The total variation, the weighted sum of total variation, frame, light and palette, and the gradient.
    """
    height, width = image.shape[1:3]
    bands = row_bands(height)
    variation, total = 0.0, 0.0
    scale = pixels.variation_scale(height * width, config.normalization)
    for top, bottom in bands:
        parts = image[:, top:bottom], image[:, bottom : bottom + 1]
        value, _, slopes = _variation(config.normalization)(parts)
        variation = variation + scale * value
        for slope, first in zip(slopes, (top, bottom), strict=True):
            if slope.shape[1]:
                weighted = weights["total_variation"] * scale * slope[0]
                gradient = framework.add_window(gradient, weighted, first, 0)
    total = total + weights["total_variation"] * variation
    if config.frame_weight:
        value, _, slopes = _frame()(pixels.border(image))
        total = total + weights["frame"] * value
        far = height - pixels.FRAME_PX, width - pixels.FRAME_PX
        for slope, place in zip(slopes, ((0, 0), (far[0], 0), (0, 0), (0, far[1])), strict=True):
            gradient = framework.add_window(gradient, weights["frame"] * slope[0], *place)
    for light in targets.lights:
        of_bands = [
            (image[:, top:bottom], light._replace(rows=light.rows[:, top:bottom], luma=light.luma[top:bottom]))
            for top, bottom in bands
        ]
        value, _, of_sums = _light()(sum(_light_sums()(*band) for band in of_bands), light)
        total = total + weights["light"] * value
        for (top, _), (band, here) in zip(bands, of_bands, strict=True):
            _, _, slope = _light_slope()(band, here, weights["light"] * of_sums)
            gradient = framework.add_window(gradient, slope[0], top, 0)
    for region, target in enumerate(targets.palettes):
        masks = targets.regions.masks
        shares = [masks[region][top:bottom] if masks else None for top, bottom in bands]
        some = [image[:, top:bottom] for top, bottom in bands]
        counts = sum(_counts(each is not None)(band, *_given(each)) for band, each in zip(some, shares, strict=True))
        wanted = pixels.transport(counts, target)
        weight = weights["palette"] * targets.regions.areas[region]
        weight = weight * pixels.palette_scale(counts, target)
        for (top, _), band, each in zip(bands, some, shares, strict=True):
            value, _, slope = _palette(each is not None)(band, wanted, *_given(each))
            total = total + weight * value
            gradient = framework.add_window(gradient, weight * slope[0], top, 0)
    return variation, total, gradient


def _given(weights: Array | None) -> tuple[Array, ...]:
    return () if weights is None else (weights,)


_WEIGHTS = spec(None, None)


@functools.cache
def _variation(normalization: str) -> Any:
    def value(parts: tuple[Array, Array]) -> tuple[Array, tuple[()]]:
        return pixels.variation_sum(*parts, normalization), ()

    return framework.compiled(framework.value_and_gradient(value), [(PICTURE, PICTURE)])


@functools.cache
def _frame() -> Any:
    def value(parts: tuple[Array, ...]) -> tuple[Array, tuple[()]]:
        return pixels.frame_loss(*parts), ()

    return framework.compiled(framework.value_and_gradient(value), [(PICTURE,) * 4])


@functools.cache
def _light_sums() -> Any:
    return framework.compiled(light_sums, [PICTURE, LIGHT])


@functools.cache
def _light() -> Any:
    def value(sums: Array, light: Light) -> tuple[Array, tuple[()]]:
        return light_loss_of_sums(sums, light), ()

    return framework.compiled(framework.value_and_gradient(value), [LIGHT_SUMS, LIGHT])


@functools.cache
def _light_slope() -> Any:
    def value(band: Array, light: Light, slopes: Array) -> tuple[Array, tuple[()]]:
        return ops.sum(light_sums(band, light) * slopes), ()

    return framework.compiled(framework.value_and_gradient(value), [PICTURE, LIGHT, LIGHT_SUMS])


@functools.cache
def _counts(weighted: bool) -> Any:
    return framework.compiled(pixels.color_counts, [PICTURE, _WEIGHTS] if weighted else [PICTURE])


@functools.cache
def _palette(weighted: bool) -> Any:
    def value(band: Array, wanted: Array, weights: Array | None = None) -> tuple[Array, tuple[()]]:
        return pixels.palette_sum(band, wanted, weights), ()

    signature = [PICTURE, spec(*pixels.COUNTS_SHAPE)]
    return framework.compiled(framework.value_and_gradient(value), [*signature, *([_WEIGHTS] if weighted else [])])
