"""The file formats of films."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from stylize.errors import OptionError, StylizeError
from stylize.files import check_place
from stylize.images.animation import common_palette, save_frames

__all__ = ["FORMATS", "SUFFIXES", "FilmFormat", "Shot", "check_film"]

#: A picture, and for how many seconds it is shown.
Shot = tuple[Image.Image, float]

_Encode = Callable[[BinaryIO, Iterable[Shot], int], None]


@dataclass(frozen=True)
class FilmFormat:
    """How to encode a film.

    Attributes:
        encode: writes the pictures to the stream; the last argument is `frames_per_s`.
        frames_per_s: frames per second.
        max_bytes: the size that a film of this format should not exceed.
    """

    encode: _Encode
    frames_per_s: int
    max_bytes: int


def _animation(name: str, **options: Any) -> _Encode:
    """Return an encoder for an animation; `options` are those of `save_frames`."""

    def encode(stream: BinaryIO, shots: Iterable[Shot], frames_per_s: int) -> None:
        images, seconds = zip(*shots, strict=True)
        save_frames(stream, name, images, [round(1000 * each) for each in seconds], plays=0, **options)

    return encode


def _gif(stream: BinaryIO, shots: Iterable[Shot], frames_per_s: int) -> None:
    shots = list(shots)
    palette = common_palette([shots[int(at)][0] for at in np.linspace(0, len(shots) - 1, 6)])
    dithered = [(image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG), held) for image, held in shots]
    _animation("GIF")(stream, dithered, frames_per_s)


def _mp4(stream: BinaryIO, shots: Iterable[Shot], frames_per_s: int) -> None:
    import av

    with av.open(stream, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=frames_per_s, options={"crf": "20", "preset": "medium"})
        video.pix_fmt = "yuv420p"
        for number, (image, held) in enumerate(shots):
            if number == 0:
                video.width, video.height = image.size
            frame = av.VideoFrame.from_image(image)
            for _ in range(max(1, round(held * frames_per_s))):
                container.mux(video.encode(frame))
        container.mux(video.encode())


#: By suffix.
FORMATS: Mapping[str, FilmFormat] = {
    ".webp": FilmFormat(_animation("WEBP", quality=70, method=3), 12, 4_000_000),
    ".gif": FilmFormat(_gif, 10, 8_000_000),
    ".mp4": FilmFormat(_mp4, 25, 8_000_000),
    ".apng": FilmFormat(_animation("PNG"), 8, 12_000_000),
}

SUFFIXES = tuple(FORMATS)


def check_film(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Check before a long run that `Film.write` will be able to write the file.

    Raises:
        OptionError: the suffix is unknown.
        StylizeError: a package for the format is not installed, the folder does not exist, or the file exists and
            `overwrite` is false.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise OptionError(f"film {path}: expected a suffix out of {', '.join(SUFFIXES)}; received {suffix or 'none'}")
    if suffix == ".mp4" and importlib.util.find_spec("av") is None:
        raise StylizeError(f'film {path}: MP4 needs the package av: pip install "stylize-art[film]"; or write .webp')
    check_place(path, "film", overwrite=overwrite)
