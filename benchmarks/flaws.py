"""Flaws of painted pictures that losses do not see: frames, frayed borders, weave, ghosts.

    python benchmarks/flaws.py --content photo.jpg --style painting.jpg out1.png out2.png

Prints a row for each picture. All pictures are brought to the size of the first output. A photograph and a good
painting have about 1 in `frame`, up to 1 in `fray`, and in `weave` about what the style has.

frame: the outermost 8 px against the next 8 px, in pieces 8 px long: the mean difference of colour, relative to that of
    neighbouring pieces inside.
fray: in the outermost 4 px, the mean change of luma along the border against that across, relative to the same ratio of
    the 16 px that begin 16 px inside: stripes that lead to the border have more, a frame in the photograph less.
weave: the energy of luma at wavelengths of 2 to 3 px against that of 4 to 16 px, in the flat quarter of the photograph.
ghost: what the photograph does not explain of the picture's light at 32 px a side, correlated with the light of the
    style at its best shift, 0 to 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import tables
from numpy.typing import NDArray

import stylize
from stylize.images.color import LUMA
from stylize.images.resizing import resized

Pixels = NDArray[np.float32]

_PIECE_PX = 8
_FRAYED_PX = 4
_INSIDE_PX = (16, 32)
_BLOCK_PX = 32
_LIGHT_PX = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", required=True, type=Path)
    parser.add_argument("--style", required=True, type=Path)
    parser.add_argument("outputs", nargs="+", type=Path)
    args = parser.parse_args()
    pictures = [stylize.read_image(path).pixels for path in args.outputs]
    size = pictures[0].shape[:2]
    photo, style = resized(stylize.read_image(args.content).pixels, *size), stylize.read_image(args.style).pixels
    rows = []
    for path, pixels in zip(args.outputs, pictures, strict=True):
        fitted = resized(pixels, *size)
        figures = frame(fitted), fray(fitted), weave(fitted, photo), ghost(fitted, photo, style)
        rows.append([path.name, *(f"{each:.3f}" for each in figures)])
    print(tables.markdown(["picture", "frame", "fray", "weave", "ghost"], rows))


def frame(pixels: Pixels) -> float:
    """Return how much the border of (H, W, 3) differs from what lies beside, relative to pieces inside."""
    inside = _pieces(pixels)[1:-1, 1:-1]
    usual = np.mean([np.abs(np.diff(inside, axis=axis)).mean() for axis in (0, 1)])
    sides = [_pieces(np.rot90(pixels, turns)[: 2 * _PIECE_PX]) for turns in range(4)]
    return float(np.mean([np.abs(outer - inner).mean() for outer, inner in sides]) / (usual + 1e-6))


def fray(pixels: Pixels) -> float:
    """Return how much more luma changes along the border of (H, W, 3) than across it, relative to inside."""
    luma = pixels @ np.array(LUMA, np.float32)
    return _along_to_across(luma, 0, _FRAYED_PX) / (_along_to_across(luma, *_INSIDE_PX) + 1e-6)


def weave(pixels: Pixels, photo: Pixels) -> float:
    """Return the energy at 2 to 3 px over that at 4 to 16 px, where the photograph of the same size is flat."""
    ours, theirs = (_blocks(each @ np.array(LUMA, np.float32)) for each in (pixels, photo))
    variance = theirs.var((1, 2))
    flat = ours[variance <= np.quantile(variance, 0.25)]
    window = np.hanning(_BLOCK_PX)
    centered = (flat - flat.mean((1, 2), keepdims=True)) * np.outer(window, window)
    energy = np.square(np.abs(np.fft.fft2(centered))).mean(0)
    rows, columns = np.meshgrid(*[np.abs(np.fft.fftfreq(_BLOCK_PX))] * 2, indexing="ij")
    # Weave runs along rows and columns: the larger of the two frequencies counts.
    frequency = np.maximum(rows, columns)
    fine, coarse = frequency >= 1 / 3, (frequency >= 1 / 16) & (frequency <= 1 / 4)
    return float(energy[fine].sum() / (energy[coarse].sum() + 1e-9))


def ghost(pixels: Pixels, photo: Pixels, style: Pixels) -> float:
    """Return the correlation of the light that the photograph does not explain with that of the style."""
    ours, scene = (_light(each) for each in (pixels, photo))
    rest = ours - (ours * scene).mean() * scene
    rest = rest / (rest.std() + 1e-6)
    spectra = [np.fft.fft2(each, (2 * _LIGHT_PX,) * 2) for each in (rest, _light(style))]
    return float(np.fft.ifft2(spectra[0] * np.conj(spectra[1])).real.max() / rest.size)


def _pieces(pixels: Pixels) -> Pixels:
    """Return the mean colours of whole pieces, from the upper left."""
    height, width = (side // _PIECE_PX for side in pixels.shape[:2])
    cut = pixels[: height * _PIECE_PX, : width * _PIECE_PX]
    return cut.reshape(height, _PIECE_PX, width, _PIECE_PX, 3).mean((1, 3))


def _along_to_across(luma: Pixels, first_px: int, end_px: int) -> float:
    """Return the ratio of mean changes along and across all borders of (H, W), so many px inside."""
    changes = np.zeros(2)
    for turns in range(4):
        band = np.rot90(luma, turns)[first_px:end_px, end_px:-end_px]
        changes += [np.abs(np.diff(band, axis=axis)).mean() for axis in (1, 0)]
    along, across = changes
    return float(along / (across + 1e-6))


def _light(pixels: Pixels) -> NDArray[np.float64]:
    light = resized(pixels, _LIGHT_PX, _LIGHT_PX).astype(np.float64) @ LUMA
    return np.asarray((light - light.mean()) / (light.std() + 1e-6))


def _blocks(plane: Pixels) -> Pixels:
    height, width = (side // _BLOCK_PX for side in plane.shape)
    cut = plane[: height * _BLOCK_PX, : width * _BLOCK_PX].reshape(height, _BLOCK_PX, width, _BLOCK_PX)
    return cut.swapaxes(1, 2).reshape(-1, _BLOCK_PX, _BLOCK_PX)


if __name__ == "__main__":
    main()
