"""A refinement as a film: some of its pictures are kept on the way and shown at an even pace of change."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.errors import OptionError, StylizeError
from stylize.files import whole_file
from stylize.images.resizing import resized, size_for_long_side
from stylize.reports.film_formats import FORMATS, Shot, check_film

__all__ = ["Film", "Frame"]

#: The longest side of a film, px. Larger pictures are shrunk when they are kept, so that the film of any refinement
#: fits into memory.
_LONG_SIDE_PX = 640
_MIN_LONG_SIDE_PX = 64
#: Change is measured on pictures of this long side, px: small enough to be cheap, and large enough to show the steps
#: of the finest level.
_THUMBNAIL_PX = 192
_MAX_FRAMES = 60

# The first picture is held, the pictures change, the last picture is held: 12 s or less in total.
_FIRST_S, _MAX_MOTION_S, _LAST_S = 0.8, 9.0, 2.2
_MOTION_S_PER_FRAME = 0.15


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture of the refinement and its place in the refinement.

    Attributes:
        pixels: uint8 (h, w, 3), of its level's size, or shrunk to the film's size if the level is larger.
        size: height and width of its level in px.
        step: 0 is the picture that the refinement started from.
        elapsed_s: since the start.
        thumbnail: float32 (h, w, 3), 0 to 255, of one size for all frames; change is measured on thumbnails.
    """

    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    step: int
    elapsed_s: float
    thumbnail: NDArray[np.float32]

    def change(self, other: Frame) -> float:
        """Return the root of the mean squared difference to another frame, 0 to 255."""
        difference = (self.thumbnail - other.thumbnail).ravel()
        return float(np.sqrt(difference @ difference / difference.size))


