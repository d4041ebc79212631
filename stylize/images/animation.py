"""Animations: GIF, WebP, APNG and AVIF, read and written frame by frame."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from stylize.errors import ImageError, OptionError
from stylize.files import stream_sha256, whole_file
from stylize.images.apng import save_apng
from stylize.images.decoding import first_frame, load_frame, of_all_frames, upright_samples
from stylize.images.encoders import beside_pixels
from stylize.images.gif import save_gif
from stylize.images.metadata import NO_METADATA, Metadata, decoded_text
from stylize.images.opening import identify, open_picture_file, pillow_errors
from stylize.images.picture import Picture
from stylize.images.reading import as_picture, path_of_file
from stylize.images.writing import check_encoder, check_sides, written_metadata
from stylize.output import DEFAULT_OUTPUT, OutputConfig
from stylize.text import one_line

__all__ = [
    "ANIMATED_SUFFIXES",
    "Animation",
    "Frames",
    "check_animation",
    "common_palette",
    "encode_animation",
    "open_animation",
    "save_frames",
    "write_animation",
]

_FORMATS = {"gif": "GIF", "webp": "WEBP", "png": "PNG", "apng": "PNG", "avif": "AVIF"}

#: The output suffixes that can hold an animation, without the dot.
ANIMATED_SUFFIXES = tuple(_FORMATS)

# Those with a quality.
_LOSSY = ("webp", "avif")

# Browsers show a frame of up to 10 ms for 100 ms, in all formats.
_TOO_SHORT_MS, _DEFAULT_MS = 10, 100

# A common palette of a GIF comes from so many frames.
_PALETTE_FRAMES = 6

# The last entry of a GIF's palette stands for transparent.
_TRANSPARENT = 255


class Animation:
    """An open animation. Memory holds one frame at a time.

    Attributes:
        durations_ms: how long each frame is shown, ms.
        plays: how often the animation is shown; 0 stands for endless.
        transparent: whether any frame has transparent pixels.
    """

    def __init__(self, image: Image.Image, label: str, path: str | None, sha256: str) -> None:
        """Decode all frames once, for their times.

        Args:
            image: an open file.
            label: what error messages call the picture.
            path: of the file, or None.
            sha256: of the file.

        Raises:
            ImageError: a frame is damaged.
        """
        self._image, self._label, self._path, self._sha256 = image, label, path, sha256
        self._first, self._of_all_frames = first_frame(image), of_all_frames(image)
        self.plays = _plays(image)
        durations, transparent = [], False
        with pillow_errors(label):
            count = getattr(image, "n_frames", 1)
        for number in range(self._first, count):
            with pillow_errors(f"{label}, frame {number + 1 - self._first}"):
                image.seek(number)
                image.load()
                duration = round(image.info.get("duration", 0))
                durations.append(duration if duration > _TOO_SHORT_MS else _DEFAULT_MS)
                transparent = transparent or _has_transparent_pixels(image)
        self.durations_ms = tuple(durations)
        self.transparent = transparent

    def frame(self, index: int) -> Picture:
        """Return a frame, from 0. Raises ImageError for damaged data."""
        with pillow_errors(self._label):
            self._image.seek(self._first + index)
            self._image.info.update(self._of_all_frames)
            frame = load_frame(self._image)
            picture = as_picture(*upright_samples(frame))
        return replace(picture, path=self._path, sha256=self._sha256, metadata=frame.metadata)


@contextlib.contextmanager
def open_animation(
    source: str | os.PathLike[str] | bytes, *, path: str | None = None, name: str = "image"
) -> Iterator[Animation]:
    """Open an animation, or a picture as an animation of one frame.

    Args:
        source: a path, a URL, or the bytes of a file.
        path: where the source came from, if that is known and is not the source.
        name: what error messages call the picture, such as "content".

    Raises:
        ImageError: the source is missing, unreadable, damaged, or no picture.
    """
    if path is None and not isinstance(source, bytes):
        path = path_of_file(os.fsdecode(source))
    label = name if path is None else one_line(f"{name} {path}")
    stream: contextlib.AbstractContextManager[BinaryIO]
    stream = io.BytesIO(source) if isinstance(source, bytes) else open_picture_file(os.fsdecode(source), label)
    with stream as file:
        with pillow_errors(label):
            digest = stream_sha256(file)
            image = identify(file, label, path=path)
        yield Animation(image, label, path, digest)


def _plays(image: Image.Image) -> int:
    loop = image.info.get("loop")
    if image.format == "GIF":  # stores how often the animation is repeated after its first time
        return 1 if loop is None else loop + 1 if loop else 0
    return int(loop or 0)


def _has_transparent_pixels(image: Image.Image) -> bool:
    return image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255  # type: ignore[operator]


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames of an animation to write.

    Attributes:
        size: height and width in px.
        durations_ms: how long each frame is shown, ms.
        plays: how often the animation is shown; 0 stands for endless.
        transparent: whether any frame has transparent pixels.
        at: returns a frame by its index: pixels, float32 (H, W, 3) in [0, 1], and alpha, float32 (H, W), or None.
    """

    size: tuple[int, int]
    durations_ms: Sequence[int]
    plays: int
    transparent: bool
    at: Callable[[int], tuple[NDArray[np.float32], NDArray[np.float32] | None]]

    def image(self, index: int) -> Image.Image:
        """Return a frame in 8 bits, RGBA if any frame has transparent pixels."""
        pixels, alpha = self.at(index)
        if self.transparent:
            cover = np.ones(pixels.shape[:2], np.float32) if alpha is None else alpha
            pixels = np.dstack([pixels, cover])
        return Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))


