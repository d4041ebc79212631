"""TIFFs of every kind, against known values; docs/pictures.md shows the same as a table.

`python tests/images/test_tiff.py` writes that table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from picture_files import wide_gamut_profile
from samples import REPOSITORY, TESTS
from stylize.errors import ImageError
from stylize.images.reading import read_image
from tiff_files import CMYK, FLOAT, GRAY, GRAY_NEGATIVE, LAB, PALETTE, RGB, SIGNED, UNSIGNED, YCBCR, Tiff

DATA = TESTS / "data"
HEIGHT, WIDTH = 7, 20

SAMPLES: dict[str, tuple[int, Iterable[int]]] = {
    "1 to 8 bits": (UNSIGNED, range(1, 9)),
    "9 to 32 bits": (UNSIGNED, range(9, 33)),
    "64 bits": (UNSIGNED, [64]),
    "signed, 8 bits": (SIGNED, [8]),
    "signed, 16 and 32 bits": (SIGNED, [16, 32]),
    "signed, other bits": (SIGNED, [4, 12, 24, 64]),
    "floats of 16, 32 and 64 bits": (FLOAT, [16, 32, 64]),
    "floats of 24 bits": (FLOAT, [24]),
}
COLORS = {
    "gray": (GRAY, False),
    "gray, white is 0": (GRAY_NEGATIVE, False),
    "gray with alpha": (GRAY, True),
    "RGB": (RGB, False),
    "RGB with alpha": (RGB, True),
}


def unit_colors(photometric: int) -> NDArray[np.float64]:
    """Ramps with 0 and 1, other ramps in each channel, without symmetry."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    ramp = (0.85 * x / (WIDTH - 1) + 0.15 * y / (HEIGHT - 1)).astype(np.float64)
    return np.stack([ramp, 1 - ramp**2, ramp**3], axis=2) if photometric == RGB else ramp[..., None]


def variants(bits: int, kind: int, color: str) -> list[tuple[Tiff, int | None]]:
    """All files of a kind of samples and colours, each with the meaning of its alpha."""
    photometric, alpha = COLORS[color]
    kinds = []
    for big_endian, planar, deflate in itertools.product([False, True], repeat=3):
        for extra in ((1,), (2,)) if alpha else ((), (0,)):
            if not planar or extra or photometric == RGB:
                tiff = Tiff(bits, kind, photometric, extra, planar, big_endian, deflate)
                kinds.append((tiff, extra[0] if alpha else None))
    return kinds


def error_of(tiff: Tiff, alpha_kind: int | None) -> float:
    """The largest error of a colour in [0, 1] that is read from a file."""
    colors = unit_colors(tiff.photometric)
    stored = 1 - colors if tiff.photometric == GRAY_NEGATIVE else colors
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    alpha = np.where((x + y) % 3 > 0, 1.0, 0.5)[..., None] if tiff.bits > 1 else np.where(x > 1, 1.0, 0)[..., None]
    if tiff.extra:
        stored = np.concatenate([stored * (alpha if alpha_kind == 1 else 1), alpha], axis=2)
    picture = read_image(tiff.file(stored))
    assert picture.notes == ()
    step = 0.0 if tiff.kind == FLOAT else 1 / tiff.white
    expected = np.rint(colors * tiff.white) / tiff.white if tiff.kind != FLOAT and tiff.bits < 32 else colors
    errors = np.abs(picture.pixels - expected)
    if alpha_kind is None:
        assert picture.alpha is None
        return float(errors.max())
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, alpha[..., 0], atol=0.01 + step)
    opaque = alpha[..., 0] == 1
    if tiff.bits >= 8:  # premultiplied colours are rounded twice
        assert errors[alpha[..., 0] > 0].max() < 4 / 255
    return float(errors[opaque].max())


def outcome(sample: str, color: str) -> str:
    """How files of a kind are read, the same for all variants; a wrong picture fails."""
    outcomes = set()
    kind, depths = SAMPLES[sample]
    for tiff, alpha_kind in (each for bits in depths for each in variants(bits, kind, color)):
        try:
            error = error_of(tiff, alpha_kind)
        except ImageError as refused:
            message = str(refused)
            assert message.startswith("image: expected a TIFF of gray or RGB, received "), message
            assert f"{tiff.bits}-bit" in message
            assert "not supported; save it as" in message
            outcomes.add("refused")
        else:
            assert error < 1.5 / 255, (tiff, error)
            precise = tiff.bits <= 8 or error < 3e-4
            outcomes.add("in full" if precise else "8 bits")
    assert len(outcomes) == 1, outcomes
    return outcomes.pop()


def table() -> str:
    lines = ["| samples | " + " | ".join(COLORS) + " |", "| --- " * (len(COLORS) + 1) + "|"]
    lines += [f"| {sample} | " + " | ".join(outcome(sample, color) for color in COLORS) + " |" for sample in SAMPLES]
    return "\n".join(lines) + "\n"


DOCUMENT = REPOSITORY / "docs" / "pictures.md"


