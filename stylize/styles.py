"""The project's own styles, which are given by name: `@swirls`.

A text that begins with `@` names one of them wherever a style is given. It never names a file; `./@photo.jpg` does.
"""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path
from typing import TypeVar

from stylize.errors import ImageError
from stylize.files import stem
from stylize.text import one_line

__all__ = ["DESCRIPTIONS", "StyleName", "file_of", "is_name", "named", "names", "style_stem"]

#: One line of words for each style; its picture is `style_NAME.jpg` in `stylize.examples`.
DESCRIPTIONS = {
    "swirls": "oil in thick swirls: a golden tree at night",
    "stained_glass": "leaded glass: sun over water and lilies",
    "woodcut": "three inks on cream paper: a great wave",
    "watercolour": "washes on rough paper: poppies",
    "impression": "oil in dabs of broken colour: water lilies",
    "points": "dots of pure colour: sails off a sunny bank",
    "cubism": "oil in planes of ochre and grey: a guitar",
    "ink": "pen hatching on cream paper: old houses",
    "chalk": "pastel on dark paper: birches at dusk",
    "riso": "a print in dots of three inks: a toucan",
    "mosaic": "small stones along outlines: a peacock on gold",
}

_MARK = "@"
_Source = TypeVar("_Source")


class StyleName(str):
    """The name of one of the project's own styles, such as `@swirls`.

    Args:
        text: the name with its `@`.

    Raises:
        ImageError: there is no such style.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> StyleName:
        """Check the name."""
        if text.removeprefix(_MARK) not in DESCRIPTIONS or not is_name(text):
            near = difflib.get_close_matches(text.lower(), names(), n=3) or names()
            raise ImageError(
                one_line(
                    f"style {text}: expected the name of one of our styles such as {', '.join(near)}; `stylize styles` "
                    f"shows all, and ./{text} means a file"
                )
            )
        return super().__new__(cls, text)

    @property
    def stem(self) -> str:
        """The name without `@`, for the names of outputs."""
        return self.removeprefix(_MARK)

    @property
    def file(self) -> Path:
        """The picture."""
        return Path(str(resources.files("stylize.examples") / f"style_{self.stem}.jpg"))


def names() -> list[str]:
    """Return the names of all styles, each with its `@`."""
    return [_MARK + name for name in DESCRIPTIONS]


def is_name(place: str) -> bool:
    """Whether a text names a style of the project rather than a file."""
    return place.startswith(_MARK)


def named(source: _Source) -> _Source | StyleName:
    """Return a style as it was given; a text that begins with `@` as a `StyleName`.

    Raises:
        ImageError: there is no such style.
    """
    return StyleName(source) if isinstance(source, str) and is_name(source) else source


def file_of(place: str) -> str:
    """Return the file of a style that is given by name, and any other place unchanged."""
    return str(StyleName(place).file) if place in names() else place


def style_stem(place: str) -> str:
    """Return what the names of outputs call a style: `swirls` for `@swirls`, and for a file its name without suffix."""
    return StyleName(place).stem if place in names() else stem(place)