OnFrame = Callable[[int, int], None]


def check_animation(suffix: str, output: OutputConfig) -> None:
    """Raise OptionError if animations with a suffix of `ANIMATED_SUFFIXES` cannot be written so."""
    if output.quality is not None and suffix not in _LOSSY:
        raise OptionError(
            f"quality: expected an output of {' or '.join(_LOSSY)} for an animation, received {suffix}; leave it out"
        )
    if output.bit_depth != 8:
        raise OptionError(f"bit_depth: expected 8 for an animation, received {output.bit_depth}")


def write_animation(
    path: str | os.PathLike[str],
    frames: Frames,
    *,
    provenance: Mapping[str, Any] | None = None,
    metadata: Metadata = NO_METADATA,
    output: OutputConfig = DEFAULT_OUTPUT,
    overwrite: bool = False,
    on_frame: OnFrame | None = None,
) -> None:
    """Write an animation; a failure leaves no partial file.

    Args:
        path: its suffix, one of `ANIMATED_SUFFIXES`, chooses the format.
        frames: what to write. Each frame is asked for when the encoder needs it, in order.
        provenance: a mapping that JSON can represent, embedded for `read_provenance`.
        metadata: what the content's file said. A GIF holds the texts only.
        output: the quality; which metadata are kept, and whether the provenance is.
        overwrite: whether an existing file may be replaced.
        on_frame: is called after each frame with its number, from 1, and the number of all frames.

    Raises:
        ImageError: the format cannot hold the animation, or the system refuses to write.
        OptionError: as `check_animation`.
    """
    name = os.fspath(path)
    suffix = os.path.splitext(name)[1].lower().removeprefix(".")
    with whole_file(path, "output", overwrite=overwrite) as temporary, open(temporary, "xb") as file:
        encode_animation(
            file, suffix, frames, provenance=provenance, metadata=metadata, output=output,
            folder=os.path.dirname(os.path.abspath(name)), on_frame=on_frame,
        )  # fmt: skip


