"""read_image on files, bytes and arrays; the tests marked `real` read pictures made by others."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

import stylize
from picture_files import scene, single_line, wide_gamut_profile
from samples import SHARED
from stylize.errors import ImageError
from stylize.images.picture import Picture
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image
from stylize.images.resizing import resized, size_for_long_side
from stylize.images.writing import write_image

rng = np.random.default_rng(7)


AWKWARD = SHARED / "images" / "awkward"
MODULES = [info.name for info in pkgutil.iter_modules(stylize.images.__path__, "stylize.images.")]


def test_import_is_light() -> None:
    imports = ", ".join(["sys", *MODULES])
    code = f"import {imports}; print({{'tensorflow', 'scipy', 'PIL.ImageCms'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", MODULES)
def test_exported_names_exist(name: str) -> None:
    module = importlib.import_module(name)
    for each in module.__all__:
        assert getattr(module, each, None) is not None
    public = {
        n for n, v in vars(module).items() if not n.startswith("_") and getattr(v, "__module__", "") == module.__name__
    }
    assert public <= set(module.__all__)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "avif", "gif", "bmp", "ppm", "jp2"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in.{suffix}"
    options = {"webp": {"lossless": True}, "jpg": {"quality": 95}}.get(suffix, {})
    Image.fromarray(scene()).save(path, **options)
    picture = read_image(path)
    assert (picture.height, picture.width) == (24, 36)
    assert picture.path == str(path)
    assert picture.notes == ()
    assert np.abs(picture.pixels - scene() / 255).mean() < 0.03
    assert picture.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_picture_is_returned_unchanged() -> None:
    picture = read_image(scene())
    assert read_image(picture) is picture


def test_draft_only_on_a_hint(tmp_path: Path) -> None:
    Image.fromarray(scene(1200, 1600)).save(tmp_path / "in.jpg")
    assert read_image(tmp_path / "in.jpg").width == 1600
    picture = read_image(tmp_path / "in.jpg", long_side_px=200)
    assert (picture.height, picture.width) == (300, 400)
    assert picture.full_size == (1200, 1600)
    whole = read_image(tmp_path / "in.jpg", long_side_px=1000)
    assert whole.width == 1600
    assert whole.full_size is None


def test_a_reduced_picture_knows_its_full_size_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(scene(1203, 1601)).save(tmp_path / "in.jpg", exif=exif)
    picture = read_image(tmp_path / "in.jpg", long_side_px=200)
    assert picture.full_size == (1601, 1203)
    assert picture.height > picture.width
    assert picture.sha256 == read_image(tmp_path / "in.jpg").sha256


def test_bytes_are_a_file(tmp_path: Path) -> None:
    Image.fromarray(scene()).save(tmp_path / "in.png")
    from_bytes, from_file = read_image((tmp_path / "in.png").read_bytes()), read_image(tmp_path / "in.png")
    np.testing.assert_array_equal(from_bytes.pixels, from_file.pixels)
    assert (from_bytes.sha256, from_bytes.path) == (from_file.sha256, None)
    with pytest.raises(ImageError, match=r"content -: expected a picture .* received an empty file"):
        read_image(b"", name="content -")


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
def test_arrays(shape: tuple[int, ...], dtype: type) -> None:
    unit = rng.uniform(0.2, 1, shape)
    array = unit.astype(dtype) if np.issubdtype(dtype, np.floating) else (unit * np.iinfo(dtype).max).astype(dtype)
    picture = read_image(array)
    assert picture.pixels.shape == (5, 7, 3)
    assert picture.pixels.dtype == np.float32
    assert picture.pixels.flags.c_contiguous
    assert (picture.alpha is not None) == (shape == (5, 7, 4))
    expected = np.broadcast_to(np.atleast_3d(unit)[..., :3], (5, 7, 3))
    np.testing.assert_allclose(picture.pixels, expected, atol=1 / 255)
    before = picture.pixels.copy()
    array[:] = 0
    np.testing.assert_array_equal(picture.pixels, before)  # a copy, not a view


@pytest.mark.parametrize(
    "array",
    [
        np.full((4, 4, 3), np.nan),
        np.full((4, 4, 3), np.inf),
        np.full((4, 4, 3), 255.0),
        np.full((4, 4, 3), -0.5),
        np.zeros((4, 4, 2)),
        np.zeros((4, 4, 5)),
        np.zeros(4),
        np.zeros((0, 4, 3)),
        np.zeros((2, 4, 4, 3)),
        np.zeros((4, 4, 3), np.int64),
        np.zeros((4, 4, 3), bool),
    ],
)
def test_arrays_refused(array: np.ndarray) -> None:
    with pytest.raises(ImageError) as error:
        read_image(array, name="content")
    message = single_line(error)
    assert message.startswith("content: expected")
    assert "received" in message


@pytest.mark.parametrize("dtype", [">u2", ">f4", ">f8"])
def test_arrays_of_any_byte_order(dtype: str) -> None:
    unit = rng.random((5, 7, 3))
    native = (unit * 65535).astype(np.uint16) if dtype == ">u2" else unit.astype(dtype[1:])
    swapped = read_image(native.astype(dtype))
    np.testing.assert_array_equal(swapped.pixels, read_image(native).pixels)
    assert swapped.sha256 == read_image(native).sha256


def test_different_pictures_have_different_hashes() -> None:
    samples = rng.integers(0, 256, (4, 6, 4), dtype=np.uint8)
    opaque = read_image(np.ascontiguousarray(samples[..., :3]))
    image = Image.fromarray(samples[..., :3])
    images = [image.copy() for _ in range(3)]
    images[1].info["icc_profile"] = wide_gamut_profile()
    images[2].getexif()[ExifTags.Base.Orientation] = 3
    sources = [
        samples, samples.reshape(6, 4, 4), samples.reshape(8, 12), samples.view(np.uint16).reshape(4, 12), *images,
        Image.frombytes("RGB", (4, 6), image.tobytes()), image.convert("L"),
    ]  # fmt: skip
    hashes = [read_image(source).sha256 for source in sources]
    for alpha in (np.full((4, 6), 0.25, np.float32), np.full((4, 6), 0.5, np.float32)):
        hashes.append(read_image(Picture(opaque.pixels, alpha)).sha256)
    assert len({*hashes}) == len(hashes)
    assert read_image(Picture(opaque.pixels)).sha256 == opaque.sha256 == hashes[4]


# name: (height, width), mean of alpha (None where opaque)
FACTS: dict[str, tuple[tuple[int, int], float | None]] = {
    "cmyk_no_profile.jpg": ((532, 510), None),
    "cmyk_swop_profile.jpg": ((333, 500), None),
    "exif_orient3.jpg": ((1800, 1200), None),
    "exif_orient6.jpg": ((1200, 1800), None),
    "gif_animated.gif": ((285, 370), None),
    "gray_flower.jpg": ((1512, 2268), None),
    "icc_adobe_rgb.jpg": ((1072, 2000), None),
    "icc_p3_ring.png": ((1000, 1000), None),
    "jpeg_progressive.jpg": ((1512, 2268), None),
    "palette_photo.gif": ((533, 800), None),
    "panorama_3to1.jpg": ((1333, 4000), None),
    "png16_flag.png": ((600, 900), None),
    "rgba_mostly_transparent.png": ((1536, 2048), 0.007),
    "rgba_soft_alpha_tulips.png": ((500, 500), 0.713),
    "strip_wide_alpha.png": ((169, 928), 0.179),
    "tiny_32x32_16bit_trns.png": ((32, 32), 0.558),
    "tiny_32x32_rgb.png": ((32, 32), None),
    "webp_alpha.webp": ((300, 300), 0.243),
    "webp_tree.webp": ((772, 1024), None),
}


def awkward(name: str) -> Path:
    path = AWKWARD / name
    if not path.exists():
        pytest.skip(f"{path} is absent")
    return path


@pytest.mark.real
@pytest.mark.parametrize("name", FACTS)
def test_awkward_sizes_and_alpha(name: str, tmp_path: Path) -> None:
    picture = read_image(awkward(name))
    size, opacity = FACTS[name]
    assert (picture.height, picture.width) == size
    assert (picture.alpha is None) == (opacity is None)
    if picture.alpha is not None:
        assert picture.alpha.mean() == pytest.approx(opacity, abs=0.002)
    assert picture.pixels.min() >= 0
    assert picture.pixels.max() <= 1
    small = resized(picture, *size_for_long_side(*size, 64))
    write_image(tmp_path / "out.png", small.pixels, small.alpha, provenance={"content": name})
    assert read_provenance(tmp_path / "out.png") == {"content": name}


@pytest.mark.real
def test_awkward_set_is_covered() -> None:
    awkward("")
    names = {path.name for path in AWKWARD.iterdir()} - {"bad_corrupt_header.jpg"}
    for name in names - set(FACTS):
        read_image(AWKWARD / name)
    assert set(FACTS) <= names


@pytest.mark.real
def test_awkward_corrupt_header() -> None:
    with pytest.raises(ImageError) as error:
        read_image(awkward("bad_corrupt_header.jpg"), name="content")
    message = single_line(error)
    assert "bad_corrupt_header.jpg" in message
    assert "damaged" in message


@pytest.mark.real
def test_awkward_orientation() -> None:
    upside_down = read_image(awkward("exif_orient3.jpg")).pixels
    assert upside_down[:200].mean() > upside_down[-400:-200].mean()  # sky above, shore below
    on_its_side = read_image(awkward("exif_orient6.jpg")).pixels
    sky, ground = on_its_side[:250, :600].mean((0, 1)), on_its_side[-250:, -500:].mean((0, 1))
    assert sky[2] > sky[0] + 0.1
    assert sky.mean() > ground.mean()


@pytest.mark.real
def test_awkward_colors() -> None:
    daisy = read_image(awkward("cmyk_no_profile.jpg"))
    assert "approximate" in daisy.notes[0]
    heart = daisy.pixels[250:330, 385:460].mean((0, 1))
    assert heart[0] > 0.6  # yellow
    assert heart[1] > 0.45
    assert heart[2] < 0.35

    park = read_image(awkward("cmyk_swop_profile.jpg"))
    assert park.notes == ()
    grass = park.pixels[200:240, 20:100].mean((0, 1))
    assert grass[1] > grass[0] > grass[2]

    with Image.open(awkward("icc_adobe_rgb.jpg")) as image:
        plain = np.asarray(image.convert("RGB"), np.float32) / 255
    converted = read_image(awkward("icc_adobe_rgb.jpg")).pixels
    assert np.ptp(converted, axis=2).mean() > 1.1 * np.ptp(plain, axis=2).mean()  # more saturated numbers
    np.testing.assert_allclose(converted.mean(), plain.mean(), atol=0.02)

    flag = read_image(awkward("png16_flag.png")).pixels
    np.testing.assert_allclose(flag[300, 450], 1, atol=1e-6)  # white between red and blue
    assert flag[100, 450, 0] > 0.6 > flag[100, 450, 2]
    assert flag[500, 450, 2] > 0.5 > flag[500, 450, 0]

    assert read_image(awkward("gif_animated.gif")).notes == ("animated: the first of 10 frames is used",)
    assert np.ptp(read_image(awkward("gray_flower.jpg")).pixels, axis=2).max() == 0
