"""Pictures to masks."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from samples import left_half, painting
from stylize.errors import ImageError, OptionError
from stylize.images.masks import Masks
from stylize.images.picture import ImageSource, Picture


def one_pixel(height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), np.float32)
    mask[height // 2, width // 2] = 1
    return mask


def read(
    *sources: ImageSource, styles: int = 1, size: tuple[int, int] = (64, 96), weights: list[float] | None = None
) -> Masks:
    masks = Masks.read(list(sources), weights or [1 / styles] * styles, size, size)
    assert masks is not None
    return masks


def test_a_mask_is_luminance_or_transparency():
    ramp = np.linspace(0, 1, 96, dtype=np.float32)[None].repeat(64, 0)
    colours = painting(64, 96, 0)
    for mask in (ramp, np.dstack([ramp] * 3), np.dstack([colours, ramp])):
        np.testing.assert_allclose(read(mask).at(64, 96)[0], ramp, atol=1e-6)
    np.testing.assert_allclose(read(colours).at(64, 96)[0], colours @ [0.299, 0.587, 0.114], atol=1e-6)
    opaque = np.dstack([ramp, ramp, ramp, np.ones_like(ramp)])
    np.testing.assert_array_equal(read(opaque).at(64, 96)[0], ramp)


def test_a_mask_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = np.rot90((left_half(64, 96) * 255).astype(np.uint8))
    Image.fromarray(lying).save(tmp_path / "lying.png", exif=exif)
    np.testing.assert_array_equal(read(tmp_path / "lying.png").at(64, 96)[0], left_half(64, 96))


@pytest.mark.parametrize("size", [(16, 24), (31, 47), (64, 96), (200, 300)])
def test_masks_of_any_size_stay_black_and_white(size):
    mask = Masks.read(left_half(100, 150), [1.0], (64, 96), size).at(*size)[0]
    assert (mask[:, : size[1] // 2 - 2] == 1).all()
    assert (mask[:, size[1] // 2 + 2 :] == 0).all()


def test_where_masks_overlap_styles_share_by_their_weights():
    flat = [np.full((64, 96), value, np.float32) for value in (1.0, 1.0, 0.2)]
    both = read(*flat[:2], styles=2, weights=[0.75, 0.25]).at(64, 96)
    np.testing.assert_allclose(both[:, 0, 0], [0.75, 0.25])
    # Less than all is painted where the masks do not reach 1 together.
    faint = read(flat[2], flat[2], styles=2).at(64, 96)
    np.testing.assert_allclose(faint[:, 0, 0], [0.2, 0.2], rtol=1e-6)


def test_one_mask_for_all_styles_knows_nothing_of_their_weights():
    mask = left_half(64, 96)
    np.testing.assert_array_equal(read(mask, weights=[0.0, 1.0]).at(64, 96)[0], mask)


def test_a_composite_of_white_pictures_is_white_without_rounding():
    planes = np.random.default_rng(0).random((2, 64, 96)).astype(np.float32)
    white = np.ones((64, 96, 3), np.float32)
    ours = Masks((), planes, (0.3, 0.7)).composite(white, [white, white])
    assert ours.max() == 1
    np.testing.assert_allclose(ours, 1, atol=1e-6)


@pytest.mark.parametrize(("masks", "styles"), [(2, 1), (2, 3), (3, 2)])
def test_the_count_of_masks_must_fit(masks, styles):
    with pytest.raises(OptionError, match=f"^mask: expected one mask.*; received {masks}$"):
        read(*[left_half(64, 96)] * masks, styles=styles)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((64, 96), np.float32), "black throughout"),
        (np.dstack([painting(64, 96, 0), np.zeros((64, 96), np.float32)]), "transparent throughout"),
        (
            one_pixel(640, 960),
            "nothing of its white is left at 96 x 64 px: choose a larger size",
        ),
        (left_half(96, 64), "expected about 96:64, the content's shape, received 64 x 96 px"),
        (left_half(64, 64), "received 64 x 64 px"),
    ],
)
def test_a_mask_that_can_not_be_meant_is_one_line(mask, message):
    with pytest.raises(ImageError, match=message) as caught:
        read(mask)
    assert "\n" not in str(caught.value)


def test_a_style_with_its_own_mask_has_a_weight():
    with pytest.raises(OptionError, match="style: expected weights over 0 for styles with their own masks"):
        read(left_half(64, 96), 1 - left_half(64, 96), weights=[0.0, 1.0])


def test_a_mask_of_another_shape_is_told_in_the_size_of_its_file(tmp_path):
    Image.fromarray(np.full((640, 640), 255, np.uint8)).save(tmp_path / "large.jpg")
    with pytest.raises(ImageError, match="received 640 x 640 px"):
        Masks.read(tmp_path / "large.jpg", [1.0], (64, 96), (16, 24))


def test_a_faint_mask_is_meant():
    np.testing.assert_allclose(read(np.full((640, 960), 0.05, np.float32)).at(64, 96), 0.05, rtol=1e-5)


def test_a_masks_shape_may_be_rounded():
    for size in ((7, 10), (6, 10), (33, 50), (64, 95), (427, 640), (435, 640)):
        read(left_half(*size))
    for size in ((5, 10), (441, 640)):
        with pytest.raises(ImageError, match="the content's shape"):
            read(left_half(*size))


def test_a_path_of_two_lines_makes_one_line():
    with pytest.raises(ImageError, match=r"^mask a b\.png: expected white") as caught:
        read(Picture(np.zeros((64, 96, 3), np.float32), path="a\nb.png"))
    assert "\n" not in str(caught.value)
