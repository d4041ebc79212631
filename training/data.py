"""Folders of pictures as batches of random crops. The pictures stay on the device."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from config import HELD_OUT_EVERY
from PIL import Image

from stylize.networks.backend import framework, ops

PICTURE_PX = 384  # largest long side of a picture
_NOISE_PICTURES = 64  # drawn once, because new noise for each step would take longer than the step


def read_folder(folder: Path) -> tuple[list[Image.Image], list[Image.Image]]:
    """Read the pictures of a folder at PICTURE_PX or less. Returns those for the training and those held out."""
    training, held_out = [], []
    for index, (_, picture) in enumerate(pictures_of(folder)):
        (held_out if index % HELD_OUT_EVERY == 0 else training).append(picture)
    return training, held_out


def pictures_of(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    """Yield the name without suffix and the picture of each JPEG or WebP file of a folder, sorted by name."""
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".webp"}):
        with Image.open(path) as file:
            picture = file.convert("RGB")
        picture.thumbnail((PICTURE_PX, PICTURE_PX), Image.Resampling.LANCZOS)
        yield path.stem, picture


def interpolation(starts, sides, size: int):
    """Return bilinear weights (N, size, PICTURE_PX) that resize stretches of pixels to `size` pixels.

    Where a stretch gets smaller, the weights are wider, so that all pixels count.

    Args:
        starts: first pixels of the stretches (N,).
        sides: lengths of the stretches (N,).
        size: number of pixels in the result.
    """
    step = (sides / size)[:, None, None]
    centres = starts[:, None, None] + (ops.arange(size, dtype="float32")[:, None] + 0.5) * step
    distance = ops.abs(centres - (ops.arange(PICTURE_PX, dtype="float32") + 0.5))
    weights = ops.maximum(1 - distance / ops.maximum(step, 1.0), 0.0)
    return weights / ops.sum(weights, -1, keepdims=True)


class Crops:
    """Makes batches of random square crops.

    Args:
        pictures: pictures of at most PICTURE_PX.
        seed: seed of the random numbers.
        size: side of a crop in px, after resizing.
        smallest: smallest side of a crop relative to the short side of the picture.
    """

    def __init__(self, pictures: list[Image.Image], seed: int, size: int, smallest: float = 0.45) -> None:
        self._rng = np.random.default_rng(seed)
        self._smallest = smallest
        self._sizes = np.array([picture.size for picture in pictures], np.float32)
        pixels = np.empty((len(pictures), PICTURE_PX, PICTURE_PX, 3), np.uint8)
        for square, picture in zip(pixels, pictures, strict=True):
            beyond = ((0, PICTURE_PX - picture.height), (0, PICTURE_PX - picture.width), (0, 0))
            square[:] = np.pad(np.asarray(picture), beyond, mode="edge")
        self._pixels = ops.convert_to_tensor(pixels)

        def cut(pixels, chosen, boxes):
            left, top, side, mirrored = (boxes[:, i] for i in range(4))
            rows, columns = interpolation(top, side, size), interpolation(left, side, size)
            columns = ops.where(mirrored[:, None, None] > 0, ops.flip(columns, 1), columns)
            taken = ops.cast(ops.take(pixels, chosen, 0), "float32") / 255.0
            return ops.einsum("njw,niwc->nijc", columns, ops.einsum("nih,nhwc->niwc", rows, taken))

        self._cut = framework.compiled(cut)

    def batch(self, count: int):
        """Draw crops (count, size, size, 3) in [0, 1]. Half of them, at random, are mirrored."""
        rng = self._rng
        chosen = rng.choice(len(self._sizes), count, replace=count > len(self._sizes)).astype(np.int32)
        width, height = self._sizes[chosen].T
        side = np.minimum(width, height) * rng.uniform(self._smallest, 1.0, count)
        left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
        boxes = np.stack([left, top, side, rng.random(count) < 0.5], 1).astype(np.float32)
        return self._cut(self._pixels, *map(ops.convert_to_tensor, (chosen, boxes)))


class Augmentation:
    """Blends, recolours or adds noise to some pictures of a batch. Pictures look like that during an optimisation."""

    def __init__(self, size: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        noise = self._rng.standard_normal((_NOISE_PICTURES, size, size, 3), np.float32)
        self._noise = ops.convert_to_tensor(noise)

        def apply(batch, noise, changes, chosen):
            shares, gains, shifts, amplitudes = changes
            batch = shares * batch + (1 - shares) * ops.roll(batch, 1, 0)
            batch = (batch - 0.45) * gains + 0.45 + shifts + amplitudes * ops.take(noise, chosen, 0)
            return ops.clip(batch, 0.0, 1.0)

        self._apply = framework.compiled(apply)

    def __call__(self, batch):
        """Change pictures (N, size, size, 3) in [0, 1]."""
        rng, count = self._rng, batch.shape[0]

        def drawn(chosen: np.ndarray, low: float, high: float, otherwise: float, channels: int = 1):
            values = np.where(chosen, rng.uniform(low, high, (count, channels)), otherwise)
            return ops.convert_to_tensor(values[:, None, None].astype(np.float32))

        blended, recoloured, noisy = (rng.random((count, 1)) < odds for odds in (0.2, 0.3, 0.15))
        changes = (
            drawn(blended, 0.3, 0.7, 1.0),
            drawn(recoloured, 0.6, 1.4, 1.0, channels=3),
            drawn(recoloured, -0.15, 0.15, 0.0, channels=3),
            drawn(noisy, 0.02, 0.12, 0.0),
        )
        chosen = rng.integers(_NOISE_PICTURES, size=count).astype(np.int32)
        return self._apply(batch, self._noise, changes, ops.convert_to_tensor(chosen))
