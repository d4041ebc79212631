"""Saliency: the content loss counts more where a viewer looks first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stylize
from samples import painting, tiny_objective
from stylize.config import PerceptualLossConfig, RefineConfig
from stylize.images.resizing import resized
from stylize.losses.saliency import at_size, saliency_of, small_version
from stylize.networks.backend import numpy_of
from stylize.transfer.levels import make_objective
from stylize.transfer.session import Session


def test_what_stands_out_counts_more_up_to_a_bound() -> None:
    energies = np.array([[1, 1, 1, 1], [1, 1, 99, 1], [0, 1, 2, 1]], np.float32)
    for strength in (0.0, 0.5, 2.0):
        saliency = saliency_of(energies, strength)
        expected = np.ones((3, 4))
        expected[1, 2] += strength * 4
        np.testing.assert_allclose(saliency, expected / expected.mean(), atol=1e-6)


def test_saliency_falls_linearly_between_positions() -> None:
    cells = np.array([[1, 1, 2.5, 1, 1]], np.float32)
    saliency = at_size(cells, 2, 20)
    assert saliency.shape == (2, 20)
    row = 1 + 1.5 * np.interp((np.arange(20) + 0.5) / 4 - 0.5, range(5), [0, 0, 1, 0, 0])
    np.testing.assert_allclose(saliency, [row, row], atol=1e-6)


def test_nothing_stands_out_in_a_black_content() -> None:
    assert (saliency_of(np.zeros((2, 3), np.float32), 1.0) == 1).all()


@pytest.mark.parametrize(
    ("size", "small"),
    [((340, 511), (176, 256)), ((64, 43), (256, 176)), ((1024, 1024), (256, 256)), ((16, 2048), (16, 256))],
)
def test_contents_of_all_sizes_are_looked_at_in_one_size(size: tuple[int, int], small: tuple[int, int]) -> None:
    content = painting(*size, 0)[None]
    found = small_version(content)
    assert found.shape == (1, *small, 3)
    assert found.mean() == pytest.approx(content.mean(), abs=5e-3)


@pytest.mark.parametrize("size", [(256, 256), (110, 340), (683, 1024)])
def test_saliency_lies_where_the_subject_is(size: tuple[int, int]) -> None:
    height, width = size
    content = np.zeros((1, height, width, 3), np.float32)
    content[:, height * 3 // 4 : height * 7 // 8, width * 3 // 4 : width * 7 // 8] = 1
    small = small_version(content)[0, ..., 0]
    # As of a layer that reacts to light.
    energies = small.reshape(small.shape[0] // 16, 16, small.shape[1] // 16, 16).mean((1, 3))
    saliency = at_size(saliency_of(energies, 1.0), height, width)
    saliency -= saliency.min()
    middle = [
        float((saliency.sum(1 - axis) * (np.arange(side) + 0.5)).sum() / saliency.sum() / side)
        for axis, side in enumerate(saliency.shape)
    ]
    assert middle == pytest.approx([13 / 16, 13 / 16], abs=0.02)


def test_changes_of_the_subject_cost_more_than_changes_of_a_wall() -> None:
    content = np.full((128, 128, 3), 0.5, np.float32)
    content[32:64, 32:64] = np.random.default_rng(0).random((32, 32, 3))

    def cost(saliency: float, top: int, left: int) -> float:
        """Return the content loss of a darkened square."""
        config = PerceptualLossConfig(saliency=saliency, style_weight=0.0, light_weight=0.0, places_weight=0.0)
        loss = tiny_objective(config)
        targets = loss.targets.encode(content[None], [(painting(64, 64, 1)[None], 1.0)])
        # Content moves; hardly any is added.
        assert float(np.mean(numpy_of(targets.saliency["relu3_1"]))) == pytest.approx(1, abs=0.01)
        changed = content.copy()
        changed[top : top + 24, left : left + 24] *= 0.7
        return float(loss.value(changed[None], targets)["content"])

    assert cost(1.0, 36, 36) > 1.4 * cost(0.0, 36, 36)
    assert cost(1.0, 92, 92) < 1.1 * cost(0.0, 92, 92)


@pytest.mark.real
@pytest.mark.parametrize("network", ["vgg19", "vgg19-slim"])
def test_a_face_stands_out(real_networks: Path, network: str) -> None:
    portrait = stylize.read_image(next((real_networks / "images" / "bench").glob("c01_*"))).pixels
    session = Session()
    loss = make_objective(RefineConfig(precision="float32"), session.network(network, "features"), session)
    targets = loss.targets.encode(resized(portrait, 512, 512)[None], [(painting(96, 96, 0)[None], 1.0)])
    saliency = numpy_of(targets.saliency["relu4_2"])[0, ..., 0]
    assert saliency.shape == (64, 64)
    assert saliency.mean() == pytest.approx(1, abs=0.01)
    saliency = saliency / saliency.min()
    face, wall = saliency[8:20, 22:30], saliency[4:16, 38:42]
    assert face.mean() > 2
    assert wall.mean() < 1.5
