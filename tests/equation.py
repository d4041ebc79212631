"""The objective of `docs/objective.md` in NumPy and float64: what all backends must agree with.

Nothing here is shared with the package but the weights of a network, its layers and the options.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stylize.config import PerceptualLossConfig
from stylize.layers import PLACES_LAYERS, VGG19_LAYERS
from stylize.networks.vgg import EncoderWeights

__all__ = ["Equation"]

_Array = NDArray[np.float64]
#: For each octave and region, by layer: Gram matrices, or second moments with the sums as last row and column.
_Statistics = list[list[dict[str, _Array]]]


class Equation:
    """total(x) for one content and its styles; max pooling.

    Args:
        config: the weights.
        network: the weights of the feature network.
        padding: of its convolutions.
        content: (1, H, W, 3).
        styles: pairs of a picture (1, h, w, 3) and a weight; weights sum to 1.
        masks: (R, H, W): one for all styles, or one for each style.
    """

    def __init__(
        self,
        config: PerceptualLossConfig,
        network: EncoderWeights,
        padding: Literal["edge", "zeros"],
        content: NDArray[np.floating[Any]],
        styles: Sequence[tuple[NDArray[np.floating[Any]], float]],
        masks: NDArray[np.floating[Any]] | None = None,
    ) -> None:
        self._config, self._network, self._padding = config, network, padding
        smallest = min(min(picture.shape[1:3]) for picture in (content, *(style for style, _ in styles)))
        self._octaves = next(o for o in range(1, config.octaves + 1) if o == config.octaves or smallest >> o < 16)
        self._masks = np.ones((1, *content.shape[1:3])) if masks is None else masks.astype(np.float64)
        self._areas = self._masks.sum((1, 2)) / self._masks.sum() * self._masks.any(axis=0).mean()
        pictures = [(picture[0].astype(np.float64), weight) for picture, weight in styles]
        one_each = len(self._masks) > 1
        self._styles = [[(picture, 1.0)] for picture, _ in pictures] if one_each else [pictures]
        self._palettes: list[_Array] = [
            np.asarray(sum(w * _palette(picture) for picture, w in region)) for region in self._styles
        ]
        self._wanted = self._style_targets()
        own = self._statistics(content[0].astype(np.float64), self._masks)
        areas = self._shares_of_octaves()
        self._shares = self._by_positions(self._relative_shares(areas, own))
        self._content = self._activations(content[0].astype(np.float64))
        self._saliency = self._saliency_of(content[0].astype(np.float64))
        self._luma = _luma(content[0].astype(np.float64))
        scale = self._scale(areas[0], own[0])
        self._content_scale = {name: scale / self._energy(name) for name, _ in config.content_layers}
        layers = PLACES_LAYERS if config.places_weight else ()
        self.places = {f"{name}.{r}": self._places(name, x) for name in layers for r, x in enumerate(self._styles)}
        self.prices = {each: np.zeros(len(self.places[each][0])) for each in self.places}

    def terms(self, image: NDArray[np.floating[Any]], wanted_colors: Sequence[_Array] = ()) -> dict[str, float]:
        """Return the terms of a picture (1, H, W, 3): their names are those of the docs, `content relu4_2` and so on.

        Args:
            image: the picture.
            wanted_colors: what `transport` returns, where the transport is not that of the picture itself.
        """
        config, x = self._config, image[0].astype(np.float64)
        activations, statistics = self._activations(x), self._statistics(x, self._masks)
        terms = {}
        for name, _ in config.content_layers:
            squares = np.square(activations[name] - self._content[name]).sum(-1)
            terms[f"content {name}"] = self._content_scale[name] * float((self._saliency[name] * squares).sum())
        for name, _ in config.style_layers:
            terms[f"style {name}"] = sum(
                self._shares[o][r][name] * self._distance(statistics[o][r][name], self._wanted[o][r][name])
                for o, r in itertools.product(range(self._octaves), range(len(self._masks)))
            )
        terms["content"] = sum(weight * terms[f"content {name}"] for name, weight in config.content_layers)
        terms["style"] = sum(weight * terms[f"style {name}"] for name, weight in config.style_layers)
        terms["places"] = self._places_loss(activations)
        terms["palette"] = self._palette_loss(x, wanted_colors or self.transport(image))
        terms["light"] = sum(
            1 - _cosine(*(self._light(luma, *cells) for luma in (_luma(x), self._luma)))
            for cells in [(12, 1), (24, 0)][: 2 if config.light_detail and max(self._luma.shape) >= 48 else 1]
        )
        terms["total_variation"] = _total_variation(x, config.normalization)
        terms["frame"] = _frame(x)
        terms["total"] = (
            config.content_weight * (terms["content"] + config.light_weight * terms["light"])
            + config.style_weight * (terms["style"] + config.places_weight * terms["places"])
            + config.style_weight * config.palette_weight * terms["palette"]
            + config.total_variation_weight * terms["total_variation"]
            + config.frame_weight * terms["frame"]
        )
        return {name: float(value) for name, value in terms.items()}

    def slope(self, image: NDArray[np.floating[Any]], direction: NDArray[np.floating[Any]]) -> float:
        """Return the derivative of the total at a picture in a direction, by a central difference."""
        # Wide enough for float64, and so small that no ReLU, maximum or nearest place changes.
        x, step, transport = image.astype(np.float64), 1e-8, self.transport(image)
        ahead, behind = (self.terms(x + sign * step * direction, transport)["total"] for sign in (1, -1))
        return (ahead - behind) / (2 * step)

    # Activations and their statistics

    def _activations(self, picture: _Array) -> dict[str, _Array]:
        """Return the activations (h, w, C) of all layers, lifted where the network has lifts."""
        network, found = self._network, {}
        x = picture * network.scale + network.offset
        last = max(VGG19_LAYERS.index(name) for name in self._config.layers)
        for name in VGG19_LAYERS[: last + 1]:
            if name.endswith("_1") and name != "relu1_1":
                x = _squares(x, 2).max((1, 3))
            edge = self._padding == "edge" or (network.edge_padding and name == "relu1_1")
            padded = np.pad(x, ((1, 1), (1, 1), (0, 0)), "edge" if edge else "constant")
            kernel, bias = network.convolutions[name.replace("relu", "conv")]
            height, width = x.shape[:2]
            x = bias + sum(
                padded[top : top + height, left : left + width] @ kernel[top, left].astype(np.float64)
                for top, left in itertools.product(range(3), range(3))
            )
            x = np.maximum(x, 0)
            found[name] = x @ network.lifts[name].astype(np.float64) if name in network.lifts else x
        return found

    def _statistics(self, picture: _Array, masks: _Array) -> _Statistics:
        found: _Statistics = []
        for _ in range(self._octaves):
            activations = self._activations(picture)
            found.append([{} for _ in masks])
            for (r, mask), (name, _) in itertools.product(enumerate(masks), self._config.style_layers):
                f = activations[name].reshape(-1, activations[name].shape[-1])
                if self._config.statistics == "moments":
                    f = np.hstack([f, np.ones((len(f), 1))])
                weights = _guide(mask, name).reshape(-1, 1)
                found[-1][r][name] = (weights * f).T @ f / max(weights.sum(), 1e-30)
            picture, masks = _squares(picture, 2).mean((1, 3)), np.stack([_squares(m, 2).mean((1, 3)) for m in masks])
        return found

    def _covariance(self, g: _Array) -> _Array:
        return g if self._config.statistics == "gram" else g[:-1, :-1] - np.outer(g[:-1, -1], g[:-1, -1])

    def _distance(self, g: _Array, wanted: _Array) -> float:
        """Return D."""
        ours, theirs = self._covariance(g), self._covariance(wanted)
        squares, energy = np.square(ours - theirs), np.square(theirs).sum()
        relative = self._config.normalization == "relative"
        if self._config.statistics == "gram":
            return float(squares.sum() / energy if relative else squares.mean())
        mean, mean_energy = np.square(g[:-1, -1] - wanted[:-1, -1]), np.square(wanted[:-1, -1]).sum()
        if relative:
            return float(mean.sum() / mean_energy + squares.sum() / (energy + 0.01 * mean_energy**2))
        return float(mean.mean() + squares.mean())

    # Targets

    def _style_targets(self) -> _Statistics:
        """Return G*, for each region the weighted mean of its styles."""
        found: _Statistics = [[] for _ in range(self._octaves)]
        for region in self._styles:
            each = [self._statistics(picture, np.ones((1, *picture.shape[:2]))) for picture, _ in region]
            for o, octave in enumerate(found):
                octave.append(
                    {
                        name: sum((w * g[o][0][name] for g, (_, w) in zip(each, region, strict=True)), np.zeros(()))
                        for name, _ in self._config.style_layers
                    }
                )
        return found

    def _shares_of_octaves(self) -> list[list[dict[str, float]]]:
        """Return q without its denominator. A region of too few positions of a layer has no share there."""
        octaves, regions = range(self._octaves), range(len(self._masks))
        found: list[list[dict[str, float]]] = [[{} for _ in regions] for _ in octaves]
        for r, (name, _) in itertools.product(regions, self._config.style_layers):
            mask, parts = self._masks[r], []
            for o in octaves:
                guide = _guide(mask, name)
                fewest = mask.max() * min(4, guide.size / 2)
                parts.append(0.5**o * (0 < guide.sum() >= fewest))
                mask = _squares(mask, 2).mean((1, 3))
            for o in octaves:
                found[o][r][name] = self._areas[r] * parts[o] / max(sum(parts), 1e-30)
        return found

    def _relative_shares(self, areas: list[list[dict[str, float]]], own: _Statistics) -> list[list[dict[str, float]]]:
        """Return q."""
        if not self._config.relative_to_content:
            return areas
        bounded = self._config.contrast_limit > 0 and self._config.normalization == "relative"
        wanted, most = self._wanted, 20.0 if bounded else math.inf

        def own_loss(o: int, r: int, name: str) -> float:
            return min(most, self._distance(own[o][r][name], wanted[o][r][name]))

        return [
            [
                {name: area / (0.1 + own_loss(o, r, name)) for name, area in each.items()}
                for r, each in enumerate(regions)
            ]
            for o, regions in enumerate(areas)
        ]

    def _by_positions(self, shares: list[list[dict[str, float]]]) -> list[list[dict[str, float]]]:
        """Return q, less where a region has few positions."""
        enough = self._config.enough_positions
        if not enough:
            return shares
        height, width = self._masks.shape[1:]
        lowered: list[list[dict[str, float]]] = [[{} for _ in regions] for regions in shares]
        for (o, regions), (name, _) in itertools.product(enumerate(shares), self._config.style_layers):
            side = 2 ** (int(name[4]) - 1 + o)
            for r, each in enumerate(regions):
                positions = self._areas[r] * (height // side) * (width // side)
                lowered[o][r][name] = each[name] * min(1.0, positions / enough)
        return lowered

    def _scale(self, areas: list[dict[str, float]], own: list[dict[str, _Array]]) -> float:
        """Return k without the energy of the content: 1 / sqrt(b)."""
        if not self._config.relative_to_content:
            return 1.0
        logs = []
        for name, _ in self._config.style_layers:
            spreads = [
                sum(a[name] * np.linalg.norm(self._covariance(g[name])) for a, g in zip(areas, statistics, strict=True))
                for statistics in (self._wanted[0], own)
            ]
            logs.append(math.log(np.clip(spreads[0] / spreads[1], 0.1, 10)))
        return float(np.exp(-np.mean(logs) / 2))

    def _energy(self, name: str) -> float:
        target = self._content[name]
        energies = {"relative": float(np.square(target).sum()), "mean": float(target.size), "sum": 1.0}
        return energies[self._config.normalization]

    def _saliency_of(self, content: _Array) -> dict[str, _Array]:
        """Return s, (h, w), by content layer."""
        last, long_side = max(self._config.layers, key=VGG19_LAYERS.index), max(content.shape[:2])
        small = [16 * max(1, round(side * 256 / long_side / 16)) for side in content.shape[:2]]
        e = np.square(self._activations(_resampled(content, *small))[last]).sum(-1)
        r = 1 + self._config.saliency * (e / e.mean() - 1).clip(0, 4)
        layers = [name for name, _ in self._config.content_layers]
        plane = _resampled(r / r.mean(), *content.shape[:2])
        return {name: _guide(plane, name) for name in layers}

    # Places

    def _places(self, name: str, styles: Sequence[tuple[_Array, float]]) -> tuple[_Array, _Array]:
        """Return the directions s (J, C) and the mean m (C,) of a region's styles."""
        each = [(self._activations(picture)[name], weight) for picture, weight in styles]
        spread = [(f[_evenly(f.shape[0], f.shape[1], 1024)].reshape(-1, f.shape[-1]), weight) for f, weight in each]
        most = max(len(f) for f, _ in spread)
        chosen = []
        for f, weight in spread:
            count = min(len(f), max(1, round(most * weight)))
            chosen.append(f[np.linspace(0, len(f) - 1, count).round().astype(int)])
        mean = sum((weight * f.mean(0) for f, weight in spread), np.zeros(()))
        centered = np.concatenate(chosen) - mean
        return centered / (np.linalg.norm(centered, axis=1, keepdims=True) + 1e-8), mean

    def find_prices(self, image: NDArray[np.floating[Any]]) -> Mapping[str, _Array]:
        """Take the prices of an optimal transport from a picture's places, and return them by layer and region."""
        activations = self._activations(image[0].astype(np.float64))
        for key, (directions, mean) in self.places.items():
            name, r = key.split(".")
            whole = activations[name]
            evenly = _evenly(whole.shape[0], whole.shape[1], 4096)
            f = whole[evenly].reshape(-1, len(mean)) - mean
            guide = _guide(self._masks[int(r)], name)
            # The sum of g is of no influence but for the 1e-30 that keep divisions finite.
            g = (guide if (guide == 1).all() else guide / guide.sum())[evenly].ravel()
            distances = 1 - _unit(f) @ directions.T
            prices = np.zeros(len(directions))
            for entropy in (0.2, 0.1, 0.05, 0.02):
                costs, scale = distances + prices, np.ones(len(directions))
                kernel = np.exp((costs.min(1, keepdims=True) - costs) / entropy)
                for _ in range(10):
                    scale = 1 / (len(prices) * kernel.T @ (g / (kernel @ scale + 1e-30)) + 1e-30)
                prices = prices - entropy * np.log(scale)
                prices -= prices.mean()
            self.prices[key] = prices
        return self.prices

    def _places_loss(self, activations: Mapping[str, _Array]) -> float:
        total = 0.0
        for key, (directions, mean) in self.places.items():
            name, r = key.split(".")
            f, g = activations[name].reshape(-1, len(mean)) - mean, _guide(self._masks[int(r)], name).ravel()
            nearest = (1 - _unit(f) @ directions.T + self.prices[key]).min(1)
            total += self._areas[int(r)] * float(nearest @ g / g.sum()) / len(PLACES_LAYERS)
        return total

    # Pixels

    def transport(self, image: NDArray[np.floating[Any]]) -> list[_Array]:
        """Return for each region the colours of its palette to which a picture's pixels go, (n, 6)."""
        x, found = image[0].astype(np.float64), []
        for mask, target in zip(self._masks, self._palettes, strict=True):
            colors = np.empty((x.shape[0] * x.shape[1], 6))
            for axis, (places, ranks) in enumerate(_ranked(x, mask)):
                quantiles = (np.arange(256) + 0.5) / 256
                colors[:, axis] = np.interp(ranks, quantiles, target[axis])[places]
            found.append(colors)
        return found

    def _palette_loss(self, x: _Array, wanted: Sequence[_Array]) -> float:
        total = 0.0
        for area, mask, target, colors in zip(self._areas, self._masks, self._palettes, wanted, strict=True):
            squares = np.square(x.reshape(-1, 3) @ _AXES - colors).mean(1) @ mask.ravel() / mask.sum()
            total += area * float(squares) / (target.var(1).mean() + 1e-3)
        return total

    def _light(self, luma: _Array, cells: int, share: int) -> _Array:
        """Return the means of so many cells along the long side, less their mean, if they count, and the details."""
        means, own = _cells(luma, cells), _cells(self._luma, cells)
        spread = np.sqrt((_cells(self._luma**2, cells) - own**2).clip(0))
        details = (_cells(luma * self._luma, cells) - means * own) / (spread + 1e-3)
        return np.concatenate([share * (means - means.mean()), self._config.light_detail * details])