class Film:
    """Receives every picture of a refinement and keeps up to `max_frames` that are evenly spaced by change.

    When there are too many, the frame is dropped whose neighbours differ least. The first and the newest frame always
    stay.
    """

    def __init__(self, max_frames: int = _MAX_FRAMES) -> None:
        if max_frames < 2:
            raise OptionError(f"film: expected at least 2 frames, received {max_frames}")
        self._max_frames = max_frames
        self._frames: list[Frame] = []
        #: The change from frame i to frame i + 2: what is lost if frame i + 1 is dropped.
        self._gaps: list[float] = []

    def add(self, pixels: NDArray[np.float32], *, step: int = 0, elapsed_s: float = 0.0) -> None:
        """Receive the next picture; the pixels are copied.

        Args:
            pixels: float32 (H, W, 3) in [0, 1], of any size.
            step: of the refinement; 0 is the start.
            elapsed_s: since the start.
        """
        height, width = pixels.shape[:2]
        image = Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
        first = self._frames[0] if self._frames else None
        size = first.thumbnail.shape[:2] if first else size_for_long_side(height, width, _THUMBNAIL_PX)
        thumbnail = np.asarray(image.resize(size[::-1], Image.Resampling.BICUBIC), np.float32)
        if max(height, width) > _LONG_SIDE_PX:
            image.thumbnail((_LONG_SIDE_PX, _LONG_SIDE_PX), Image.Resampling.LANCZOS)
        self._frames.append(Frame(np.array(image), (height, width), step, elapsed_s, thumbnail))
        if len(self._frames) > 2:
            self._gaps.append(self._frames[-3].change(self._frames[-1]))
        if len(self._frames) > self._max_frames:
            self._drop(int(np.argmin(self._gaps)) + 1)

    def _drop(self, index: int) -> None:
        frames, gaps = self._frames, self._gaps
        del frames[index], gaps[index - 1]
        # Two gaps began or ended at the dropped frame; they reach one frame further now.
        for gap in (index - 2, index - 1):
            if 0 <= gap < len(gaps):
                gaps[gap] = frames[gap].change(frames[gap + 2])

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frames that are kept, in order."""
        return tuple(self._frames)

    def stages(self, count: int) -> tuple[Frame, ...]:
        """Return up to `count` (2 or more) frames, evenly spaced by change, including the first and the last."""
        if len(self._frames) <= count:
            return self.frames
        change = self._cumulative_change()
        # Where several frames are equally near, take the latest, so that the newest frame is included.
        latest = {
            int(len(change) - 1 - np.abs(change - target)[::-1].argmin())
            for target in np.linspace(0, change[-1], count)
        }
        return tuple(self._frames[index] for index in sorted(latest))

    def write(
        self,
        path: str | os.PathLike[str],
        *,
        alpha: NDArray[np.float32] | None = None,
        max_bytes: int | None = None,
        overwrite: bool = False,
    ) -> None:
        """Write the film; a failure leaves no partial file.

        Args:
            path: its suffix, one of `film_formats.SUFFIXES`, chooses the format.
            alpha: float32 (H, W) in [0, 1]; transparent parts become white.
            max_bytes: a larger film is made again at a smaller size; None stands for the format's default.
            overwrite: whether an existing file may be replaced.

        Raises:
            OptionError: the suffix is unknown.
            StylizeError: the film is empty, `check_film` refuses the path, or the file cannot be written.
        """
        check_film(path, overwrite=overwrite)
        data = self.encode(Path(path).suffix, alpha=alpha, max_bytes=max_bytes)
        with whole_file(path, "film", overwrite=overwrite) as temporary:
            Path(temporary).write_bytes(data)

    def encode(self, suffix: str, *, alpha: NDArray[np.float32] | None = None, max_bytes: int | None = None) -> bytes:
        """Return the film as the bytes of a file with that suffix; arguments and errors are as in `write`."""
        if not self._frames:
            raise StylizeError("film: expected at least one picture, received none")
        form, size = FORMATS[suffix.lower()], self._frames[-1].size
        max_bytes = max_bytes or form.max_bytes
        long_side_px = min(max(size), _LONG_SIDE_PX)
        while True:
            # H.264 needs even sides.
            height, width = (max(2, side // 2 * 2) for side in size_for_long_side(*size, long_side_px))
            stream = io.BytesIO()
            form.encode(stream, self._shots(height, width, form.frames_per_s, alpha), form.frames_per_s)
            data = stream.getvalue()
            if len(data) <= max_bytes or long_side_px <= _MIN_LONG_SIDE_PX:
                return data
            # The number of bytes is nearly proportional to the area.
            long_side_px = max(_MIN_LONG_SIDE_PX, int(long_side_px * 0.95 * (max_bytes / len(data)) ** 0.5))

    def _shots(self, height: int, width: int, frames_per_s: int, alpha: NDArray[np.float32] | None) -> Iterator[Shot]:
        """Yield the pictures of the film: each frame dissolves into the next, in a time proportional to the change."""
        opacity = None if alpha is None else resized(np.asarray(alpha, np.float32), height, width)[..., None]

        def shown(frame: Frame) -> NDArray[np.float32]:
            image = Image.fromarray(frame.pixels).resize((width, height), Image.Resampling.BICUBIC)
            pixels = np.asarray(image, np.float32)
            return pixels if opacity is None else pixels * opacity + 255 * (1 - opacity)

        # Of frames that are equal, show the last.
        all_change = self._cumulative_change()
        kept = [i for i, at in enumerate(all_change) if i + 1 == len(all_change) or all_change[i + 1] > at]
        frames, change = [self._frames[i] for i in kept], all_change[kept]
        if len(frames) == 1:
            yield Image.fromarray(np.rint(shown(frames[0])).astype(np.uint8)), _LAST_S
            return
        motion_s = min(_MAX_MOTION_S, _MOTION_S_PER_FRAME * len(frames))
        targets = np.linspace(change[0], change[-1], max(2, round(motion_s * frames_per_s)))
        index, pair = 0, (shown(frames[0]), shown(frames[1]))
        for number, target in enumerate(targets, start=1):
            while target > change[index + 1] and index + 2 < len(frames):
                index, pair = index + 1, (pair[1], shown(frames[index + 2]))
            share = (target - change[index]) / (change[index + 1] - change[index])
            mixed = pair[0] + np.float32(min(share, 1)) * (pair[1] - pair[0])
            held_s = _LAST_S if number == len(targets) else _FIRST_S if number == 1 else 1 / frames_per_s
            yield Image.fromarray(np.rint(mixed).astype(np.uint8)), held_s

    def _cumulative_change(self) -> NDArray[np.float64]:
        """Return for each frame the sum of all changes up to that frame."""
        changes = [one.change(other) for one, other in zip(self._frames, self._frames[1:], strict=False)]
        return np.concatenate([[0.0], np.cumsum(changes)])
