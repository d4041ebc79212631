"""Names of files and URLs, hashes, and files that are written as a whole."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("https://host/a.png", True),
        ("s3://a", True),
        ("C://photos/a.png", False),
        (r"C:\a.png", False),
        ("a.png", False),
    ],
)
def test_a_drive_is_no_scheme_of_a_url(place: str, url: bool) -> None:
    assert files.is_url(place) == url


@pytest.mark.parametrize("place", ["folder/lake.at.dawn.jpg", "https://host/folder/lake.at.dawn.jpg?size=large"])
def test_stem(place: str) -> None:
    assert files.stem(place) == "lake.at.dawn"


def test_a_chain_of_urls_is_remote_where_its_last_is() -> None:
    remote = [
        "https://host/a.png",
        "s3://bucket/a.png",
        "simplecache::s3://bucket/a.png",
        "zip://a::https://host/a.zip",
    ]
    local = ["a.png", "file:///a.png", "simplecache::file:///a.png", "zip://a.png::file:///a.zip", "C:\\a.png"]
    assert [files.is_remote(place) for place in (*remote, *local)] == [True] * 4 + [False] * 5


def test_within_resolves_links_and_compares_whole_names(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    assert files.within(str(tmp_path / "link" / "a.png"), str(tmp_path / "out"))
    assert files.within(str(tmp_path / "out"), str(tmp_path / "out"))
    assert not files.within(str(tmp_path / "outer"), str(tmp_path / "out"))
    assert files.within("s3://bucket/out/a.png", "s3://bucket/out/")
    assert not files.within("s3://bucket/outer", "s3://bucket/out")
    pytest.importorskip("fsspec")
    out, url = str(tmp_path / "out"), f"file://{tmp_path}/out/"
    assert files.within(f"file://{tmp_path}/link/a.png", out)
    assert files.within(str(tmp_path / "link" / "a.png"), url)
    assert files.within(url, url)
    assert not files.within(f"file://{tmp_path}/outer", out)
    assert not files.within("s3://bucket/out", out)


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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "private.png"
    path.touch(mode=0o600)
    with files.whole_file(path, "output", overwrite=True) as temporary:
        Path(temporary).write_bytes(b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_url_of_a_local_file_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    path = tmp_path / "new" / "a.png"
    files.write(f"file://{path}", b"old")
    script = (
        "import resource, signal, sys; from stylize import files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "files.write(sys.argv[1], bytes(5000))"
    )
    failed = subprocess.run([sys.executable, "-c", script, f"file://{path}"], capture_output=True, text=True)
    assert "could not be written: File too large" in failed.stderr
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["a.png"]


def test_an_ending_without_room_for_a_name_makes_a_name_that_is_refused() -> None:
    long = files.shortened("photo", f"-rerun.{'x' * 250}")
    with pytest.raises(ImageError, match="expected a name of up to 255 bytes, received 26"):
        files.check_name(long, "output")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes")
def test_a_pipe_is_no_file_to_write(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.png")
    with pytest.raises(ImageError, match="expected a file, received a device or a pipe"):
        files.check_place(tmp_path / "out.png", "output", overwrite=True)


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path: Path, failure: BaseException) -> None:
    path = tmp_path / "film.webp"
    path.write_bytes(b"old")

    def write_half() -> None:
        with files.whole_file(path, "film", overwrite=True) as temporary:
            Path(temporary).write_bytes(b"half")
            raise failure

    with pytest.raises((ImageError, KeyboardInterrupt)):
        write_half()
    assert os.listdir(tmp_path) == ["film.webp"]
    assert path.read_bytes() == b"old"
    with files.whole_file(path, "film", overwrite=True) as temporary:
        Path(temporary).write_bytes(b"new")
    assert os.listdir(tmp_path) == ["film.webp"]
    assert path.read_bytes() == b"new"


@pytest.fixture(params=[True, False], ids=["hard links", "no hard links"])
def hard_links(request, monkeypatch):
    """A file system with hard links, and another without."""

    def link(*arguments):
        raise PermissionError(1, "Operation not permitted")

    if not request.param:
        monkeypatch.setattr(os, "link", link)


def test_a_file_that_appears_meanwhile_is_not_replaced(hard_links, tmp_path):
    path = tmp_path / "film.webp"
    with files.whole_file(path, "film", overwrite=False) as temporary:
        Path(temporary).write_bytes(b"new")
    assert (os.listdir(tmp_path), path.read_bytes()) == (["film.webp"], b"new")
    path.unlink()

    def write_late() -> None:
        with files.whole_file(path, "film", overwrite=False) as temporary:
            Path(temporary).write_bytes(b"late")
            path.write_bytes(b"first")

    with pytest.raises(ImageError, match=r"film .*film.webp: is there already; choose another name"):
        write_late()
    assert (os.listdir(tmp_path), path.read_bytes()) == (["film.webp"], b"first")


def test_a_failure_without_hard_links_leaves_nothing(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(os, "replace", full)
    with (
        pytest.raises(ImageError, match="No space left"),
        files.whole_file(tmp_path / "a", "film", overwrite=False) as temporary,
    ):
        Path(temporary).write_bytes(b"new")
    assert os.listdir(tmp_path) == []


@given(name=st.text(min_size=1).filter(lambda name: "\0" not in name and "/" not in name), ending=st.just(".png"))
def test_a_shortened_name_fits_and_says_what_it_was(name, ending):
    for long in (name, name * 300):
        try:
            os.fsencode(long)
        except UnicodeEncodeError:
            continue  # no file can have such a name
        short = files.shortened(long, ending)
        assert len(os.fsencode(short)) <= 255
        assert short.endswith(ending)
        if len(os.fsencode(long + ending)) <= 255:
            assert short == long + ending
        else:
            assert long.startswith(short[:-13])
            assert files.shortened(f"{long}2", ending) != short


def test_a_name_that_is_too_long_is_refused_in_one_line(tmp_path):
    with pytest.raises(ImageError, match="expected a name of up to 255 bytes, received 256; shorten it"):
        files.check_place(tmp_path / ("x" * 256), "output", overwrite=False)
    files.check_place(tmp_path / ("x" * 255), "output", overwrite=False)


def test_a_weight_follows_the_last_colon_unless_a_file_has_the_whole_name(tmp_path):
    (tmp_path / "shot 12:30").touch()
    assert files.weighted("shot 12:30", str(tmp_path)) == ("shot 12:30", None)
    assert files.weighted("shot 12:30") == ("shot 12", 30)
    assert files.weighted("shot 12:30:2", str(tmp_path)) == ("shot 12:30", 2)
    assert files.weighted("https://host/a.png:2") == ("https://host/a.png", 2)


def test_a_folder_is_known_by_every_spelling_of_its_name(tmp_path, monkeypatch):
    """The two names of one folder stand for `photos` and `Photos` on macOS, where `realpath` keeps what was typed."""
    (tmp_path / "photos" / "out").mkdir(parents=True)
    (tmp_path / "Photos").symlink_to("photos")
    monkeypatch.setattr(os.path, "realpath", os.path.abspath)
    output = str(tmp_path / "Photos" / "out")
    assert files.within(str(tmp_path / "photos" / "out"), output)
    assert files.within(str(tmp_path / "photos" / "out" / "cats" / "new.png"), output)
    assert not files.within(str(tmp_path / "photos" / "a.png"), output)
    assert not files.within(str(tmp_path / "photos" / "a.png"), str(tmp_path / "missing"))


def test_files_of_a_drive_that_numbers_none_are_told_apart(tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    (tmp_path / "link.png").symlink_to("a.png")
    numbered = os.stat
    with monkeypatch.context() as drive:
        drive.setattr(os, "stat", lambda *place: os.stat_result((numbered(*place).st_mode, *[0] * 9)))
        assert not files.same_file(tmp_path / "a.png", tmp_path / "b.png")
        assert files.same_file(tmp_path / "a.png", tmp_path / "link.png")
    assert files.same_file(tmp_path / "a.png", tmp_path / "link.png")
    assert not files.same_file(tmp_path / "a.png", tmp_path / "missing.png")


@pytest.mark.parametrize("name", ["photo 12:30.png", "what?.png"])
def test_a_name_that_windows_forbids_is_refused_there_before_any_work(tmp_path, monkeypatch, name):
    if os.name != "nt":
        files.check_place(tmp_path / name, "output", overwrite=False)
    monkeypatch.setattr(files, "FORBIDDEN", files.FORBIDDEN_BY_WINDOWS)
    with pytest.raises(ImageError, match=r"expected a name without .*; choose another"):
        files.check_place(tmp_path / name, "output", overwrite=False)


def test_a_write_protected_file_leaves_no_unfinished_one_on_windows(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    path.touch(mode=0o444)
    real_replace, real_unlink = os.replace, os.unlink

    def refuse_protected(place):
        if not os.stat(place).st_mode & 0o200:
            raise PermissionError(13, "Access is denied")

    def replace(source, target):
        refuse_protected(target)
        real_replace(source, target)

    def unlink(place):
        refuse_protected(place)
        real_unlink(place)

    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        windows.setattr(os, "replace", replace)
        windows.setattr(os, "unlink", unlink)
        with (
            pytest.raises(ImageError, match="Access is denied"),
            files.whole_file(path, "config", overwrite=True) as part,
        ):
            open(part, "xb").close()
    assert os.listdir(tmp_path) == ["config.toml"]
