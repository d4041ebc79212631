"""fast and refine with the colours of the photograph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylize
from samples import left_half, painting
from stylize.errors import OptionError
from stylize.networks.mini import MiniStylizer

QUICK: dict[str, Any] = {"size": 48, "steps": 8, "features": "vgg19-slim", "precision": "float32"}


def _moments(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = pixels.reshape(-1, 3).astype(float)
    return flat.mean(axis=0), np.cov(flat.T)


def test_histogram_paints_with_the_palette_of_the_photograph(
    traced_networks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stylizer is given the style in the photograph's colours, or within masks those of the region."""
    given: list[Any] = []
    stylize_ = MiniStylizer.stylize
    monkeypatch.setattr(MiniStylizer, "stylize", lambda self, *asked: given.append(asked[1]) or stylize_(self, *asked))
    content, style = painting(64, 96, 0) * 0.2 + 0.4, painting(50, 50, 1)
    content[:, 48:] = content[:, 48:] * [1, 0.8, 0.6]
    masks = [left_half(64, 96), 1 - left_half(64, 96)]
    stylize.fast(content, style, size=96, keep_colors="histogram")
    stylize.fast(content, [style, style], size=96, mask=masks, keep_colors="histogram")
    (((whole, _),), ((left, _),), ((right, _),)) = given
    for colours, photo in ((whole, content), (left, content[:, :48]), (right, content[:, 48:])):
        for ours, theirs in zip(_moments(colours), _moments(photo), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=2e-3)
        ranks = np.linspace(0.1, 0.9, 9)
        quantiles = [np.quantile(pixels.reshape(-1, 3), ranks, axis=0) for pixels in (colours, photo)]
        np.testing.assert_allclose(*quantiles, atol=0.06)  # the style's own are up to 0.4 away


def test_refine_keeps_the_palette(traced_networks: Path) -> None:
    content, style = painting(48, 48, 0) * [0.2, 0.3, 0.4] + [0.1, 0.3, 0.5], painting(48, 48, 1) * [0.5, 0.2, 0.1]
    far, near = (
        np.abs(_moments(stylize.refine(content, style, keep_colors=kept, **QUICK).image)[0] - _moments(content)[0])
        for kept in (False, "histogram")
    )
    assert near.max() < 0.3 * far.max()


def test_true_means_luminance(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    """Pictures of early versions have `keep_colors: true` in their provenance."""
    assert stylize.FastConfig(keep_colors=True) == stylize.FastConfig(keep_colors="luminance")
    assert stylize.RefineConfig(keep_colors=True).keep_colors == "luminance"
    with pytest.raises(OptionError, match="keep_colors: expected luminance or histogram, received 'nothing'"):
        stylize.fast(*pictures, keep_colors="nothing")
