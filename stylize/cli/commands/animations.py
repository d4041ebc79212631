"""What `fast` paints: a picture, or an animation frame by frame."""

from __future__ import annotations

import dataclasses
import io
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylize.cli.commands.results import save, say_left_out
from stylize.cli.console import Run
from stylize.config import FastConfig
from stylize.errors import StylizeError
from stylize.output import OutputConfig
from stylize.text import one_line

if TYPE_CHECKING:
    from stylize.images.animation import Animation
    from stylize.images.picture import ImageSource, Picture
    from stylize.networks.loaded import LoadedNetworks
    from stylize.transfer.results import TransferResult

__all__ = ["FastJob", "FirstFrame", "enough_px", "read_first_frame"]


@dataclasses.dataclass(frozen=True)
class FirstFrame:
    """A content, of which the first frame was read.

    Attributes:
        picture: the first frame, or the picture.
        file: where the other frames are: a file, or the bytes of a URL or a pipe, which cannot be read twice.
    """

    picture: Picture
    file: str | bytes


def enough_px(config: FastConfig) -> int | None:
    """Return the long side beyond which a content gains nothing; None: read the full size."""
    return config.size if isinstance(config.size, int) else None


def read_first_frame(source: Path | str | bytes, config: FastConfig) -> FirstFrame:
    """Read a content, decoded as large as `config` needs it.

    Args:
        source: a file, a URL, a pipe, or the bytes that standard input held.
        config: the options.

    Raises:
        ImageError: the content cannot be read.
    """
    from stylize.images.opening import open_picture_file
    from stylize.images.reading import read_image

    long_side_px = enough_px(config)
    if not isinstance(source, bytes) and os.path.isfile(source):
        return FirstFrame(read_image(source, name="content", long_side_px=long_side_px), os.fspath(source))
    path, name = None, "content -"
    if not isinstance(source, bytes):
        path, name = os.fspath(source), one_line(f"content {os.fspath(source)}")
        with open_picture_file(path, name) as stream:
            source = stream.read()
    picture = read_image(source, name=name, long_side_px=long_side_px)
    return FirstFrame(dataclasses.replace(picture, path=path), source)


@dataclasses.dataclass(frozen=True)
class FastJob:
    """A picture or an animation to paint by `fast`, and to write."""

    content: FirstFrame
    styles: Any
    masks: Sequence[ImageSource]
    config: FastConfig
    output_config: OutputConfig

    def paint(
        self, run: Run, output: Path | None, *, networks: LoadedNetworks, overwrite: bool
    ) -> tuple[TransferResult, bytes]:
        """Paint and write.

        Args:
            run: the running command.
            output: the file to write, or None for the bytes of a PNG or an APNG.
            networks: keeps networks loaded.
            overwrite: whether an existing file may be replaced.

        Returns:
            The picture, or the first frame of an animation; and the bytes, which are empty if there is a file.

        Raises:
            StylizeError: the output is an animation by its name, and the content is none.
        """
        suffix = "png" if output is None else output.suffix.lower().removeprefix(".")
        if self._makes_animation(suffix):
            return self._paint_frames(run, output, suffix, networks, overwrite=overwrite)
        from stylize.api import fast
        from stylize.transfer.results import with_sources

        result = fast(
            self.content.picture, self.styles, mask=self.masks, config=self.config, loaded=networks,
            **run.api_arguments,
        )  # fmt: skip
        result = with_sources(result, run.sources)
        if output is None:
            return result, result.encode("png", self.output_config)
        save(run, result, output, self.output_config, overwrite=overwrite)
        return result, b""

    def _makes_animation(self, suffix: str) -> bool:
        from stylize.images import writing
        from stylize.images.animation import ANIMATED_SUFFIXES, check_animation

        if self.content.picture.frames == 1 and suffix not in writing.SUFFIXES:
            raise StylizeError(
                f"output: expected a suffix out of {', '.join(writing.SUFFIXES)}, as the content is not animated; "
                f"received .{suffix}"
            )
        if self.content.picture.frames == 1 or suffix not in ANIMATED_SUFFIXES:
            return False
        check_animation(suffix, self.output_config)
        return True

    def _paint_frames(
        self, run: Run, output: Path | None, suffix: str, networks: LoadedNetworks, *, overwrite: bool
    ) -> tuple[TransferResult, bytes]:
        from stylize.images.animation import encode_animation, open_animation, write_animation
        from stylize.transfer.fast import run_fast_frames
        from stylize.transfer.inputs import Inputs
        from stylize.transfer.results import with_sources
        from stylize.transfer.session import Session

        began, stream = time.perf_counter(), io.BytesIO()
        session = Session(networks, **run.api_arguments)
        with open_animation(self.content.file, path=self.content.picture.path, name="content") as animation:
            inputs = Inputs.read(
                animation.frame(0), self.styles, self.masks, self.config.size, reduced=True, on_message=session.say
            )
            result, frames = run_fast_frames(inputs, animation, self.config, session)
            result = with_sources(result, run.sources)
            self._say_losses(run, suffix, animation, result)
            written: dict[str, Any] = {
                "provenance": result.provenance, "metadata": result.metadata, "output": self.output_config,
                "on_frame": run.on_frame,
            }  # fmt: skip
            if output is None:
                encode_animation(stream, suffix, frames, **written)
            else:
                write_animation(output, frames, overwrite=overwrite, **written)
        return dataclasses.replace(result, seconds=time.perf_counter() - began), stream.getvalue()

    def _say_losses(self, run: Run, suffix: str, animation: Animation, result: TransferResult) -> None:
        """Say what the format of the output does not hold."""
        say_left_out(run, result, self.output_config)
        kept = result.metadata.kept(self.output_config.metadata)
        if suffix == "avif" and animation.plays:
            times = "once" if animation.plays == 1 else f"{animation.plays} times"
            run.say(f"AVIF: the animation is played without end, not {times}")
        if suffix == "gif" and (kept.main or kept.photo):
            run.say("GIF holds neither author nor dates; write WebP or APNG to keep them")