def documented() -> tuple[str, str, str]:
    """What the document says before, in and after the table of TIFFs."""
    text = DOCUMENT.read_text(encoding="utf-8")
    start = text.index("| samples |")
    end = text.index("\n\n", start) + 1
    return text[:start], text[start:end], text[end:]


@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_every_kind_is_read_right_or_refused_as_the_document_says(sample: str, color: str) -> None:
    row = next(line for line in documented()[1].splitlines() if line.startswith(f"| {sample} |"))
    cells = dict(zip(COLORS, row.strip("| ").split(" | ")[1:], strict=True))
    assert outcome(sample, color) == cells[color]


@settings(max_examples=200)
@given(
    st.sampled_from(
        [(bits, UNSIGNED) for bits in range(1, 33)] + [(16, FLOAT), (32, FLOAT), (64, FLOAT), (16, SIGNED)]
    ),
    st.sampled_from(list(COLORS)),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, (16, 16), (16, 32)]),
    st.booleans(),
    st.sampled_from([1, 2, 3]),
    st.integers(1, 9),
    st.booleans(),
)
def test_layouts(
    samples: tuple[int, int],
    color: str,
    planar: bool,
    big_endian: bool,
    tile: tuple[int, int] | None,
    deflate: bool,
    predictor: int,
    rows: int,
    big_tiff: bool,
) -> None:
    """Strips and tiles, predictors, planes, byte orders and BigTIFF, in any combination."""
    big_tiff = big_tiff and not big_endian
    bits, kind = samples
    photometric, alpha = COLORS[color]
    if not deflate or (predictor == 2 and bits not in (8, 16, 32)) or (predictor == 3 and kind != FLOAT):
        predictor = 1
    extra = (2,) if alpha else ()
    planar = planar and (alpha or photometric == RGB)
    tiff = Tiff(bits, kind, photometric, extra, planar, big_endian, deflate, predictor, tile, rows, big_tiff)
    assert error_of(tiff, 2 if alpha else None) < 1.5 / 255


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "lzma", "zstd"])
def test_compressions(tmp_path: Path, compression: str) -> None:
    floats = np.random.default_rng(7).random((40, 50), np.float32)
    Image.fromarray(floats).save(tmp_path / "in.tif", compression=compression)
    np.testing.assert_array_equal(read_image(tmp_path / "in.tif").pixels[..., 0], floats)


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("big_endian", [False, True])
def test_other_colors(deflate: bool, big_endian: bool) -> None:
    colors = np.dstack([unit_colors(RGB), 0.5 * unit_colors(GRAY)])
    for bits, planar in ((8, False), (8, True), (16, False)):
        picture = read_image(Tiff(bits, UNSIGNED, CMYK, (), planar, big_endian, deflate).file(colors))
        np.testing.assert_allclose(picture.pixels, (1 - colors[..., :3]) * (1 - colors[..., 3:]), atol=2.5 / 255)
    for bits in (1, 2, 4, 8):
        levels = 2**bits
        palette = np.random.default_rng(bits).integers(0, 256, (3, levels)) * 257
        places = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % levels
        tags = ((320, "H", palette.ravel().tolist()),)
        tiff = Tiff(bits, UNSIGNED, PALETTE, (), False, big_endian, deflate, tags=tags)
        pixels = read_image(tiff.file(places[..., None] / (levels - 1))).pixels
        np.testing.assert_allclose(pixels, np.moveaxis(palette[:, places], 0, 2) / 65535, atol=1e-6)
    weights = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    ycbcr = unit_colors(RGB) @ weights.T + [0, 0.5, 0.5]
    for planar in (False, True):
        tiff = Tiff(8, UNSIGNED, YCBCR, (), planar, big_endian, deflate, tags=((530, "H", [1, 1]),))
        np.testing.assert_allclose(read_image(tiff.file(ycbcr)).pixels, unit_colors(RGB), atol=3.5 / 255)
    lightness = unit_colors(GRAY)
    neutral = np.concatenate([lightness, np.zeros((HEIGHT, WIDTH, 2))], axis=2)
    pixels = read_image(Tiff(8, UNSIGNED, LAB, (), False, big_endian, deflate).file(neutral)).pixels
    light = np.where(lightness > 0.08, ((100 * lightness + 16) / 116) ** 3, lightness / 9.033)
    expected = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    np.testing.assert_allclose(pixels, np.repeat(expected, 3, axis=2), atol=0.02)