def _squares(picture: _Array, side: int) -> _Array:
    """Return the squares of a picture (h, w, ...) that fit whole: (h // side, side, w // side, side, ...)."""
    height, width = picture.shape[0] // side, picture.shape[1] // side
    return picture[: height * side, : width * side].reshape(height, side, width, side, *picture.shape[2:])


def _guide(mask: _Array, layer: str) -> _Array:
    """Return how much of each position of a layer lies in a mask (H, W)."""
    guide: _Array = _squares(mask, 2 ** (int(layer[len("relu")]) - 1)).mean((1, 3))
    return guide


def _resampled(picture: _Array, height: int, width: int) -> _Array:
    """Return a picture (n, m, ...) at another size: linear between pixels; means if it is smaller."""
    for axis, side in enumerate((height, width)):
        count = picture.shape[axis]
        step = count / side
        distances = np.abs(np.arange(count) + 0.5 - (np.arange(side)[:, None] + 0.5) * step)
        weights = (1 - distances / max(1.0, step)).clip(0)
        weights /= weights.sum(1, keepdims=True)
        picture = np.moveaxis(np.tensordot(weights, picture, (1, axis)), 0, axis)
    return picture


def _unit(vectors: _Array) -> _Array:
    units: _Array = vectors / np.sqrt(np.square(vectors).sum(1, keepdims=True) + 1e-8)
    return units


