"""A refinement as a film: few of its pictures are kept on the way, and shown at an even pace of change."""

from __future__ import annotations

import importlib.util
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from stylize.errors import OptionError, StylizeError
from stylize.files import check_place, whole_file
from stylize.images.resizing import resized, size_for_long_side

__all__ = ["SUFFIXES", "Film", "Frame", "check_film"]

#: Longest side of a film, px; what is larger is shrunk as it is kept, so that a film of any refinement fits memory.
_LONG_SIDE_PX = 640
_SHORTEST_LONG_SIDE_PX = 64
#: Change is measured at this size, px: a step of the finest level still shows, and it costs next to nothing.
_EYE_PX = 192
_FRAMES = 60

# The preview stands, the picture forms, the result stands: together no more than 12 s.
_FIRST_S, _LONGEST_MOTION_S, _LAST_S = 0.8, 9.0, 2.2
_MOTION_S_PER_FRAME = 0.15


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture on the way, and where on the way it was."""

    pixels: np.ndarray
    """uint8 (h, w, 3), of its level's size or, if that is larger, shrunk to the film's."""
    size: tuple[int, int]
    """Height and width of its level, px."""
    step: int
    """0 is what the refinement started from."""
    elapsed_s: float
    eye: np.ndarray
    """Float32 (h, w, 3), 0 to 255: what change is measured on; of one size for all frames."""

    def change(self, other: Frame) -> float:
        """Return how far two pictures are apart: the root of the mean squared difference, 0 to 255."""
        difference = (self.eye - other.eye).ravel()
        return float(np.sqrt(difference @ difference / difference.size))


class Film:
    """Takes every picture of a refinement, from the preview to the result, and keeps those that tell the most.

    Where they are too many, the one goes whose neighbours are the nearest: what stays is spaced evenly by change,
    whatever the steps and the seconds were. The first and the newest always stay.
    """

    def __init__(self, frames: int = _FRAMES) -> None:
        if frames < 2:
            raise OptionError(f"film: expected at least 2 frames, received {frames}")
        self._most = frames
        self._frames: list[Frame] = []
        self._gaps: list[float] = []  # the change from each frame to the next but one

    def add(self, pixels: np.ndarray, *, step: int = 0, elapsed_s: float = 0.0) -> None:
        """Take the next picture, float (H, W, 3) in [0, 1] and of any size; it is copied."""
        height, width = pixels.shape[:2]
        image = Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
        eye_size = self._frames[0].eye.shape[:2] if self._frames else size_for_long_side(height, width, _EYE_PX)
        eye = np.asarray(image.resize(eye_size[::-1], Image.Resampling.BICUBIC), np.float32)
        if max(height, width) > _LONG_SIDE_PX:
            image.thumbnail((_LONG_SIDE_PX, _LONG_SIDE_PX), Image.Resampling.LANCZOS)
        self._frames.append(Frame(np.array(image), (height, width), step, elapsed_s, eye))
        if len(self._frames) > 2:
            self._gaps.append(self._frames[-3].change(self._frames[-1]))
        if len(self._frames) > self._most:
            self._drop(int(np.argmin(self._gaps)) + 1)

    def _drop(self, index: int) -> None:
        frames, gaps = self._frames, self._gaps
        del frames[index], gaps[index - 1]
        # The gaps that began or ended at the frame reach one further now.
        for gap in (index - 2, index - 1):
            if 0 <= gap < len(gaps):
                gaps[gap] = frames[gap].change(frames[gap + 2])

    @property
    def frames(self) -> tuple[Frame, ...]:
        """What is kept, in order."""
        return tuple(self._frames)

    def stages(self, count: int) -> tuple[Frame, ...]:
        """Return up to `count` (2 or more) of the frames, evenly by change, the first and the last among them."""
        if len(self._frames) <= count:
            return self.frames
        way = self._way()
        # Of frames at one place, the latest: the newest is never missing.
        latest = {int(len(way) - 1 - np.abs(way - place)[::-1].argmin()) for place in np.linspace(0, way[-1], count)}
        return tuple(self._frames[index] for index in sorted(latest))

    def write(
        self,
        path: str | os.PathLike[str],
        *,
        alpha: np.ndarray | None = None,
        most_bytes: int | None = None,
        overwrite: bool = False,
    ) -> None:
        """Write the film in the format of its suffix, whole or not at all; it ends with the newest picture, held.

        White shows where `alpha`, float (H, W) in [0, 1], is transparent. A film of more than `most_bytes` (by
        default, what is sensible for its format) is made again, smaller. Raises StylizeError as `check_film` does, and
        if the system refuses.
        """
        check_film(path, overwrite=overwrite)
        data = self.encode(Path(path).suffix, alpha=alpha, most_bytes=most_bytes)
        with whole_file(path, "film") as temporary:
            Path(temporary).write_bytes(data)

    def encode(self, suffix: str, *, alpha: np.ndarray | None = None, most_bytes: int | None = None) -> bytes:
        """Return the film as the bytes of a file with one of `SUFFIXES`; see `write`. Raises StylizeError."""
        if not self._frames:
            raise StylizeError("film: expected at least one picture, received none")
        form, size = _FORMATS[suffix.lower()], self._frames[-1].size
        most_bytes = most_bytes or form.most_bytes
        long_side_px = min(max(size), _LONG_SIDE_PX)
        while True:
            # Even, as H.264 wants them.
            height, width = (max(2, side // 2 * 2) for side in size_for_long_side(*size, long_side_px))
            stream = io.BytesIO()
            form.encode(stream, self._shots(height, width, form.per_s, alpha), form.per_s)
            data = stream.getvalue()
            if len(data) <= most_bytes or long_side_px <= _SHORTEST_LONG_SIDE_PX:
                return data
            # Bytes go with the area, nearly.
            long_side_px = max(_SHORTEST_LONG_SIDE_PX, int(long_side_px * 0.95 * (most_bytes / len(data)) ** 0.5))

    def _shots(self, height: int, width: int, per_s: int, alpha: np.ndarray | None) -> Iterator[_Shot]:
        """Yield the film: each picture dissolves into the next, in a time that goes with their change."""
        cover = None if alpha is None else resized(np.asarray(alpha, np.float32), height, width)[..., None]

        def shown(frame: Frame) -> np.ndarray:
            image = Image.fromarray(frame.pixels).resize((width, height), Image.Resampling.BICUBIC)
            pixels = np.asarray(image, np.float32)
            return pixels if cover is None else pixels * cover + 255 * (1 - cover)

        whole_way = self._way()
        # Where nothing changes no time is spent, and of frames that are alike the last is shown.
        kept = [i for i, place in enumerate(whole_way) if i + 1 == len(whole_way) or whole_way[i + 1] > place]
        frames, way = [self._frames[i] for i in kept], whole_way[kept]
        if len(frames) == 1:
            yield Image.fromarray(np.rint(shown(frames[0])).astype(np.uint8)), _LAST_S
            return
        seconds = min(_LONGEST_MOTION_S, _MOTION_S_PER_FRAME * len(frames))
        places = np.linspace(way[0], way[-1], max(2, round(seconds * per_s)))
        index, pair = 0, (shown(frames[0]), shown(frames[1]))
        for number, place in enumerate(places, start=1):
            while place > way[index + 1] and index + 2 < len(frames):
                index, pair = index + 1, (pair[1], shown(frames[index + 2]))
            share = (place - way[index]) / (way[index + 1] - way[index])
            mixed = pair[0] + np.float32(min(share, 1)) * (pair[1] - pair[0])
            held = _LAST_S if number == len(places) else _FIRST_S if number == 1 else 1 / per_s
            yield Image.fromarray(np.rint(mixed).astype(np.uint8)), held

    def _way(self) -> np.ndarray:
        """Return how much has changed up to each frame."""
        changes = [one.change(other) for one, other in zip(self._frames, self._frames[1:], strict=False)]
        return np.concatenate([[0.0], np.cumsum(changes)])


# --------------------------------------------------------------------------------------------------------------------
# Formats

_Shot = tuple[Image.Image, float]  # and the seconds that it stands


_Encode = Callable[[BinaryIO, Iterable[_Shot], int], None]


def _pillow(name: str, **options: Any) -> _Encode:
    def encode(stream: BinaryIO, shots: Iterable[_Shot], per_s: int) -> None:
        (first, *others), seconds = zip(*shots, strict=True)
        durations = [round(1000 * each) for each in seconds]
        first.save(stream, name, save_all=True, append_images=others, duration=durations, loop=0, **options)

    return encode


def _gif(stream: BinaryIO, shots: Iterable[_Shot], per_s: int) -> None:
    shots = list(shots)
    # One palette for all: colours neither flicker nor take bytes in each frame.
    samples = [np.asarray(shots[int(at)][0]) for at in np.linspace(0, len(shots) - 1, 6)]
    palette = Image.fromarray(np.concatenate(samples)).quantize(255, Image.Quantize.MEDIANCUT)
    dithered = [(image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG), held) for image, held in shots]
    _pillow("GIF", optimize=False)(stream, dithered, per_s)


def _mp4(stream: BinaryIO, shots: Iterable[_Shot], per_s: int) -> None:
    import av

    with av.open(stream, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=per_s, options={"crf": "20", "preset": "medium"})
        video.pix_fmt = "yuv420p"
        for number, (image, held) in enumerate(shots):
            if number == 0:
                video.width, video.height = image.size
            frame = av.VideoFrame.from_image(image)
            for _ in range(max(1, round(held * per_s))):
                container.mux(video.encode(frame))
        container.mux(video.encode())


@dataclass(frozen=True)
class _Format:
    encode: _Encode
    per_s: int
    """Frames a second."""
    most_bytes: int


_FORMATS: Mapping[str, _Format] = {
    ".webp": _Format(_pillow("WEBP", quality=70, method=3), 12, 4_000_000),
    ".gif": _Format(_gif, 10, 8_000_000),
    ".mp4": _Format(_mp4, 25, 8_000_000),
    ".apng": _Format(_pillow("PNG"), 8, 12_000_000),
}

#: What a film's name may end in.
SUFFIXES = tuple(_FORMATS)


def check_film(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse at once a film that could not be written later.

    Raises OptionError for an unknown suffix, and StylizeError if what it needs is not installed, or if it is there
    already and `overwrite` is false, or has no place.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise OptionError(f"film {path}: expected a suffix out of {', '.join(SUFFIXES)}; received {suffix or 'none'}")
    if suffix == ".mp4" and importlib.util.find_spec("av") is None:
        raise StylizeError(f'film {path}: MP4 needs the package av: pip install "stylize[film]"; or write .webp')
    check_place(path, "film", overwrite=overwrite)
