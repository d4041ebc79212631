"""Options of `refine` that earlier versions did not have: what their pictures, checkpoints and manifests mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["with_earlier_options", "without_later_options"]

# Terms of the loss that earlier versions did not have, switched off.
_LOSS: dict[str, Any] = {
    "places_weight": 0.0,
    "light_weight": 0.0,
    "light_detail": 0.0,
    "saliency": 0.0,
    "enough_positions": 0,
    "contrast_limit": 0.0,
    "content_range_px": [0, 65535],
}

# What earlier versions recorded of Adam for L-BFGS, too, and what is recorded now. L-BFGS uses neither.
_EARLIER_ADAM = {"beta_1": 0.99, "epsilon": 0.1}
_ADAM = {"beta_1": 0.9, "epsilon": 1e-10}

# By normalization of the loss: the padding of earlier versions.
_PADDING = {"relative": "first", "mean": "zeros", "sum": "zeros"}


def with_earlier_options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the recorded options of a refinement, with what was meant before an option was there."""
    loss = options.get("loss", {})
    if not isinstance(loss, dict):
        return options
    padding = _PADDING.get(str(loss.get("normalization", "relative")), "zeros")
    if "full_style_px" in loss:
        loss = {**loss, "content_range_px": [loss["full_style_px"], 65535]}
        del loss["full_style_px"]
    return {"padding": padding, **_with_adam(options, _ADAM), "loss": {**_LOSS, **loss}}


def without_later_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a refinement as an earlier version would record them, if it could paint the same."""
    loss = {name: value for name, value in options["loss"].items() if name not in _LOSS or value}
    smallest_px, largest_px = loss["content_range_px"]
    if largest_px == 65535:
        del loss["content_range_px"]
        loss |= {"full_style_px": smallest_px} if smallest_px else {}
    known = {**_with_adam(options, _EARLIER_ADAM), "loss": loss}
    if known["padding"] == _PADDING[loss["normalization"]]:
        del known["padding"]
    return known


def _with_adam(options: Mapping[str, Any], adam: Mapping[str, float]) -> Mapping[str, Any]:
    """Return the options of a run of L-BFGS with these numbers of Adam; those of a run of Adam as they are."""
    optimization = options.get("optimization")
    if not isinstance(optimization, dict) or optimization.get("optimizer", "lbfgs") != "lbfgs":
        return options
    return {**options, "optimization": {**optimization, **adam}}
