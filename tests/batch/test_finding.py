"""The pictures of folders, globs and URLs, and what is left out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from servers import clear_proxies, serving
from stylize import files
from stylize.batch.finding import pictures
from stylize.batch.jobs import styles_of_places, subjects_of_places
from stylize.batch.left_out import LeftOut
from stylize.errors import OptionError, StylizeError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def found(place: str | Path, output: str | Path = "nowhere", left_out: LeftOut | None = None) -> list[str]:
    return [below for _, below in pictures(str(place), "content", left_out or LeftOut(), output=str(output))]


def test_a_folder_is_walked_in_order(tmp_path):
    touch(
        tmp_path, "b.JPG", "a.png", "cats/2.webp", "cats/1.tiff", ".hidden.png", ".git/x.png", "notes.txt", "out/o.png"
    )
    assert found(tmp_path, output=tmp_path / "out") == ["a.png", "b.JPG", "cats/1.tiff", "cats/2.webp"]


def test_a_glob_keeps_what_lies_below_its_fixed_part(tmp_path):
    touch(tmp_path, "train/cats/1.png", "train/dogs/2.png", "train/readme.md", "test/cats/3.png")
    assert found(tmp_path / "train" / "*" / "*.png") == ["cats/1.png", "dogs/2.png"]
    assert found(tmp_path / "t*" / "cats") == ["test/cats/3.png", "train/cats/1.png"]
    assert found(tmp_path / "**" / "*.png") == ["test/cats/3.png", "train/cats/1.png", "train/dogs/2.png"]


def test_a_file_is_taken_by_its_name_whatever_that_is(tmp_path):
    touch(tmp_path, "[1].scan")
    assert found(tmp_path / "[1].scan") == ["[1].scan"]


@pytest.mark.parametrize(
    ("place", "words"), [("missing", "no such file or folder"), ("empty", "no pictures"), ("*.png", "no pictures")]
)
def test_nothing_there_is_told_in_one_line(tmp_path, place, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StylizeError, match=words):
        found(tmp_path / place)


def test_a_folder_that_cannot_be_listed_stops_no_other(tmp_path, monkeypatch):
    touch(tmp_path, "a.png", "secret/b.png", "z/c.png")
    real = os.scandir

    def scandir(folder):
        if str(folder).endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    if os.name == "nt" or os.geteuid() == 0:  # there is no such mode, or root may read anything
        monkeypatch.setattr(os, "scandir", scandir)
    else:
        (tmp_path / "secret").chmod(0)
    left_out = LeftOut()
    try:
        assert found(tmp_path, left_out=left_out) == ["a.png", "z/c.png"]
        assert left_out.lines() == []
        assert left_out.errors() == [f"1 folder could not be listed: {tmp_path}/secret (Permission denied)"]
        with pytest.raises(StylizeError, match=r"content .*secret: could not be listed: Permission denied"):
            found(tmp_path / "secret")
    finally:
        (tmp_path / "secret").chmod(0o755)


def test_a_picture_named_twice_is_one(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    places = [str(tmp_path), str(tmp_path / "a.png"), str(tmp_path / "." / "b.png")]
    assert [subject.folder for subject in subjects_of_places(places, LeftOut(), output="out")] == ["", ""]
    assert len(styles_of_places(places, LeftOut(), output="out")) == 2


def test_urls(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    touch(tmp_path, "a.png", "cats/b.png", "cats/.c.png", "notes.txt")
    url = f"file://{tmp_path}"
    assert found(url) == ["a.png", "cats/b.png"]
    assert found(f"{url}/*/*.png") == ["cats/b.png"]
    assert found(f"{url}/a.png") == ["a.png"]
    assert next(pictures(url, "content", LeftOut(), output="out"))[0] == f"{url}/a.png"
    left_out = LeftOut()
    assert found(url, str(tmp_path / "cats"), left_out=left_out) == ["a.png"]
    assert list(left_out.files) == ["not a picture"]
    with pytest.raises(OptionError, match="expected no picture in the output folder"):
        found(f"{url}/cats", str(tmp_path))
    with pytest.raises(StylizeError, match="no pictures"):
        found(f"{url}/missing")
    with pytest.raises(StylizeError, match="nosuch"):
        found("nosuch://bucket/a.png")
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/a.png", b"12345")
    assert [path for path, _ in pictures("memory://bucket", "content", LeftOut(), output="out")] == [
        "memory:///bucket/a.png"
    ]
    assert files.stamp("memory://bucket/a.png").startswith("5-")
    files.write("memory://bucket/new/b.png", b"1")
    assert memory.cat_file("/bucket/new/b.png") == b"1"
    memory.rm("/bucket", recursive=True)


def test_urls_without_fsspec(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(StylizeError, match=r'pip install "stylize-art\[batch\]"'):
        found("s3://bucket/photos")


def test_what_is_no_picture_is_counted_and_named(tmp_path, no_heif):
    touch(tmp_path, "a.jfif", "notes.txt", "b/readme", "b/jpg", "c.HEIC", ".d.png", ".git/e.png")
    left_out = LeftOut()
    assert found(tmp_path, left_out=left_out) == ["a.jfif"]
    assert found(tmp_path, left_out=left_out) == ["a.jfif"]  # counted once
    assert left_out.files == {
        "hidden": (2, str(tmp_path / ".d.png")),
        "not a picture": (3, str(tmp_path / "b/jpg")),
        'needs pip install "stylize-art[heif]"': (1, str(tmp_path / "c.HEIC")),
    }
    assert left_out.lines() == [
        f"6 files left out: 2 hidden ({tmp_path}/.d.png, ...), "
        f'1 needs pip install "stylize-art[heif]" ({tmp_path}/c.HEIC), 3 not pictures ({tmp_path}/b/jpg, ...)'
    ]
    assert LeftOut().lines() == LeftOut().errors() == []


def test_a_folder_without_pictures_tells_what_is_there(tmp_path, no_heif):
    touch(tmp_path, "a.heic", "b.heic")
    with pytest.raises(StylizeError, match=r"no pictures there; .*2 need pip install \"stylize-art\[heif\]\""):
        found(tmp_path)


def test_a_linked_folder_is_followed_once(tmp_path):
    touch(tmp_path, "photos/a.png", "photos/cats/b.png", "elsewhere/c.png", "elsewhere/dogs/d.png")
    photos = tmp_path / "photos"
    for link, target in (("x", "../elsewhere"), ("y", "../elsewhere/dogs"), ("z", "../elsewhere"), ("in", "cats")):
        (photos / link).symlink_to(target)
    assert found(photos) == ["a.png", "cats/b.png", "x/c.png", "x/dogs/d.png"]


def test_a_link_to_a_hidden_folder_is_followed(tmp_path):
    touch(tmp_path, "a.png", ".store/1/b.png")
    (tmp_path / "album").symlink_to(".store/1")
    (tmp_path / "self").symlink_to(".")
    assert found(tmp_path) == ["a.png", "album/b.png"]


def test_a_web_address_with_a_query_is_no_glob(monkeypatch):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    clear_proxies(monkeypatch)
    with serving() as server:
        server.bodies = {"/photo?id=1": b"picture"}
        url = f"{server.base}/photo?id=1"
        assert [path for path, _ in pictures(url, "content", LeftOut(), output="out")] == [url]


def test_links_in_a_circle_end(tmp_path):
    touch(tmp_path, "photos/a.png", "photos/cats/b.png", "elsewhere/c.png", "above.png")
    photos = tmp_path / "photos"
    links = (("photos/cats/up", ".."), ("photos/out", "../elsewhere"), ("elsewhere/back", "../photos"),
             ("elsewhere/self", "."), ("photos/around", ".."), ("photos/none", "none"))  # fmt: skip
    for link, target in links:
        (tmp_path / link).symlink_to(target)
    left_out = LeftOut()
    assert found(photos, left_out=left_out) == ["a.png", "cats/b.png", "out/c.png"]
    assert left_out.files == {
        "linked to a folder around it": (1, str(photos / "around")),
        "not a picture": (1, str(photos / "none")),
    }
    assert found(tmp_path / "photos" / "*")[:2] == ["a.png", "around/above.png"]  # a link that the glob itself names


def test_a_place_in_the_output_is_told_as_such(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "photos/a.png")
    for place, output in (("photos", "."), ("photos", "photos"), ("photos/*.png", "photos"), ("p*/*.png", "photos")):
        with pytest.raises(OptionError, match="expected no picture in the output folder"):
            found(place, output)


def test_a_glob_follows_links_as_a_folder_does(tmp_path, monkeypatch):
    touch(tmp_path, "in/x/1.jpg", "in/x/deep/2.jpg", "in/3.jpg", "in/x/.h/4.jpg", "elsewhere/5.jpg")
    links = (("in/y", "x"), ("in/a", "x"), ("in/x/up", ".."), ("in/x/self", "."), ("elsewhere/back", "../in"),
             ("in/other", "../elsewhere"), ("in/again", "../elsewhere"))  # fmt: skip
    for link, target in links:
        (tmp_path / link).symlink_to(target)
    expected = ["3.jpg", "again/5.jpg", "x/1.jpg", "x/deep/2.jpg"]
    for pattern in ("in/**/*.jpg", "in/**", "i?/**/*.jpg"):
        below = [name.removeprefix("in/") for name in found(tmp_path / pattern)]
        assert below == expected, pattern
    assert found(tmp_path / "in" / "**" / "x" / "*.jpg") == ["x/1.jpg"]
    named = ["a/1.jpg", "again/5.jpg", "other/5.jpg", "x/1.jpg", "y/1.jpg"]  # links that the glob itself names
    assert found(tmp_path / "in" / "*" / "*.jpg") == named
    assert len(found(tmp_path / "in" / "**" / "**" / "*.jpg")) == 4
    monkeypatch.chdir(tmp_path / "in")
    assert [path for path, _ in pictures("**/*.jpg", "content", LeftOut(), output="out")] == expected
