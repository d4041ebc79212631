"""The losses of a step, and the record of all steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["HistoryEntry", "LossTerms"]


@dataclass(frozen=True)
class LossTerms:
    """One evaluation of the loss.

    `total` is the weighted sum of all terms, light, places, palette and frame included. `content` and `style` are sums
    over layers, with the weights of the layers alone; what `content` compares with depends on the level
    (`content_range_px`). The other fields are terms without weights.
    """

    total: float
    content: float
    style: float
    total_variation: float
    content_per_layer: Mapping[str, float]
    style_per_layer: Mapping[str, float]


@dataclass(frozen=True)
class HistoryEntry:
    """The record of one step: its level and its number (both from 1), seconds since the start, and its losses."""

    level: int
    step: int
    elapsed_s: float
    losses: LossTerms
