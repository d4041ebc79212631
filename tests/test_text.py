"""Durations, lines for people, file names with weights."""

from __future__ import annotations

import ntpath

import pytest

from stylize.errors import ImageError
from stylize.text import duration, one_line, rough_duration, split_weight, without_users


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (99.4, "99 s"), (99.5, "1 min 40 s"), (120, "2 min"),
        (5999, "99 min 59 s"), (6000, "1 h 40 min"),
    ],
)  # fmt: skip
def test_measured_times(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "1 s"), (89.4, "89 s"), (90, "2 min"), (5369, "89 min"), (6000, "1.7 h")]
)
def test_estimated_times(seconds: float, text: str) -> None:
    assert rough_duration(seconds) == text


def test_a_message_stays_on_one_line() -> None:
    assert one_line(OSError("no\nroom\r\nleft")) == "no room left"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://key:p@ss@bucket/a@b.png: no", "s3://bucket/a@b.png: no"),
        ("zip://a.png::https://ann@host/a.zip", "zip://a.png::https://host/a.zip"),
        ("https://host/a.png, ask ann@host", "https://host/a.png, ask ann@host"),
    ],
)
def test_a_message_names_no_users_of_urls(text: str, shown: str) -> None:
    assert without_users(text) == shown
    assert str(ImageError(f"content {text}")) == f"content {shown}"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.png:2", ("a.png", 2.0)), ("a.png", ("a.png", None)), ("a:b.png:0.5", ("a:b.png", 0.5)),
        ("s3://a/b.png", ("s3://a/b.png", None)), (":2", (":2", None)), ("a.png:-1", ("a.png", -1.0)),
    ],
)  # fmt: skip
def test_a_weight_follows_the_last_colon(text: str, parts: tuple[str, float | None]) -> None:
    assert split_weight(text) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (r"C:\a.jpg:2", (r"C:\a.jpg", 2.0)), (r"C:\a.jpg", (r"C:\a.jpg", None)), ("C:/a.jpg:.5", ("C:/a.jpg", 0.5)),
        ("D:5", ("D:5", None)), ("D:5:2", ("D:5", 2.0)), (r"\\server\share\a.jpg:2", (r"\\server\share\a.jpg", 2.0)),
        ("a.jpg:2", ("a.jpg", 2.0)), ("https://host/a.jpg:2", ("https://host/a.jpg", 2.0)),
    ],
)  # fmt: skip
def test_the_colon_of_a_drive_is_no_weight(
    text: str, parts: tuple[str, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylize.text.splitdrive", ntpath.splitdrive)
    assert split_weight(text) == parts
