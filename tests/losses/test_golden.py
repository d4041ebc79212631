"""Losses and gradients are the same on TensorFlow, PyTorch and JAX: those of NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest

from golden_objective import CASES, FILE, directions
from stylize.losses import places
from stylize.losses.objective import Objective
from stylize.networks.backend import numpy_of
from stylize.networks.vgg import FeatureEncoder

# float32 has 1e-7; long sums and small differences of large numbers lose digits.
TOLERANCE = 1e-4
# In the tiny network's relu2_1, of six channels, a sixth of the places have two nearest places of the style
# within 3e-7: rounding decides, and the gradient goes elsewhere. Under vgg19-slim the next is at least 1e-5 farther.
TOLERANCE_OF_TIES = 2e-3


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search for the nearest places in many blocks, the last of them not full."""
    monkeypatch.setattr(places, "_SEARCHED", 100)


@pytest.mark.parametrize("tile_px", [None, pytest.param(32, marks=pytest.mark.slow)], ids=["whole", "tiles"])
@pytest.mark.parametrize("name", CASES)
def test_terms_prices_and_gradient_are_those_of_float64(name: str, tile_px: int | None) -> None:
    case = CASES[name]
    with np.load(FILE) as file:
        golden = {key.partition("/")[2]: file[key] for key in file.files if key.startswith(f"{name}/")}
    encoder = FeatureEncoder(case.weights, case.config.layers, precision="float32", padding=case.padding)
    objective = Objective(encoder, case.config)
    targets = objective.targets.encode(case.content, case.styles, tile_px, case.masks)

    prices = {key.removeprefix("prices "): each for key, each in golden.items() if key.startswith("prices ")}
    found = objective.targets.prices(targets, case.content, tile_px)
    assert sorted(found) == sorted(prices)
    for key, expected in prices.items():
        # Of distances between 0 and 2. Where an activation is near the mean, few digits of its direction are left.
        np.testing.assert_allclose(found[key], expected, atol=1e-3, err_msg=key)

    targets = targets.with_prices({key: each.astype(np.float32) for key, each in prices.items()})
    terms, gradient = objective.value_and_gradient(case.image, targets, tile_px)
    for key in ("total", "content", "style", "total_variation"):
        assert terms[key] == pytest.approx(golden[key], rel=TOLERANCE), key
    for kind in ("content", "style"):
        for layer, loss in terms[f"{kind}_per_layer"].items():
            assert loss == pytest.approx(golden[f"{kind} {layer}"], rel=TOLERANCE), (kind, layer)
    slopes = np.tensordot(directions(case).astype(np.float64), numpy_of(gradient), 4)
    tolerance = TOLERANCE_OF_TIES if case.network == "tiny" and case.config.places_weight else TOLERANCE
    assert np.linalg.norm(slopes - golden["slopes"]) < tolerance * np.linalg.norm(golden["slopes"])