@pytest.mark.parametrize("premultiplied", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_negatives_with_alpha(bits: int, premultiplied: bool) -> None:
    gray, alpha = unit_colors(GRAY), np.full((HEIGHT, WIDTH, 1), 0.5)
    stored = np.concatenate([(1 - gray) * (alpha if premultiplied else 1), alpha], axis=2)
    picture = read_image(Tiff(bits, UNSIGNED, GRAY_NEGATIVE, (1 if premultiplied else 2,)).file(stored))
    np.testing.assert_allclose(picture.pixels, np.repeat(gray, 3, axis=2), atol=2.5 / 255)


def test_what_is_not_supported_is_named() -> None:
    unit = unit_colors(RGB)
    for tiff, name in (
        (Tiff(24, FLOAT, RGB), "RGB, 3 24-bit float samples"),
        (Tiff(64, UNSIGNED, RGB, planar=True), "RGB, 3 planes of 64-bit unsigned samples"),
        (Tiff(16, 5, RGB), "RGB, 3 16-bit complex samples"),
        (Tiff(16, UNSIGNED, LAB), "CIELAB, 3 16-bit unsigned samples"),
        (Tiff(8, UNSIGNED, YCBCR, tags=((530, "H", [2, 2]),)), "subsampled YCbCr, 3 8-bit unsigned samples"),
        (Tiff(8, UNSIGNED, LAB, planar=True), "CIELAB, 3 planes of 8-bit unsigned samples"),
        (Tiff(16, UNSIGNED, CMYK, planar=True), "CMYK, 3 planes of 16-bit unsigned samples"),
        (Tiff(16, UNSIGNED, RGB, planar=True, tags=((266, "H", [2]),)), "lowest bit first"),
        (Tiff(16, SIGNED, RGB, predictor=3), "with the predictor 3"),
        (Tiff(8, UNSIGNED, RGB, big_endian=True, big_tiff=True), "a BigTIFF with the highest byte first"),
    ):
        with pytest.raises(ImageError) as error:
            read_image(tiff.file(unit))
        assert str(error.value).startswith("image: expected a TIFF of gray or RGB, received ")
        assert name in str(error.value)
        assert "not supported; save it as a TIFF or PNG of 8 or 16 bits" in str(error.value)


def test_bright_floats_are_clipped_and_said(tmp_path: Path) -> None:
    picture = read_image(Tiff(32, FLOAT, RGB).file(2 * unit_colors(RGB)))
    np.testing.assert_allclose(picture.pixels, np.minimum(2 * unit_colors(RGB), 1), atol=0.5 / 255)
    assert picture.notes == ("float samples up to 2: clipped at 1",)
    picture = read_image(Tiff(16, FLOAT, RGB).file(255 * unit_colors(RGB)))
    assert picture.notes == ("float samples up to 255: taken as 0 to 255",)
    np.testing.assert_allclose(picture.pixels, unit_colors(RGB), atol=1 / 255)


def test_orientation_and_profile_of_deep_samples() -> None:
    unit = unit_colors(RGB)
    turned = read_image(Tiff(32, FLOAT, RGB, tags=((274, "H", [6]),)).file(unit)).pixels
    np.testing.assert_allclose(turned, np.rot90(unit, -1), atol=0.5 / 255)
    profile = list(wide_gamut_profile())
    converted = read_image(Tiff(16, UNSIGNED, RGB, planar=True, tags=((34675, "B", profile),)).file(unit)).pixels
    plain = read_image(Tiff(16, UNSIGNED, RGB, tags=((34675, "B", profile),)).file(unit)).pixels
    assert np.abs(converted - unit).max() > 0.05
    np.testing.assert_allclose(converted, plain, atol=3 / 255)


def test_damaged_strips_are_one_line_and_nothing_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    for tiff in (Tiff(8, UNSIGNED, RGB, deflate=True), Tiff(32, FLOAT, RGB, deflate=True)):
        whole = bytearray(tiff.file(unit_colors(RGB)))
        whole[20:60] = bytes(40)
        with pytest.raises(ImageError, match="damaged or cut-off"):
            read_image(bytes(whole))
    cut = Tiff(32, FLOAT, RGB, rows_per_strip=HEIGHT).file(unit_colors(RGB))
    at = cut.index((279).to_bytes(2, "little"))
    with pytest.raises(ImageError):
        read_image(cut[: at + 8] + (10).to_bytes(4, "little") + cut[at + 12 :])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("deep", [False, True])
def test_a_first_page_that_is_a_preview_is_not_the_picture(deep: bool, tmp_path: Path) -> None:
    mode, white = ("F", 1.0) if deep else ("L", 255)
    pages = [Image.new(mode, size, white) for size in ((8, 6), (80, 60))]
    for page, subfile_type in zip(pages, (1, 0), strict=True):
        page.encoderinfo = {"tiffinfo": {254: subfile_type}}
    pages[0].save(tmp_path / "in.tif", save_all=True, append_images=pages[1:], tiffinfo={254: 1})
    picture = read_image(tmp_path / "in.tif")
    assert picture.notes == ("page 1 is a preview: page 2 is used",)
    assert (picture.height, picture.width) == (60, 80)


@pytest.mark.parametrize("name", ["tif_miniswhite16.tif", "tif_la16.tif", "tif_gray_half.tif"])
def test_reported_files(name: str) -> None:
    picture = read_image(DATA / name)
    expected = np.load(DATA / "tif_miniswhite16_expected.npy")
    if name == "tif_la16.tif":
        assert picture.alpha is not None
        expected = expected[picture.alpha == 1]
    assert picture.notes == ()
    pixels = picture.pixels if picture.alpha is None else picture.pixels[picture.alpha == 1]
    np.testing.assert_allclose(pixels * 255, expected, atol=2)


if __name__ == "__main__":
    before, _, after = documented()
    DOCUMENT.write_text(before + table() + after, encoding="utf-8")