def _evenly(height: int, width: int, most: int) -> tuple[slice, slice]:
    step = next(step for step in itertools.count(1) if -(-height // step) * -(-width // step) <= most)
    return slice(step // 2, height, step), slice(step // 2, width, step)


# Six directions of RGB, spread evenly over a half sphere, and 512 bins along each.
_HEIGHTS = 1 - (np.arange(6) + 0.5) / 6
_TURNS = math.pi * (1 + math.sqrt(5)) * np.arange(6)
_AXES = np.stack(
    [np.sqrt(1 - _HEIGHTS**2) * np.cos(_TURNS), np.sqrt(1 - _HEIGHTS**2) * np.sin(_TURNS), _HEIGHTS]
)  # fmt: skip
_BINS = np.linspace(np.minimum(_AXES, 0).sum(0), np.maximum(_AXES, 0).sum(0), 512).T


def _ranked(picture: _Array, mask: _Array) -> list[tuple[NDArray[np.int64], _Array]]:
    """Return for each axis the bins of the pixels (n,), and the ranks of the bins (512,)."""
    found = []
    for axis, bins in enumerate(_BINS):
        places = ((picture.reshape(-1, 3) @ _AXES[:, axis] - bins[0]) / (bins[1] - bins[0]) + 0.5).astype(np.int64)
        counts = np.bincount(places.clip(0, 511), mask.ravel(), 512)
        found.append((places.clip(0, 511), (counts.cumsum() - counts / 2) / counts.sum()))
    return found


def _palette(picture: _Array) -> _Array:
    quantiles = (np.arange(256) + 0.5) / 256
    ranked = _ranked(picture, np.ones(picture.shape[:2]))
    return np.stack([np.interp(quantiles, ranks, bins) for (_, ranks), bins in zip(ranked, _BINS, strict=True)])


def _total_variation(x: _Array, normalization: str) -> float:
    differences = np.diff(x, axis=0).reshape(-1, 3), np.diff(x, axis=1).reshape(-1, 3)
    if normalization != "relative":
        return float(sum(np.abs(each).sum() for each in differences))
    yiq = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    return float(sum(np.square(each @ yiq.T).sum(0) @ [1, 16, 16] for each in differences) / (x.size / 3))


def _cosine(one: _Array, other: _Array) -> float:
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def _luma(x: _Array) -> _Array:
    return np.asarray(x @ (0.299, 0.587, 0.114), np.float64)


def _frame(x: _Array) -> float:
    total = 0.0
    for side in (x, x[::-1], x.swapaxes(0, 1), x.swapaxes(0, 1)[::-1]):  # from the border inwards
        for width in (1, 2, 4):
            border, *beside = _squares(side[: 3 * width], width).mean((1, 3))
            total += float(np.square(border - sum(beside) / 2).mean())
    return total


def _cells(luma: _Array, along: int) -> _Array:
    """Return the mean luma around the middles of cells, so many along the long side."""
    long_side = max(luma.shape)
    for axis, side in enumerate(luma.shape):
        count = max(1, round(side / (long_side / along)))
        cell_px = side / count
        distances = np.abs(np.arange(side) + 0.5 - (np.arange(count)[:, None] + 0.5) * cell_px) / cell_px
        weights = (1 - distances).clip(0)
        luma = np.moveaxis(np.tensordot(weights / weights.sum(1, keepdims=True), luma, (1, axis)), 0, axis)
    return np.asarray(luma.ravel(), np.float64)