def encode_animation(
    stream: BinaryIO,
    suffix: str,
    frames: Frames,
    *,
    provenance: Mapping[str, Any] | None = None,
    metadata: Metadata = NO_METADATA,
    output: OutputConfig = DEFAULT_OUTPUT,
    folder: str | None = None,
    on_frame: OnFrame | None = None,
) -> None:
    """Write the bytes of an animation to a stream; arguments and errors are as in `write_animation`.

    The folder is that of the file, where paths of the provenance start; None if there is none.

    Memory holds one painted frame, the encoded animation, and six frames for the palette of a GIF.
    """
    check_animation(suffix, output)
    form, count = _FORMATS[suffix], len(frames.durations_ms)
    written = written_metadata(metadata, provenance, output, folder)
    options: dict[str, Any]
    if form == "GIF":
        images = _in_common_palette(frames)
        options = {"comment": _comment(written), "transparent": _TRANSPARENT if frames.transparent else None}
    else:
        encoder = check_encoder(form.lower(), "output", output)
        check_sides(*frames.size, encoder)
        images = map(frames.image, range(count))
        options = {**encoder.options_for(output), **beside_pixels(form, written)}

    def counted() -> Iterator[Image.Image]:
        for number, image in enumerate(images, start=1):
            if on_frame is not None:
                on_frame(number, count)
            yield image

    try:
        save_frames(stream, form, counted(), frames.durations_ms, frames.plays, **options)
    except ImageError:
        raise
    except (ValueError, MemoryError) as error:
        raise ImageError(f"output: {form} encoding failed ({one_line(error)}); write WebP") from error


def _comment(metadata: Metadata) -> bytes:
    """Return the comment of a GIF, which holds nothing else: the description, and a line for each text."""
    description = metadata.main.get(ExifTags.Base.ImageDescription)
    lines = [] if description is None else [decoded_text(description)]
    texts = [text if name == "Comment" else f"{name}: {text}" for name, text in metadata.texts.items()]
    return "\n".join([*lines, *texts]).encode()


def _in_common_palette(frames: Frames) -> Iterator[Image.Image]:
    count = len(frames.durations_ms)
    samples = {int(at): frames.image(int(at)) for at in np.linspace(0, count - 1, min(count, _PALETTE_FRAMES))}
    palette = common_palette([image.convert("RGB") for image in samples.values()])
    for index in range(count):
        image = samples.pop(index) if index in samples else frames.image(index)
        quantized = image.convert("RGB").quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
        if frames.transparent:
            quantized.paste(_TRANSPARENT, mask=image.getchannel("A").point([255] * 128 + [0] * 128))
        yield quantized


def common_palette(images: Sequence[Image.Image]) -> Image.Image:
    """Return a picture whose palette fits all of `images`, RGB; its last entry is free.

    With one palette for all frames colours do not flicker.
    """
    return Image.fromarray(np.concatenate([np.asarray(image) for image in images])).quantize(
        _TRANSPARENT, Image.Quantize.MEDIANCUT
    )


def save_frames(
    stream: BinaryIO, form: str, images: Iterable[Image.Image], durations_ms: Sequence[int], plays: int, **options: Any
) -> None:
    """Encode an animation.

    Args:
        stream: where the bytes go.
        form: GIF, WEBP, PNG or AVIF.
        images: of one size and mode, for GIF with one palette; as many as `durations_ms`. Each is asked for when it is
            encoded.
        durations_ms: how long each image is shown, ms.
        plays: how often the animation is shown; 0 stands for endless. AVIF is always endless.
        options: of Pillow's encoder, for GIF of `save_gif`.
    """
    if form == "GIF":
        save_gif(stream, images, durations_ms, plays, **options)
    elif form == "PNG":
        save_apng(stream, images, durations_ms, plays, **options)
    else:
        sequence = _Sequence(iter(images), len(durations_ms))
        sequence.save(stream, form, save_all=True, duration=list(durations_ms), loop=plays, **options)


class _Sequence(Image.Image):
    """Images that are made one after the other, as Pillow's encoders want frames: by `seek` and `load`."""

    is_animated = True

    def __init__(self, images: Iterator[Image.Image], count: int) -> None:
        super().__init__()
        self._images, self.n_frames = images, count
        self._index, self._loaded = 0, -1
        self.load()
        self._mode, self._size = self.im.mode, self.im.size

    def seek(self, frame: int) -> None:
        """Choose a frame; the frame is made when its pixels are asked for."""
        if frame >= self.n_frames:
            raise EOFError("no more frames")
        self._index = frame

    def tell(self) -> int:
        """Return the index of the chosen frame."""
        return self._index

    def load(self) -> Any:
        """Make the chosen frame, unless the frame is here."""
        while self._loaded < self._index:
            image = next(self._images)
            self.im, self.palette = image.im, image.palette
            self._loaded += 1
        return super().load()
