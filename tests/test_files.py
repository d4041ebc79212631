"""Names of files and URLs, hashes, and files that are written as a whole."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest

from stylize import files
from stylize.errors import ImageError, StylizeError


@pytest.mark.parametrize(
    ("folder", "name", "expected"),
    [
        ("s3://bucket/out/", "a/b.png", "s3://bucket/out/a/b.png"),
        ("s3://bucket/out", "gs://other/b.png", "gs://other/b.png"),
        ("s3://bucket/out", os.path.abspath("b.png"), os.path.abspath("b.png")),
        ("out", "b.png", os.path.join("out", "b.png")),
        ("out", "https://host/b.png", "https://host/b.png"),
    ],
)
def test_joined(folder: str, name: str, expected: str) -> None:
    assert files.joined(folder, name) == expected


@pytest.mark.parametrize("place", ["folder/lake.at.dawn.jpg", "https://host/folder/lake.at.dawn.jpg?size=large"])
def test_stem(place: str) -> None:
    assert files.stem(place) == "lake.at.dawn"


def test_within_resolves_links_and_compares_whole_names(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    assert files.within(str(tmp_path / "link" / "a.png"), str(tmp_path / "out"))
    assert files.within(str(tmp_path / "out"), str(tmp_path / "out"))
    assert not files.within(str(tmp_path / "outer"), str(tmp_path / "out"))
    assert files.within("s3://bucket/out/a.png", "s3://bucket/out/")
    assert not files.within("s3://bucket/outer", "s3://bucket/out")


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_sha256_of_files_and_streams(tmp_path: Path, size: int) -> None:
    data = b"x" * size
    (tmp_path / "file").write_bytes(data)
    expected = hashlib.sha256(data).hexdigest()
    assert files.sha256(str(tmp_path / "file")) == expected
    assert files.stream_sha256(io.BytesIO(data)) == expected


def test_write_errors_become_one_line_of_a_kind() -> None:
    with pytest.raises(StylizeError) as caught, files.write_errors("report out.html"):
        raise OSError(28, "No space left on device")
    assert str(caught.value) == "report out.html: could not be written: No space left on device"
    with pytest.raises(ImageError), files.write_errors("picture", ImageError):
        raise OSError(28, "No space left on device")
    with pytest.raises(ValueError, match="another"), files.write_errors("picture"):
        raise ValueError("another failure is not changed")


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path: Path, failure: BaseException) -> None:
    path = tmp_path / "film.webp"
    path.write_bytes(b"old")

    def write_half() -> None:
        with files.whole_file(path, "film") as temporary:
            Path(temporary).write_bytes(b"half")
            raise failure

    with pytest.raises((ImageError, KeyboardInterrupt)):
        write_half()
    assert os.listdir(tmp_path) == ["film.webp"]
    assert path.read_bytes() == b"old"
    with files.whole_file(path, "film") as temporary:
        Path(temporary).write_bytes(b"new")
    assert os.listdir(tmp_path) == ["film.webp"]
    assert path.read_bytes() == b"new"
