"""What a suffix says of a file: a picture, a picture for which an extra is missing, or no picture."""

from __future__ import annotations

import importlib.util

import pytest

from stylize.images.formats import extra_for, picture_suffixes
from stylize.images.writing import SUFFIXES


def test_suffixes_are_those_of_the_formats() -> None:
    suffixes = picture_suffixes()
    assert {f".{suffix}" for suffix in SUFFIXES} <= suffixes
    assert {".jfif", ".jpe", ".mpo", ".gif", ".bmp", ".pgm", ".jp2", ".psd", ".qoi", ".avif"} <= suffixes
    assert not {".eps", ".pdf", ".tga", ".h5", ".txt", ".mpg", "", "."} & suffixes


@pytest.mark.parametrize(
    ("suffix", "extra"), [(".heic", "heif"), (".HEIF", "heif"), (".dng", "raw"), (".CR3", "raw"), (".jpg", None)]
)
def test_extras(suffix: str, extra: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    picture_suffixes.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert extra_for(suffix) == extra
    assert (suffix.lower() in picture_suffixes()) == (extra is None)
    picture_suffixes.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    assert extra_for(suffix) is None
    assert suffix.lower() in picture_suffixes()
    picture_suffixes.cache_clear()
