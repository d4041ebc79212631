"""The first guess of the inverse Hessian: its parts, and what L-BFGS gains."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bowls import Loss, take_steps
from stylize.config import OptimizationConfig
from stylize.networks.backend import array_of, numpy_of, ops
from stylize.optimize import lbfgs
from stylize.optimize.lbfgs import LBFGS
from stylize.optimize.scaling import Blocks, FirstGuess, FrequencyBands


def _curved_by_frequency(height: int, width: int) -> Loss:
    """Return a bowl that curves hundreds of times more along fine light than along coarse light and colour."""
    target = np.random.default_rng(0).uniform(0.3, 0.7, (height, width, 3)).astype(np.float32)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))[..., None]
    scales = np.concatenate([0.1 + 100 * frequency, np.full((height, width, 2), 0.1)], axis=-1)
    basis = np.linalg.qr(np.array([[1.0, 1, 1], [1, 0, -1], [-1, 2, -1]]).T)[0]  # light first

    def bowl(x: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        parts = np.fft.fft2((x - target) @ basis, axes=(0, 1))
        gradient = np.fft.ifft2(scales * parts, axes=(0, 1)).real @ basis.T
        return float((gradient * (x - target)).sum() / 2), gradient.astype(np.float32)

    return bowl


@pytest.fixture
def without(monkeypatch):
    """Replace a method of the first guess, which is compiled into the direction, until the end of the test."""

    def without(parts, name, method):
        monkeypatch.setattr(parts, name, method)
        lbfgs._compiled_direction.cache_clear()

    yield without
    lbfgs._compiled_direction.cache_clear()


def test_lbfgs_learns_how_frequencies_curve(without):
    bowl = _curved_by_frequency(24, 40)
    start = np.full((24, 40, 3), 0.5, np.float32)
    learnt = bowl(take_steps(LBFGS(start, OptimizationConfig()), bowl, 30))[0]
    # One scale for all bands: the usual L-BFGS.
    without(FrequencyBands, "scaled", lambda self, picture, by: picture * ops.mean(by))
    plain = bowl(take_steps(LBFGS(start, OptimizationConfig()), bowl, 30))[0]
    assert learnt < plain / 2


def test_the_finest_band_is_at_the_highest_frequency_and_the_coarsest_has_the_rest():
    bands = numpy_of(FrequencyBands.of(1, 128).members).argmax(0)
    # Periods of 2, 4, 8, 32 and 43 px, and the mean.
    assert bands[[64, 32, 16, 4, 3, 0]].tolist() == [7, 5, 4, 1, 0, 0]


@pytest.mark.parametrize("size", [(16, 24), (29, 50)])
def test_the_first_guess_is_about_twice_the_usual_one_along_the_newest_change(size):
    random = np.random.default_rng(0)
    step = random.normal(size=(*size, 3)).astype(np.float32)
    change = step * np.geomspace(0.1, 30, size[1], dtype=np.float32)[:, None]
    parts, (s, y) = FirstGuess.of(*size), map(array_of, (step, change))
    curvature = float((step * change).sum())
    product = numpy_of(parts.times(y, parts.energies(s, y), array_of(np.ones(1)), array_of(curvature), y))
    # Half of the frequencies are stored, and the mean is not stored twice.
    assert 1.7 < float((change * product).sum()) / curvature < 2


def test_bands_add_up_to_the_picture():
    picture = np.random.default_rng(0).random((13, 18, 3), np.float32)
    bands = FrequencyBands.of(13, 18)

    def scaled(by):
        return numpy_of(bands.scaled(array_of(picture), array_of(by)))

    np.testing.assert_allclose(scaled(np.ones((2, 8))), picture, atol=1e-6)
    light = np.repeat(picture.mean(axis=-1, keepdims=True), 3, axis=-1)
    np.testing.assert_allclose(scaled(np.repeat([[1], [0]], 8, axis=1)), light, atol=1e-6)
    of_light, of_color = numpy_of(bands.energies(array_of(light)))
    assert of_color.sum() < 1e-6 * of_light.sum()


def test_lbfgs_learns_how_places_curve(without):
    target = np.random.default_rng(0).uniform(0.3, 0.7, (40, 64, 3)).astype(np.float32)
    curvature = np.geomspace(0.1, 30, 64, dtype=np.float32)[None, :, None]

    def bowl(x):
        return float((curvature * (x - target) ** 2).sum() / 2), curvature * (x - target)

    start = np.full(target.shape, 0.5, np.float32)
    learnt = bowl(take_steps(LBFGS(start, OptimizationConfig()), bowl, 30))[0]
    without(Blocks, "spread", lambda self, by: array_of(1))
    plain = bowl(take_steps(LBFGS(start, OptimizationConfig()), bowl, 30))[0]
    assert learnt < plain / 2


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (16, 16), (29, 50)])
def test_blocks_add_up_to_the_picture(size):
    picture = np.random.default_rng(0).random((*size, 3), np.float32)
    blocks = Blocks.of(*size)
    energies = numpy_of(blocks.energies(array_of(picture)))
    assert energies.shape == tuple(max(1, side // 8) for side in size)
    assert energies.sum() == pytest.approx(np.square(picture).sum(), rel=1e-5)
    spread = numpy_of(blocks.spread(array_of(energies / energies.max())))
    assert spread.shape == (*size, 1)
    assert (spread > 0).all()
    # The numbers change smoothly, so that no edge shows the blocks.
    assert np.abs(np.diff(spread, axis=1)).max(initial=0) < 0.6 * np.ptp(spread) + 1e-6


def test_no_block_stands_still_beside_one_that_curves_least():
    blocks = Blocks.of(48, 48)
    by = np.zeros((6, 6), np.float32)
    by[2, 3] = 5
    spread = numpy_of(blocks.spread(array_of(by)))
    assert spread.min() == pytest.approx(0.01)
    assert spread.max() <= 1
    np.testing.assert_allclose(spread, numpy_of(blocks.spread(array_of(by / 100))), rtol=1e-6)
