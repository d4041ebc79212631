"""Folders of pictures as seeded batches of random crops."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from config import HELD_OUT_EVERY
from PIL import Image


def read_folder(folder: Path, long_side_px: int = 320) -> tuple[list[Image.Image], list[Image.Image]]:
    """Read a folder's pictures, long side at most `long_side_px`: (for training, held out)."""
    training, held_out = [], []
    for index, (_, picture) in enumerate(pictures_of(folder, long_side_px)):
        (held_out if index % HELD_OUT_EVERY == 0 else training).append(picture)
    return training, held_out


def pictures_of(folder: Path, long_side_px: int) -> Iterator[tuple[str, Image.Image]]:
    """Yield the names and pictures of a folder's JPEGs, in order."""
    for path in sorted(folder.glob("*.jpg")):
        with Image.open(path) as file:
            picture = file.convert("RGB")
        picture.thumbnail((long_side_px, long_side_px), Image.Resampling.LANCZOS)
        yield path.name, picture


def random_crop(picture: Image.Image, size: int, rng: np.random.Generator, smallest: float = 0.45) -> np.ndarray:
    """Cut a random square, at least `smallest` of the short side, mirrored half the time: (size, size, 3) in [0, 1]."""
    short = min(picture.size)
    side = short * rng.uniform(smallest, 1.0)
    left, top = rng.uniform(0, picture.width - side), rng.uniform(0, picture.height - side)
    crop = picture.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
    pixels = np.asarray(crop, np.float32) / 255
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


class Crops:
    """Batches of random crops of some pictures."""

    def __init__(self, pictures: list[Image.Image], seed: int) -> None:
        self._pictures = pictures
        self._rng = np.random.default_rng(seed)

    def batch(self, count: int, size: int, smallest: float = 0.45) -> np.ndarray:
        """Draw (count, size, size, 3) float32 in [0, 1]."""
        chosen = self._rng.choice(len(self._pictures), count, replace=False)
        return np.stack([random_crop(self._pictures[i], size, self._rng, smallest) for i in chosen])

    def augmented_batch(self, count: int, size: int) -> np.ndarray:
        """Crops, some blended, recoloured or noisy: an optimised picture passes through such states."""
        rng = self._rng
        batch = self.batch(count, size)
        for i in range(count):
            if rng.random() < 0.2:
                share = rng.uniform(0.3, 0.7)
                batch[i] = share * batch[i] + (1 - share) * batch[rng.integers(count)]
            if rng.random() < 0.3:
                gain, shift = rng.uniform(0.6, 1.4, 3), rng.uniform(-0.15, 0.15, 3)
                batch[i] = (batch[i] - 0.45) * gain + 0.45 + shift
            if rng.random() < 0.15:
                batch[i] += rng.normal(0, rng.uniform(0.02, 0.12), batch[i].shape)
        return np.clip(batch, 0, 1).astype(np.float32)
